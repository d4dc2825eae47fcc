"""Conversions of pixels between whole numbers from 0 to 255 and floats."""

import torch

from ganexp.pixels import from_uint8, to_display_range, to_uint8

LEVELS = torch.arange(256, dtype=torch.uint8)


def test_to_uint8_rounds_and_clamps():
    assert torch.equal(to_uint8(LEVELS.float() / 127.5 - 1), LEVELS)
    assert to_uint8(torch.tensor([-1.5, -1.0, 0.0, 1.0, 1.5])).tolist() == [0, 0, 128, 255, 255]


def test_from_uint8_fills_the_range():
    for pixel_range, low in (("symmetric", -1), ("unit", 0)):
        values = from_uint8(LEVELS, pixel_range)
        assert values.dtype == torch.float32
        assert (values.min(), values.max()) == (low, 1)
    assert torch.equal(to_uint8(from_uint8(LEVELS)), LEVELS)
    assert LEVELS[3] == 3  # the input is not changed


def test_display_range_clamps_unit_images():
    images = torch.tensor([-1.0, 0.0, 0.25, 1.0])
    assert to_display_range(images, "unit").tolist() == [-1, -1, -0.5, 1]
    assert to_display_range(images, "symmetric") is images
