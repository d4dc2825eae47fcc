"""The classes of generated images as the extractor sees them: how many of each, and how many are as asked for."""

import torch
from torch import Tensor

from ganexp.metrics.score import Score, ScoreContext


class ClassAccuracy(Score):
    """The share of samples that the extractor puts in the class that they were generated for.

    By class there are `share`, how many of the samples the extractor puts in a class, and `accuracy`. The value is
    `accuracy_classifier`. Samples without labels have shares only. Of an extractor that does not know the classes of
    the dataset, such as Inception, there are neither values nor shares.

    Args:
        context: facts about samples, extractor and references.
    """

    higher_is_better = True
    guessed: Tensor  # (K,), samples that the extractor puts in each class
    labelled: Tensor  # (classes,), samples that were generated for each class
    correct: Tensor  # (classes,), those of them that the extractor puts in their class

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
        """Return the accuracy, if the samples have labels and the extractor knows them."""
        if not self.context.knows_labels:
            return {}
        self.by_class = {"share": (self.guessed.double() / self.guessed.sum()).tolist()}
        if self.context.num_classes:
            occurring = self.labelled > 0
            accuracy = self.correct[occurring].double() / self.labelled[occurring]
            self.by_class["accuracy"] = accuracy.tolist()
        return {name: self.correct.sum().double() / self.labelled.sum() for name in self.value_names()}

    def value_names(self) -> list[str]:
        """Return the name of the accuracy, if there is one."""
        has_accuracy = self.context.knows_labels and self.context.num_classes
        return [f"accuracy_{self.context.extractor}"] if has_accuracy else []
