"""Estimate how long the scores of an evaluation take: time a few images, and use random features for the others."""

from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from omegaconf import DictConfig
from torch import Tensor, nn
from torchvision.models import inception_v3

from ganexp import build_scores, offline
from ganexp.commands.estimation.timing import timed
from ganexp.data.images import ImageSet
from ganexp.metrics.collection import Scores
from ganexp.metrics.extractors.base import Extractor
from ganexp.metrics.labels import SampleLabels
from ganexp.metrics.reference import MAX_KEPT_IMAGES, Reference, load_reference, reference_file
from ganexp.metrics.score import MAX_KEPT_SAMPLES
from ganexp.pixels import from_uint8, to_uint8
from ganexp.sampling import labels_in_turn, sample_images
from ganexp.training.gan import GAN

TIMED_IMAGES = {"cuda": 500, "cpu": 64}
# updates of the classifier in two timed trainings; the difference of their times gives the time of an update
FEW_UPDATES, MORE_UPDATES = 3, 15


@dataclass
class ScoringTime:
    """How long the scores take.

    Attributes:
        seconds: seconds for one evaluation.
        once_seconds: seconds for each kind of work that only the first run does, because its result is then cached.
        once_files: for each kind of work in `once_seconds`, a file name that is the same only for equal work.
        notes: remarks for the user.
    """

    seconds: float
    once_seconds: dict[str, float] = field(default_factory=dict)
    once_files: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def time_scores(
    cfg: DictConfig, gan: GAN, image_set: ImageSet, is_here: bool, images: int, scratch: Path
) -> ScoringTime:
    """Time the scores of `cfg.metrics`.

    Args:
        cfg: the resolved config.
        gan: the GAN on its device.
        image_set: images of the dataset, or random images of the same shape.
        is_here: whether `image_set` has images of the dataset.
        images: number of images in the dataset.
        scratch: a temporary directory.
    """
    metrics, device = cfg.metrics, gan.device
    if is_here:
        with suppress(offline.NotHere):  # raised for a split that training would download
            # raise the errors that a training would raise
            build_scores.prepare_sets(cfg, image_set, gan.num_classes, for_training=True)
    classifier = build_scores.trained_file(cfg, image_set)
    is_ready = classifier is None or (is_here and classifier.exists())
    extractor, training_seconds, notes = _extractor(cfg, image_set, is_ready, scratch, device)
    batch = min(metrics.samples, metrics.batch_size, TIMED_IMAGES[device.type])
    real = image_set.batch(torch.arange(min(batch, len(image_set))))
    reference = load_reference(extractor, [real], len(real), "", scratch, device)  # also warms up the device
    reading_seconds, _ = timed(device, lambda: extractor(real.to(device)))
    once = {f"{extractor.name} (trained)": training_seconds} if training_seconds else {}
    cache = Path(metrics.cache).expanduser()
    cached = reference_file(extractor, image_set.fingerprint(), cache)
    if training_seconds or not is_here or not cached.exists():
        for split in metrics.references:
            work = f"{extractor.name}'s reference ({split})"
            once[work] = once.get(work, 0.0) + reading_seconds * images / len(real)
    # the file of a reference depends on the trained weights, which are not known yet; the file of a classifier is
    once_files = dict.fromkeys(once, (cached if is_ready or classifier is None else classifier).name)
    drawing_seconds, _ = timed(device, lambda: _draw(gan, extractor, batch))
    reference = _of_more_images(reference, images)
    scores = _scores(cfg, extractor, reference, gan, real)
    if untimed := sorted(name for name, score in scores.scores.items() if score.kept_samples is None):
        notes.append(f"the time of {', '.join(untimed)} is left out: these scores use the features of all samples")
    timed_names = [name for name in scores.scores if name not in untimed]
    computing_seconds = 0.0
    if timed_names:
        scores = _scores(cfg, extractor, reference, gan, real, timed_names)
        computing_seconds, _ = timed(device, lambda: _score_random_features(scores, real, metrics.batch_size))
    return ScoringTime(drawing_seconds * metrics.samples / batch + computing_seconds, once, once_files, notes)


def _of_more_images(reference: Reference, images: int) -> Reference:
    """Return a reference for `images` images with the mean and covariance of `reference`, and with random features."""
    scale = images / reference.count
    kept, dim = min(images, MAX_KEPT_IMAGES), reference.features.shape[1]
    features = torch.randn(kept, dim, device=reference.features.device)
    return Reference(reference.fingerprint, images, reference.total * scale, reference.outer * scale, features)


