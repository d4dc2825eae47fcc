"""The training images that are nearest to generated images."""

import torch
from helpers.scores import CPU, Pixels

from ganexp.metrics.nearest import nearest_images
from ganexp.metrics.reference import load_reference
from ganexp.pixels import from_uint8


def test_nearest_of_a_training_image_is_itself(tmp_path):
    real = torch.randint(0, 256, (200, 1, 2, 2), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    reference = load_reference(Pixels(), [real], len(real), "real", tmp_path, CPU, kept=50)
    chosen = reference.selected[[3, 40]]
    nearest, distances = nearest_images(from_uint8(real[chosen]), Pixels(), reference)
    assert nearest.shape == (2, 9)
    assert nearest[:, 0].tolist() == chosen.tolist()
    distance = (real[chosen][:, None].float() - real[nearest].float()).flatten(2).norm(dim=2)
    assert torch.equal(distance, distance.sort(1).values)
    assert distances.shape == (2, 9)
    assert distances[:, 0].tolist() == [0, 0]
    assert torch.equal(distances, distances.sort(1).values)
