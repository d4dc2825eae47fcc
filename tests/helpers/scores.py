"""Feature extractors and references without networks or files, and one call from features to scores."""

import torch
from torch import Tensor

from ganexp.metrics.class_accuracy import ClassAccuracy
from ganexp.metrics.collection import Scores
from ganexp.metrics.diversity import Diversity
from ganexp.metrics.extractors.base import Extractor
from ganexp.metrics.fid import FID
from ganexp.metrics.fid_infinity import FIDInfinity
from ganexp.metrics.fid_interval import FIDInterval
from ganexp.metrics.inception_score import InceptionScore
from ganexp.metrics.intra_fid import IntraFID
from ganexp.metrics.kid import KID
from ganexp.metrics.precision_recall import PrecisionRecall
from ganexp.metrics.reference import Reference

CPU = torch.device("cpu")

# Every score of conf/metrics/score, by the name of its file.
EVERY_SCORE = {
    "is": lambda context: InceptionScore(context, splits=3),
    "fid": lambda context: FID(context, sample_counts=[30, 50]),
    "kid": KID,
    "neighbours": PrecisionRecall,
    "diversity": Diversity,
    "fid_interval": FIDInterval,
    "fid_infinity": FIDInfinity,
    "intra_fid": IntraFID,
    "accuracy": ClassAccuracy,
}


class Pixels(Extractor):
    """An extractor whose features and whose logits are the pixels: the class of an image is its brightest pixel."""

    name, input, identity = "pixels", "as it is", "1"

    def __init__(self, pixels: int = 4, knows_labels: bool = False) -> None:
        super().__init__()
        self.feature_dim = self.num_logits = pixels
        self.knows_labels = knows_labels

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        flat = images.flatten(1).float()
        return flat, flat


class Stub(Extractor):
    """An extractor that is never called, for features that are given to the scores directly."""

    name, input, identity = "stub", "none", "0"

    def __init__(self, feature_dim: int, num_logits: int | None = None, knows_labels: bool = False) -> None:
        super().__init__()
        self.feature_dim, self.num_logits, self.knows_labels = feature_dim, num_logits, knows_labels


def make_reference(features: Tensor, fingerprint: str = "real") -> Reference:
    """Return the reference of images with features (N, d)."""
    x = features.double()
    return Reference(fingerprint, len(x), x.sum(0), x.T @ x, features)


def make_scores(factories, references, samples, extractor, **options) -> Scores:
    """Return scores with ten splits; `references` are features, by split or of one split alone."""
    if isinstance(references, Tensor):
        references = {"train": references}
    by_split = {split: make_reference(features, split) for split, features in references.items()}
    return Scores(extractor, by_split, samples, 10, CPU, factories, **options)


def feed(scores, features, logits=None, labels=None, order=None, batch_size=40) -> Scores:
    """Update `scores` with samples, batch by batch, in the order of the indices `order`."""
    order = torch.arange(len(features)) if order is None else order
    for part in order.split(batch_size):
        columns = [None if column is None else column[part] for column in (features, logits, labels)]
        scores.update_features(*columns, part)
    return scores


def score_features(factory, references, features, logits=None, labels=None, **options) -> dict[str, float]:
    """Return the values of one score, of samples with these features, logits and labels."""
    width = None if logits is None else logits.shape[1]
    extractor = Stub(features.shape[1], width, options.pop("knows_labels", False))
    scores = make_scores({"score": factory}, references, len(features), extractor, **options)
    return feed(scores, features, logits, labels).compute()
