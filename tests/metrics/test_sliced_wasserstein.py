"""The sliced Wasserstein distance and its image pyramid, compared with SciPy and with closed forms."""

import math

import numpy as np
import pytest
import torch
from helpers.scores import SCORE_NODES, Stub, factory_of, make_scores, pictures, score_features
from scipy import ndimage
from scipy.stats import wasserstein_distance

from ganexp.metrics.sliced_wasserstein import (
    SlicedWasserstein,
    describe,
    laplacian_pyramid,
    pyramid_heights,
    sliced_distance,
)

KERNEL = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256


def seeded(number):
    return torch.Generator().manual_seed(number)


def small(context):
    return SlicedWasserstein(context, images=50, neighbourhoods=8, directions=16)


def test_sliced_distance_is_the_mean_of_scipys_along_directions():
    first, second = torch.randn(40, 5, generator=seeded(1)), 2 * torch.randn(40, 5, generator=seeded(2)) + 0.3
    generator = seeded(3)
    directions = torch.cat([torch.randn(part, 5, generator=generator) for part in (128, 9)])
    directions /= directions.norm(dim=1, keepdim=True)
    expected = [wasserstein_distance(*((points @ each).numpy() for points in (first, second))) for each in directions]
    assert sliced_distance(first, second, 137, seeded(3)).item() == pytest.approx(np.mean(expected), rel=1e-5)


def test_sliced_distance_of_a_shift_is_its_mean_projection():
    points = torch.randn(10, 3, generator=seeded(0))
    shift = torch.tensor([0.0, 3.0, 4.0])  # of length 5; its projections on random directions have the mean length 5/2
    assert sliced_distance(points, points + shift, 20_000, seeded(1)).item() == pytest.approx(2.5, rel=0.02)
    assert sliced_distance(points, points.flip(0), 10, seeded(1)).item() == 0


def test_pyramid_equals_scipys_filters():
    images = torch.randint(0, 256, (2, 3, 32, 32), generator=seeded(0), dtype=torch.uint8)
    full, low = laplacian_pyramid(images)
    x = images.numpy().astype(np.float64)
    lower = ndimage.convolve(x, KERNEL[None, None], mode="mirror")[:, :, ::2, ::2]
    enlarged = np.zeros_like(x)
    enlarged[:, :, ::2, ::2] = lower
    np.testing.assert_allclose(low, lower, rtol=1e-5)
    expected = x - ndimage.convolve(enlarged, 4 * KERNEL[None, None], mode="mirror")
    np.testing.assert_allclose(full, expected, atol=1e-3)


@pytest.mark.parametrize(("height", "heights"), [(96, [96, 48, 24]), (32, [32, 16]), (28, [28]), (2, [2])])
def test_pyramid_ends_at_16_pixels(height, heights):
    assert pyramid_heights(height) == heights
    assert [level.shape[2] for level in laplacian_pyramid(torch.zeros(1, 1, height, height))] == heights


def test_neighbourhoods_are_patches_with_standardised_channels():
    images = torch.rand(5, 3, 9, 9, generator=seeded(0)) * torch.tensor([1.0, 5.0, 0.1])[:, None, None]
    rows = describe(images, 4, seeded(1)).unflatten(1, (3, 7, 7))
    assert rows.shape[0] == 20
    torch.testing.assert_close(rows.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(rows.std((0, 2, 3), correction=0), torch.ones(3))
    generator = seeded(1)
    y, x = (torch.randint(3, (5, 4), generator=generator) for _ in range(2))
    patch = images[2, 1, y[2, 3] : y[2, 3] + 7, x[2, 3] : x[2, 3] + 7]
    assert np.corrcoef(patch.flatten(), rows[11, 1].flatten())[0, 1] == pytest.approx(1)


def test_score_grows_with_the_difference_of_images():
    real = torch.randn(60, 5, generator=seeded(0))
    values = [score_features(small, real, fakes)["swd_stub"] for fakes in (real.flip(0), real * 0.6, real * 0.1)]
    assert values[0] < values[1] < values[2]


def test_score_names_levels_and_references():
    def enlarged(split, chosen):
        return torch.zeros(len(chosen), 1, 32, 32, dtype=torch.uint8)

    real = {"train": torch.rand(20, 4), "test": torch.rand(9, 4)}
    scores = make_scores({"swd": small}, real, 12, Stub(4), real_images=enlarged)
    assert list(scores.info()) == [f"swd{level}_stub{end}" for level in ("", "_32", "_16") for end in ("", "_test")]
    for part in torch.arange(12).split(5):
        images = pictures(torch.rand(len(part), 4)).repeat(1, 1, 4, 4)
        scores.update_features(torch.rand(len(part), 4), None, None, part, images)
    values = scores.compute()
    assert values["swd_stub"] == pytest.approx((values["swd_32_stub"] + values["swd_16_stub"]) / 2)
    assert all(math.isfinite(value) and value > 0 for value in values.values())


def test_other_settings_than_the_options_are_in_the_protocol():
    def protocol(factory):
        return make_scores({"swd": factory}, torch.rand(9, 2), 9, Stub(2)).protocol()

    default, other = protocol(factory_of(SCORE_NODES["swd"], "swd")), protocol(small)
    assert "scores" not in default
    assert other["scores"] == {"swd": {"images": 50, "neighbourhoods": 8, "directions": 16}}
    assert other["id"] != default["id"]
