"""Affine maps of geometry and colours, compared with exact changes of images and with matrices of scipy and numpy."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation

from ganexp.augment import warp


def drawn(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.double) * 2 - 1


def numbers(*values):
    return torch.tensor(values, dtype=torch.double)


@pytest.mark.parametrize("size", [(6, 6), (5, 5), (1, 1)])
@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_quarter_turns_are_exact(size, quarters):
    images = drawn(2, 3, *size)
    turned = warp.resample(images, warp.rotation(numbers(*[quarters * math.pi / 2] * 2)))
    assert torch.allclose(turned, torch.rot90(images, quarters, (2, 3)), atol=1e-12)


def test_mirror_and_whole_shifts_are_exact():
    images = drawn(2, 3, 6, 8)
    mirrored = warp.resample(images, warp.scaling(numbers(-1, 1), numbers(1, -1)))
    assert torch.equal(mirrored, torch.stack([images[0].flip(2), images[1].flip(1)]))
    shifted = warp.resample(images, warp.shift(numbers(3, -2), numbers(-1, 0)))
    assert torch.equal(shifted[0, :, 1:, :5], images[0, :, :5, 3:])
    assert torch.equal(shifted[0, :, 0, 0], images[0, :, 1, 3])  # the row -1 is the row 1
    assert torch.equal(shifted[1, :, :, 2:], images[1, :, :, :6])
    assert torch.equal(shifted[1, :, :, :2], images[1, :, :, 1:3].flip(2))


def test_any_map_samples_bilinearly_with_reflection():
    images = drawn(3, 2, 7, 10)
    maps = torch.eye(3, dtype=torch.double).repeat(3, 1, 1)
    maps[:, :2] += drawn(3, 2, 3) * torch.tensor([0.8, 0.8, 9.0])
    results = warp.resample(images, maps)
    rows, columns = np.mgrid[0:7, 0:10]
    for image, matrix, result in zip(images, maps.numpy(), results, strict=True):
        places = np.stack([columns - 4.5, rows - 3.0, np.ones_like(rows)]).reshape(3, -1)
        x, y, _ = (matrix @ places).reshape(3, 7, 10)
        for channel, got in zip(image.numpy(), result.numpy(), strict=True):
            expected = map_coordinates(channel, [y + 3.0, x + 4.5], order=1, mode="mirror")
            np.testing.assert_allclose(got, expected, atol=1e-9)


def test_product_applies_the_last_map_first():
    first, last = warp.shift(numbers(1.0), numbers(0.0)), warp.scaling(numbers(3.0), numbers(1.0))
    place = torch.tensor([2.0, 0.0, 1.0], dtype=torch.double)
    assert (warp.product([first, last]) @ place).tolist() == [[7.0, 0.0, 1.0]]


@pytest.mark.parametrize("angle", [0.3, -2.0, math.pi])
def test_hue_turns_around_the_axis_of_grey(angle):
    rotation = Rotation.from_rotvec(np.full(3, angle / math.sqrt(3))).as_matrix()
    (matrix,) = warp.hue(torch.tensor([angle])).numpy()
    np.testing.assert_allclose(matrix[:3, :3], rotation, atol=1e-6)
    np.testing.assert_array_equal(matrix[3], [0, 0, 0, 1])
    np.testing.assert_array_equal(matrix[:3, 3], 0)


def test_colour_maps_follow_their_definitions():
    colour = np.array([0.5, -0.2, 0.3, 1.0])
    grey = np.full(3, colour[:3].mean())

    def mapped(maps):
        return maps.double().numpy()[0] @ colour

    np.testing.assert_allclose(mapped(warp.brightness(torch.tensor([0.25])))[:3], colour[:3] + 0.25)
    np.testing.assert_allclose(mapped(warp.contrast(torch.tensor([2.0])))[:3], 2 * colour[:3])
    saturated = mapped(warp.saturation(torch.tensor([3.0])))[:3]
    np.testing.assert_allclose(saturated, grey + 3 * (colour[:3] - grey), rtol=1e-6)
    np.testing.assert_allclose(mapped(warp.inversion(torch.tensor([1.0])))[:3], colour[:3] - 2 * grey, rtol=1e-6)
    np.testing.assert_array_equal(warp.inversion(torch.tensor([0.0])).numpy()[0], np.eye(4))


def test_recolour_maps_every_pixel_and_means_of_grey():
    maps, colours, grey = drawn(2, 4, 4), drawn(2, 3, 4, 4), drawn(2, 1, 4, 4)

    def mapped(images):
        with_one = torch.cat([images, torch.ones_like(images[:, :1])], 1)
        return torch.einsum("nij,njhw->nihw", maps, with_one)[:, :3]

    assert torch.allclose(warp.recolour(colours, maps), mapped(colours))
    assert torch.allclose(warp.recolour(grey, maps), mapped(grey.repeat(1, 3, 1, 1)).mean(1, keepdim=True))
