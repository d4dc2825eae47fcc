"""Compare the distances between samples with those between real images, without a feature extractor."""

import torch
from torch import Tensor

from ganexp.data.images import ImageSet
from ganexp.metrics.reference import random_indices
from ganexp.pixels import from_uint8
from ganexp.sampling import EVALUATION_SEED, sample_images, sample_labels
from ganexp.training.gan import GAN

IMAGES = 256  # number of images of each kind
BATCH = 64
MAX_CLASSES = 64  # fewer than IMAGES, so that there are always samples of the same class


class SampleDiversity:
    """The mean pixel distance between two samples, divided by the mean pixel distance between two real images.

    If samples and real images have classes, only images of the same class are compared: samples of different classes
    differ even if all samples of each class are the same. If there are more than MAX_CLASSES classes, only the
    MAX_CLASSES classes with the most real images are used.

    Args:
        image_set: the real images.
    """

    def __init__(self, image_set: ImageSet) -> None:
        self._image_set = image_set
        self._class_counts = torch.tensor(image_set.class_counts)
        self._class_counts[self._class_counts.argsort(descending=True, stable=True)[MAX_CLASSES:]] = 0
        self._real: float | None = None  # the mean distance between two real images, once it is known

    def relative(self, gan: GAN) -> float:
        """Return the mean distance between samples, divided by the mean distance between real images.

        The result is 1 if the mean distance between real images is 0, and NaN if no two real images can be compared.
        The samples always come from the same latents.
        """
        labels = (
            sample_labels(IMAGES, self._class_counts.tolist() or [1] * gan.num_classes) if gan.num_classes else None
        )
        samples = torch.cat([part.cpu() for part in sample_images(gan, IMAGES, BATCH, EVALUATION_SEED, labels=labels)])
        has_classes = labels is not None and self._image_set.labels is not None
        if self._real is None:
            self._real = self._real_distance(has_classes)
        return mean_distance(samples, labels if has_classes else None) / self._real if self._real else 1.0

    def _real_distance(self, within_classes: bool) -> float:
        """Return the mean distance between two real images, or between two of the same class; see `mean_distance`."""
        images = torch.arange(len(self._image_set))
        if within_classes:
            images = images[self._class_counts[self._image_set.known_labels.cpu()] > 0]
        chosen = images[random_indices(len(images), IMAGES)]
        labels = self._image_set.known_labels.cpu()[chosen] if within_classes else None
        return mean_distance(from_uint8(self._image_set.batch(chosen), "symmetric"), labels)


@torch.no_grad()
def mean_distance(images: Tensor, labels: Tensor | None = None) -> float:
    """Return the mean Euclidean distance between two of the images (N, C, H, W); NaN if no two can be compared.

    Args:
        images: the images.
        labels: the classes (N,) of the images. If they are given, only images of the same class are compared.
    """
    distances = torch.cdist(images.flatten(1).double(), images.flatten(1).double())
    is_pair = ~torch.eye(len(images), dtype=torch.bool, device=images.device)
    if labels is not None:
        is_pair &= (labels[:, None] == labels).to(images.device)
    return distances[is_pair].mean().item()
