"""Feature extractors and references without networks or files, and functions that score given features."""

import resource
from collections.abc import Callable, Sequence
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import Tensor

from ganexp.cli import CONF
from ganexp.config.instantiate import SPECIAL, instantiate, locate
from ganexp.metrics.collection import Scores
from ganexp.metrics.extractors.base import Extractor
from ganexp.metrics.fid import FID
from ganexp.metrics.inception_score import InceptionScore
from ganexp.metrics.labels import SampleLabels
from ganexp.metrics.reference import Reference
from ganexp.metrics.score import Minimum, Score, ScoreContext
from ganexp.pixels import to_uint8

CPU = torch.device("cpu")
SETTINGS = {"splits": 3, "fid_at": [30, 50]}  # scores refer to these settings of the config group `metrics`
FASTER = {"swd": {"neighbourhoods": 16, "directions": 64}}  # replaces slow settings of conf/metrics/score


def _score_node(name: str) -> dict[str, Any]:
    """Return the config of a score in conf/metrics/score, with the values of SETTINGS in place of interpolations."""
    option = OmegaConf.load(CONF / "metrics" / "score" / f"{name}.yaml")
    content = OmegaConf.create({"metrics": {**SETTINGS, "scores": option}})
    return OmegaConf.to_container(content, resolve=True)["metrics"]["scores"][name]


def factory_of(node: dict[str, Any], name: str) -> Callable[[ScoreContext], Score]:
    """Return the function that makes a score from its config."""
    return lambda context: instantiate(node, f"metrics.scores.{name}", context=context)


SCORE_NODES = {file.stem: _score_node(file.stem) for file in sorted((CONF / "metrics" / "score").glob("*.yaml"))}
# Every score in conf/metrics/score, with the settings of FASTER; the keys are the names of the files.
EVERY_SCORE = {name: factory_of(node | FASTER.get(name, {}), name) for name, node in SCORE_NODES.items()}


def minimum_of(name: str) -> Minimum:
    """Return the minimum numbers of images that a score of EVERY_SCORE needs."""
    node = SCORE_NODES[name]
    settings = {argument: value for argument, value in node.items() if argument not in SPECIAL}
    return locate(node, name).func.minimum(**settings)


class Pixels(Extractor):
    """An extractor that returns the pixels as features and as logits. The brightest pixel gives the class."""

    name, input, identity = "pixels", "as it is", "1"

    def __init__(self, pixels: int = 4, knows_labels: bool = False) -> None:
        super().__init__()
        self.feature_dim = self.num_logits = pixels
        self.knows_labels = knows_labels

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        flat = images.flatten(1).float()
        return flat, flat


class Stub(Extractor):
    """An extractor that is never called, for tests that pass features directly to the scores."""

    name, input, identity = "stub", "none", "0"

    def __init__(self, feature_dim: int, num_logits: int | None = None, knows_labels: bool = False) -> None:
        super().__init__()
        self.feature_dim, self.num_logits, self.knows_labels = feature_dim, num_logits, knows_labels


def pictures(features: Tensor) -> Tensor:
    """Return images (N, 1, 8, 8) in [-1, 1] that depend on features (N, d), for scores that need images."""
    waves = torch.randn(features.shape[1], 64, generator=torch.Generator().manual_seed(0))
    return (features.float() @ waves).sin().unflatten(1, (1, 8, 8))


def make_reference(features: Tensor, fingerprint: str = "real") -> Reference:
    """Return a `Reference` for real images that have these features (N, d)."""
    x = features.double()
    return Reference(fingerprint, len(x), x.sum(0), x.T @ x, features)


def make_scores(factories, references, samples, extractor, **options) -> Scores:
    """Return a `Scores` with the scores that `factories` make.

    `references` are the features of real images: a dictionary with a tensor for each split, or the tensor of the train
    split alone. If `num_classes` is given without `labels`, the samples cycle through the classes. If `real_images` is
    not given, `pictures` makes the real images of a split from the split's features.
    """
    if isinstance(references, Tensor):
        references = {"train": references}
    by_split = {split: make_reference(features, split) for split, features in references.items()}
    options.setdefault("real_images", lambda split, chosen: to_uint8(pictures(references[split]))[chosen])
    if num_classes := options.pop("num_classes", 0):
        labels = options.get("labels")
        values = torch.arange(samples) % num_classes if labels is None else labels
        options["labels"] = SampleLabels(values, [str(number) for number in range(num_classes)])
    return Scores(extractor, by_split, samples, CPU, factories, **options)


def feed(scores, features, logits=None, labels=None, order=None, batch_size=40, images=None) -> Scores:
    """Update `scores` with samples, batch by batch, in the order of the indices `order`."""
    images = pictures(features) if images is None else images
    order = torch.arange(len(features)) if order is None else order
    for part in order.split(batch_size):
        columns = [None if column is None else column[part] for column in (features, logits, labels)]
        scores.update_features(*columns, part, images[part])
    return scores


def score_features(factory, references, features, logits=None, labels=None, **options) -> dict[str, float]:
    """Return the values of one score for samples with these features, logits and labels."""
    width = None if logits is None else logits.shape[1]
    extractor = Stub(features.shape[1], width, options.pop("knows_labels", False))
    scores = make_scores({"score": factory}, references, len(features), extractor, **options)
    return feed(scores, features, logits, labels).compute()


def peaks_of_memory(counts: Sequence[int]) -> list[int]:
    """Return, for each number of samples, the peak memory of this process in MB after IS and FID were computed."""
    peaks = []
    for count in counts:
        scores = make_scores({"is": InceptionScore, "fid": FID}, torch.randn(5000, 512), count, Stub(512, 10))
        for indices in torch.arange(count).split(500):
            features = torch.randn(500, 512)
            scores.update_features(features, features[:, :10], None, indices)
        scores.compute()
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    return peaks