def _scores(
    cfg: DictConfig,
    extractor: Extractor,
    reference: Reference,
    gan: GAN,
    real: Tensor,
    names: list[str] | None = None,
) -> Scores:
    """Return the scores named in `names`, or all scores if `names` is None, for at most MAX_KEPT_SAMPLES samples.

    Where scores need real images, the images `real`, uint8 (N, C, H, W), are repeated.
    """
    factories = build_scores.score_factories(cfg)
    chosen = {name: factory for name, factory in factories.items() if names is None or name in names}
    references = {str(number): reference for number in range(len(cfg.metrics.references))}
    samples = min(cfg.metrics.samples, MAX_KEPT_SAMPLES)
    values = labels_in_turn(samples, gan.num_classes)
    labels = None if values is None else SampleLabels(values, [str(label) for label in range(gan.num_classes)])
    reference_labels = None if labels is None else torch.arange(len(reference.features)) % gan.num_classes
    return Scores(
        extractor,
        references,
        samples,
        gan.device,
        chosen,
        class_reference=lambda index: reference,
        labels=labels,
        reference_labels=reference_labels,
        real_images=lambda split, indices: real[indices % len(real)],
    )


def _draw(gan: GAN, extractor: Extractor, count: int) -> None:
    for images in sample_images(gan, count, count, seed=0):
        extractor(to_uint8(images))


def _score_random_features(scores: Scores, pixels: Tensor, batch_size: int) -> None:
    """Compute scores of random features and logits, and of the repeated images `pixels`, uint8 (N, C, H, W)."""
    scores.reset()
    real, labels = from_uint8(pixels).to(scores.device), scores.labels
    for indices in torch.arange(scores.samples).split(batch_size):
        images = real[indices.to(scores.device) % len(real)]
        features = torch.randn(len(indices), scores.extractor.feature_dim, device=scores.device)
        logits = torch.randn(len(indices), scores.extractor.num_logits or 1, device=scores.device)
        label_values = None if labels is None else labels.values[indices]
        scores.update_features(features, logits, label_values, indices, images)
    scores.compute()


def _extractor(
    cfg: DictConfig, image_set: ImageSet, is_ready: bool, scratch: Path, device: torch.device
) -> tuple[Extractor, float, list[str]]:
    """Return the extractor or an equally fast one, the seconds that its training will take, and notes.

    `is_ready` says whether the extractor is pretrained or cached, so that it needs no training.
    """
    node = cfg.metrics.extractor
    if is_ready:
        try:
            cache = Path(cfg.metrics.cache).expanduser()
            return build_scores.build_extractor(cfg, image_set, cache, device).to(device), 0.0, []
        except offline.NotHere:
            note = "Inception's weights are not on this machine: random weights were timed instead"
            return RandomInception().to(device), 0.0, [note]
    seconds, updates = {}, node.updates
    for few in (FEW_UPDATES, MORE_UPDATES):
        node.updates = few
        cache = scratch / f"updates-{few}"
        train = partial(build_scores.build_extractor, cfg, image_set, cache, device)
        seconds[few], extractor = timed(device, train)
    seconds_an_update = max(seconds[MORE_UPDATES] - seconds[FEW_UPDATES], 0.0) / (MORE_UPDATES - FEW_UPDATES)
    training_seconds = seconds[FEW_UPDATES] + max(updates - FEW_UPDATES, 0) * seconds_an_update
    return extractor.to(device), training_seconds, []


class RandomInception(Extractor):
    """Inception-v3 with random weights, which is as fast as with the true weights."""

    name, identity, input = "inception", "random", "colour, 299x299"
    feature_dim, num_logits = 2048, 1008

    def __init__(self) -> None:
        super().__init__()
        self.network = inception_v3(init_weights=False, transform_input=False).eval().requires_grad_(False)
        self.network.fc = nn.Identity()

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (N, 2048) and logits (N, 1008) of uint8 images (N, C, H, W)."""
        x = images.expand(-1, 3, -1, -1).float() / 255
        features = self.network(nn.functional.interpolate(x, (299, 299), mode="bilinear"))  # (N, 3, H, W) -> (N, 2048)
        return features, features[:, :1008]
