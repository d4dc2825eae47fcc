"""A generator and a discriminator of one linear layer each."""

from torch import nn


class Generator(nn.Module):
    """Map latents to images in [-1, 1]."""

    def __init__(self, latent_dim: int, resolution: int, channels: int):
        super().__init__()
        self.shape = (channels, resolution, resolution)
        self.one_layer = nn.Linear(latent_dim, channels * resolution**2)

    def forward(self, z, labels=None):
        return self.one_layer(z).tanh().unflatten(1, self.shape)


class Discriminator(nn.Module):
    """Map images to logits."""

    def __init__(self, resolution: int, channels: int):
        super().__init__()
        self.one_layer = nn.Linear(channels * resolution**2, 1)

    def forward(self, images, labels=None):
        return self.one_layer(images.flatten(1)).squeeze(1)
