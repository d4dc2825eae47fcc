"""The diversity of samples is near that of real images unless the samples are the same, with any number of classes."""

import math
from types import SimpleNamespace

import pytest
import torch

from ganexp.callbacks.sample_diversity import SampleDiversity
from ganexp.data.images import ImageSet
from ganexp.models.latent import Latent


class Noise(torch.nn.Module):
    """A generator whose images are `spread` times the latent, plus a brightness that depends on the class."""

    def __init__(self, spread):
        super().__init__()
        self.spread = spread

    def forward(self, z, labels=None):
        brightness = 0 if labels is None else (labels / 1000).reshape(-1, 1, 1, 1)
        return (self.spread * z).reshape(-1, 1, 4, 4) + brightness


def gan_of(num_classes, spread=0.5):
    return SimpleNamespace(
        num_classes=num_classes,
        latent=Latent(16),
        pixel_range="symmetric",
        device=torch.device("cpu"),
        averaged_generator=None,
        sampling_generator=Noise(spread),
    )


def images_of(counts):
    """Return random images, with `counts` images of each class, in random order."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    labels = labels[torch.randperm(len(labels), generator=generator)]
    pixels = torch.randint(0, 256, (len(labels), 1, 4, 4), dtype=torch.uint8, generator=generator)
    return ImageSet(pixels, labels, [str(index) for index in range(len(counts))])


MANY_CLASSES = [[20] * 64, [20] * 255, [20] * 256, [20] * 1000, [1] * 500 + [2] * 30, [500] + [0] * 600 + [1] * 600]


@pytest.mark.parametrize("counts", [[100] * 3, *MANY_CLASSES])
def test_diversity_is_known_for_any_number_of_classes(counts):
    diversity = SampleDiversity(images_of(counts))
    assert 0.5 < diversity.relative(gan_of(len(counts))) < 1.5
    assert diversity.relative(gan_of(len(counts), spread=0)) == pytest.approx(0, abs=1e-6)
    assert 0.5 < SampleDiversity(images_of(counts)).relative(gan_of(0)) < 1.5  # a GAN without classes


def test_diversity_of_classes_with_one_image_is_unknown():
    assert math.isnan(SampleDiversity(images_of([1] * 300)).relative(gan_of(300)))
