"""DiffAugment, compared with its definition: each change alone, first- and second-order gradients, and its use."""

import pytest
import torch
from helpers.bench import Bench

from ganexp.augment.diff_augment import DiffAugment, change_colours, cut_out, translate


def drawn(count, *shape):
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.double) * 2 - 1


def test_brightness_is_the_only_change_of_a_grey_image():
    shifts = change_colours(torch.zeros(4000, 3, 2, 2)).flatten(1)
    assert torch.allclose(shifts, shifts[:, :1].expand_as(shifts), atol=1e-6)
    assert -0.5 <= shifts.min() < -0.49 < 0.49 < shifts.max() <= 0.5


def test_saturation_and_contrast_scale_the_distances_to_means():
    images = drawn(4000, 3, 4, 4)
    changed = change_colours(images)
    grey, new_grey = images.mean(1, keepdim=True), changed.mean(1, keepdim=True)
    contrast = _slope(grey - grey.mean((2, 3), keepdim=True), new_grey - new_grey.mean((2, 3), keepdim=True))
    both = _slope(images - grey, changed - new_grey)
    assert 0.5 <= contrast.min() < 0.51 < 1.49 < contrast.max() <= 1.5
    saturation = both / contrast
    assert -1e-9 < saturation.min() < 0.01 < 1.99 < saturation.max() < 2 + 1e-9


def _slope(before, after):
    """Return the factor (N,) from `before` to `after`, and check that all values of an image have the same factor."""
    before, after = before.flatten(1), after.flatten(1)
    slope = (before * after).sum(1) / before.square().sum(1)
    assert torch.allclose(after, slope[:, None] * before, atol=1e-9)
    return slope


@pytest.mark.parametrize(("height", "width"), [(8, 8), (12, 20), (3, 32)])
def test_translation_shifts_by_an_eighth_at_most(height, width):
    images = drawn(300, 2, height, width)
    shifted = translate(images)
    most = [int(size / 8 + 0.5) for size in (height, width)]
    candidates = [(y, x) for y in range(-most[0], most[0] + 1) for x in range(-most[1], most[1] + 1)]
    found = torch.stack([shifted.eq(_shift(images, y, x)).flatten(1).all(1) for y, x in candidates])
    assert found.sum(0).eq(1).all()
    assert found.any(1).float().mean() > 0.8


def _shift(images, y, x):
    """Return images (N, C, H, W) whose pixel (i, j) is the pixel (i + y, j + x) of the given images, or zero."""
    result = torch.zeros_like(images)
    height, width = images.shape[2:]
    rows, columns = slice(max(0, -y), min(height, height - y)), slice(max(0, -x), min(width, width - x))
    result[:, :, rows, columns] = images.roll((-y, -x), (2, 3))[:, :, rows, columns]
    return result


@pytest.mark.parametrize("size", [8, 5])
def test_cutout_sets_a_square_to_zero(size):
    side = int(size / 2 + 0.5)
    zeros = cut_out(torch.ones(2000, 3, size, size)).eq(0)
    assert torch.equal(zeros, zeros[:, :1].expand_as(zeros))
    rows, columns = zeros[:, 0].any(2), zeros[:, 0].any(1)
    assert torch.equal(zeros[:, 0], rows[:, :, None] & columns[:, None, :])
    starts = range(-(side // 2), size + 1 - side % 2 - side // 2)
    spans = {tuple(start <= place < start + side for place in range(size)) for start in starts}
    assert {tuple(row) for row in rows.tolist()} == {tuple(row) for row in columns.tolist()} == spans


@pytest.mark.parametrize("change", [change_colours, translate, cut_out])
def test_gradients_of_both_orders_are_right(change):
    def seeded(images):
        torch.manual_seed(1)
        return change(images).pow(3)

    images = drawn(2, 2, 4, 4).requires_grad_()
    assert torch.autograd.gradcheck(seeded, images)
    assert torch.autograd.gradgradcheck(seeded, images)


def test_each_image_is_changed_on_its_own_and_the_policy_chooses():
    images = torch.ones(64, 3, 8, 8)
    assert len(DiffAugment(["color", "translation", "cutout"])(images).unique(dim=0)) > 60
    assert set(DiffAugment(["translation", "cutout"])(images).unique().tolist()) == {0.0, 1.0}
    with pytest.raises(ValueError, match="once"):
        DiffAugment(["color", "color"])


def test_both_networks_and_the_penalty_see_changed_images():
    bench = Bench("augment=diff_augment", "loss=wgan_gp")
    seen = []
    bench.gan.discriminator.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].eq(0).any().item()))
    bench.step()
    assert len(seen) > 2
    assert all(seen)  # a square of each image is set to zero
