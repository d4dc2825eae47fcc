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


class SampleDiversity:
    """The mean pixel distance between two samples, divided by the mean pixel distance between two real images.

    If samples and real images have classes, only images of the same class are compared: samples of different classes
    differ even if all samples of each class are the same.

    Args:
        image_set: the real images.
    """

    def __init__(self, image_set: ImageSet) -> None:
        chosen = random_indices(len(image_set), IMAGES)
        self._pixels = image_set.batch(chosen)
        self._labels = None if image_set.labels is None else image_set.labels[chosen].cpu()
        self._class_counts = image_set.class_counts
        self._real: float | None = None  # the mean distance between two real images, once it is known

    def relative(self, gan: GAN) -> float:
        """Return the mean distance between samples, divided by the mean distance between real images.

        The result is 1 if the mean distance between real images is 0. The samples always come from the same latents.
        """
        labels = sample_labels(IMAGES, self._class_counts or [1] * gan.num_classes) if gan.num_classes else None
        samples = torch.cat([part.cpu() for part in sample_images(gan, IMAGES, BATCH, EVALUATION_SEED, labels=labels)])
        has_classes = labels is not None and self._labels is not None
        if self._real is None:
            self._real = mean_distance(from_uint8(self._pixels, "symmetric"), self._labels if has_classes else None)
        return mean_distance(samples, labels if has_classes else None) / self._real if self._real else 1.0


@torch.no_grad()
def mean_distance(images: Tensor, labels: Tensor | None = None) -> float:
    """Return the mean Euclidean distance between two of the images (N, C, H, W); 0 if no two can be compared.

    Args:
        images: the images.
        labels: the classes (N,) of the images. If they are given, only images of the same class are compared.
    """
    distances = torch.cdist(images.flatten(1).double(), images.flatten(1).double())
    is_pair = ~torch.eye(len(images), dtype=torch.bool, device=images.device)
    if labels is not None:
        is_pair &= (labels[:, None] == labels).to(images.device)
    return distances[is_pair].mean().item() if is_pair.any() else 0.0
