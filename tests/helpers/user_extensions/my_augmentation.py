"""A random change of brightness; the number of calls is saved with the networks."""

import torch
from torch import nn


class Brightness(nn.Module):
    """Add a random number to each image."""

    def __init__(self, strength: float):
        super().__init__()
        self.strength = strength
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, images):
        self.calls += 1
        return images + self.strength * (torch.rand(len(images), 1, 1, 1, device=images.device) - 0.5)
