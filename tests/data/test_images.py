"""Image sets in memory: size, channels and fingerprint."""

import pytest
import torch

from ganexp.data.images import ImageSet, fit_to, fits
from ganexp.errors import UserError


def test_fit_crops_or_stretches():
    tall = torch.zeros(1, 6, 2, dtype=torch.uint8)
    tall[:, 2:4] = 200
    assert (fit_to(tall, 2, 1, "crop") == 200).all()
    assert not (fit_to(tall, 2, 1, "stretch") == 200).all()
    assert fit_to(tall, 4, 3).shape == (3, 4, 4)


def test_fit_exact_rejects_other_sizes():
    with pytest.raises(UserError, match=r"An image has 2x6 pixels, but all must have 6x6"):
        fit_to(torch.zeros(1, 6, 2, dtype=torch.uint8), 6, 1, "exact")
    square = torch.arange(36, dtype=torch.uint8).view(1, 6, 6)
    assert torch.equal(fit_to(square, 6, 1, "exact"), square)


def test_channels_are_converted():
    colour = torch.tensor([255, 0, 0], dtype=torch.uint8).view(3, 1, 1).repeat(1, 2, 2)
    assert (fit_to(colour, 2, 1) == 76).all()  # 0.299 · 255
    grey = torch.full((1, 2, 2), 7, dtype=torch.uint8)
    assert torch.equal(fit_to(grey, 2, 3), grey.repeat(3, 1, 1))


def test_fits_compares_with_memory():
    assert fits(1000, 32, 3, torch.device("cpu"))
    assert not fits(10**9, 1024, 3, torch.device("cpu"))


def test_fingerprint_depends_on_pixels_and_labels():
    images = torch.zeros(4, 1, 2, 2, dtype=torch.uint8)
    changed = images.clone()
    changed[3, 0, 1, 1] = 1
    prints = {ImageSet(i, labels, []).fingerprint() for i in (images, changed) for labels in (None, torch.arange(4))}
    assert len(prints) == 4
    assert ImageSet(images.clone(), None, []).fingerprint() in prints
    one_by_one = ImageSet(list(images), None, [])
    assert one_by_one.fingerprint() == ImageSet(images, None, []).fingerprint()
