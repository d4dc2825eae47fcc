"""Classify generated images with the extractor, and compute the share of each class and the accuracy."""

import torch
from torch import Tensor

from ganexp.metrics.score import Score, ScoreContext


class ClassAccuracy(Score):
    """The share of samples whose label the extractor predicts correctly.

    Two values are computed for each class. `share` is the number of samples that the extractor assigns to the class,
    divided by the number of all samples. `accuracy` considers only the samples that were generated for the class: it is
    the share of these samples that the extractor assigns to the class. For an extractor named `classifier`, the
    accuracy over all classes is `accuracy_classifier`; every sample has the same weight, so that classes with more
    samples have more weight. If the samples have no labels, only `share` is computed. If the extractor does not know
    the classes of the dataset (an example is Inception), nothing is computed.

    Args:
        context: description of the samples, the extractor and the references.
    """

    higher_is_better = True
    guessed: Tensor  # (K,), number of samples that the extractor puts in each class
    labelled: Tensor  # (classes,), number of samples that were generated for each class
    correct: Tensor  # (classes,), number of samples of each class that the extractor puts in this class

    def __init__(self, context: ScoreContext) -> None:
        super().__init__(context)
        if context.knows_labels and context.num_logits is not None:
            self.add_state("guessed", torch.zeros(context.num_logits, dtype=torch.int64), dist_reduce_fx="sum")
            self.add_state("labelled", torch.zeros(context.num_classes, dtype=torch.int64), dist_reduce_fx="sum")
            self.add_state("correct", torch.zeros(context.num_classes, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, logits: Tensor | None, labels: Tensor | None) -> None:
        """Add samples with class logits (N, K) and labels (N,)."""
        if logits is None or not self.context.knows_labels:
            return
        guesses = logits.argmax(1)
        self.guessed += torch.bincount(guesses, minlength=len(self.guessed))
        if labels is not None:
            self.labelled += torch.bincount(labels, minlength=self.context.num_classes)
            self.correct += torch.bincount(labels[guesses == labels], minlength=self.context.num_classes)

    def compute(self) -> dict[str, Tensor]:
        """Return the accuracy, if the samples have labels and the extractor knows the classes of the dataset."""
        if not self.context.knows_labels:
            return {}
        self.by_class = {"share": (self.guessed.double() / self.guessed.sum()).tolist()}
        if self.context.num_classes:
            counts = zip(self.correct.tolist(), self.labelled.tolist(), strict=True)
            self.by_class["accuracy"] = [correct / labelled if labelled else None for correct, labelled in counts]
        return {name: self.correct.sum().double() / self.labelled.sum() for name in self.value_names()}

    def value_names(self) -> list[str]:
        """Return the name of the accuracy, or an empty list if no accuracy is computed."""
        has_accuracy = self.context.knows_labels and self.context.num_classes
        return [f"accuracy_{self.context.extractor}"] if has_accuracy else []
