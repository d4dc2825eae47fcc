"""The penalty of consistency regularisation equals its formula, and shifts and mirrors images as expected."""

import pytest
import torch

from ganexp.augment.diff_augment import DiffAugment
from ganexp.augment.instance_noise import InstanceNoise
from ganexp.losses import Hinge
from ganexp.losses.consistency import Consistency, shift_and_mirror
from ganexp.losses.objective import Batch, Objective
from ganexp.losses.penalties import Seen


def counting_images(count, height, width):
    """Return equal images (count, 1, H, W) whose pixels have the values 0, 1, 2, … from the top left."""
    return torch.arange(float(height * width)).reshape(1, 1, height, width).repeat(count, 1, 1, 1)


def reflected(place, size):
    """Return a position inside the image as it is, and reflect a position outside of the image at the border."""
    return -place if place < 0 else 2 * (size - 1) - place if place >= size else place


def expected_changes(image, most_rows, most_columns, flips):
    """Return every image that shifts and mirroring can make of an image (H, W)."""
    height, width = image.shape
    changes = {}
    for down in range(-most_rows, most_rows + 1):
        for right in range(-most_columns, most_columns + 1):
            rows = [reflected(row + down, height) for row in range(height)]
            columns = [reflected(column + right, width) for column in range(width)]
            shifted = image[rows][:, columns]
            for is_mirrored in flips:
                changes[down, right, is_mirrored] = shifted.flip(1) if is_mirrored else shifted
    return changes


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(("height", "width", "most"), [(8, 16, (1, 2)), (3, 12, (0, 2))])
def test_images_are_shifted_reflected_and_mirrored(height, width, most, flip):
    torch.manual_seed(0)
    images = counting_images(600, height, width)
    changes = expected_changes(images[0, 0], *most, (False, True) if flip else (False,))
    seen = set()
    for result in shift_and_mirror(images, flip):
        found = [change for change, expected in changes.items() if torch.equal(result[0], expected)]
        assert len(found) == 1
        seen.update(found)
    assert seen == set(changes)


def test_image_of_one_pixel_stays_as_it_is():
    images = torch.randn(4, 3, 1, 1)
    assert torch.equal(shift_and_mirror(images, flip=True), images)


@pytest.mark.parametrize(("weight", "fake_weight"), [(10.0, 0.0), (0.0, 5.0), (10.0, 5.0), (0.0, 0.0)])
def test_penalty_is_the_mean_square_of_the_changes_in_output(weight, fake_weight):
    torch.manual_seed(0)
    factors = torch.randn(1, 8, 8, dtype=torch.double, requires_grad=True)
    labels = torch.arange(6.0, dtype=torch.double)
    outputs = []

    def discriminator(images, given):
        outputs.append((images * factors).sum((1, 2, 3)) * (1 + given))
        return outputs[-1]

    real, fake = torch.randn(2, 6, 1, 8, 8, dtype=torch.double)
    seen = [Seen(images, given, discriminator(images, given)) for images, given in ((real, labels), (fake, labels + 1))]
    before = list(outputs)
    outputs.clear()
    value = Consistency(weight, fake_weight, flip=False).of_outputs(discriminator, *seen)
    assert len(outputs) == (weight > 0) + (fake_weight > 0)  # only the changed images need a pass of D
    after = iter(outputs)
    expected = torch.zeros(())
    for factor, d in zip((weight, fake_weight), before, strict=True):
        if factor:
            expected = expected + factor * sum((b - a) ** 2 for b, a in zip(d, next(after), strict=True)) / 6
    assert value.item() == pytest.approx(expected.item(), rel=1e-12)
    if weight or fake_weight:
        assert value.item() > 0
        gradient, wanted = (torch.autograd.grad(each, factors, retain_graph=True)[0] for each in (value, expected))
        assert torch.allclose(gradient, wanted, rtol=1e-9)


@pytest.mark.parametrize("joint_batch", [False, True])
@pytest.mark.parametrize("augmentation", [InstanceNoise(std=1.0), DiffAugment(["color", "cutout"])])
def test_augmentation_is_not_a_change_that_is_penalised(augmentation, joint_batch, monkeypatch):
    """Without shifts, D sees the same augmented image twice, so the penalty is 0."""
    torch.manual_seed(0)
    factors, calls = torch.randn(1, 8, 8), []

    def discriminator(images, labels):
        calls.append(images)
        return (images * factors).sum((1, 2, 3))

    penalty = Consistency(10.0, 10.0, flip=False)
    objective = Objective(Hinge(), {"bcr": penalty}, augmentations=[augmentation], joint_batch=joint_batch)
    batch = Batch(torch.randn(6, 1, 8, 8), None, torch.randn(6, 1, 8, 8))
    with monkeypatch.context() as patch:
        patch.setattr("ganexp.losses.consistency.shift_and_mirror", lambda images, flip: images)
        assert objective.terms("discriminator", {"discriminator": discriminator}, batch)["bcr"].item() == 0
    assert sum(map(len, calls)) == 24  # D sees 12 images in the loss, and the same 12 images in the penalty
    assert objective.terms("discriminator", {"discriminator": discriminator}, batch)["bcr"].item() > 0
