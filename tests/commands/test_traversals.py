"""The picture that shows how single components of a latent change an image."""

from types import SimpleNamespace

import torch
from torch import nn

from ganexp.commands.traversals import traversal_picture
from ganexp.models.latent import Latent


class Levels(nn.Module):
    """A generator of uniform images: every pixel of an image is z[1] / 2 + z[2] / 20."""

    def forward(self, z, labels=None):
        level = z[:, 1] / 2 + z[:, 2] / 20
        return level[:, None, None, None].expand(-1, 1, 48, 48)


def test_component_with_the_largest_effect_comes_first():
    gan = SimpleNamespace(
        latent=Latent(200, "normal"),
        num_classes=0,
        pixel_range="symmetric",
        averaged_generator=None,
        device=torch.device("cpu"),
        sampling_generator=Levels(),
    )
    picture = traversal_picture(gan, 0, rows=2, columns=3)
    first, second = picture[0, 16 + 25, -125::50].tolist(), picture[0, 16 + 75, -125::50].tolist()
    assert first[2] - first[0] > 200
    assert 0 < second[2] - second[0] < 50
