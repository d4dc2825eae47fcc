"""Show how single components of a latent change an image."""

import torch
from torch import Tensor

from ganexp.plots.grids import image_grid
from ganexp.sampling import FixedLatents, SampledGAN, generate

BATCH = 100
EXTENT = {"normal": 2.0, "uniform": 1.0}  # for each distribution, components go from -extent to extent


def traversal_picture(gan: SampledGAN, seed: int, rows: int, columns: int, label: int | None = None) -> Tensor:
    """Return a picture, uint8 (3, H, W), in which each row changes one component of the same latent.

    The chosen components change the image most, as measured by the mean squared difference between the image for the
    smallest value of a component and the image for its largest value. Values go from -2 to 2, or from -1 to 1 if the
    latents are uniform. The other components of the latent stay the same.

    Args:
        gan: the GAN to sample from.
        seed: seed of the latent.
        rows: number of components to show; if the latent has fewer components, all are shown.
        columns: number of values that a component takes.
        label: the class of the images; None shows the first class of a conditional GAN.
    """
    latent = FixedLatents(gan.latent, seed)[torch.tensor([0])][0]
    values = torch.linspace(-1, 1, columns) * EXTENT[gan.latent.distribution]
    chosen = _effects(gan, latent, values[[0, -1]], label).topk(min(rows, gan.latent.dim)).indices
    images = _traverse(gan, latent, chosen, values, label)
    names = [f"component {component}" for component in chosen.tolist()]
    return image_grid(images, columns, names, [f"{round(value, 2) + 0.0:g}" for value in values.tolist()])


def _effects(gan: SampledGAN, latent: Tensor, ends: Tensor, label: int | None) -> Tensor:
    """Return the mean squared difference between the images for the two values `ends` of each component, (d,)."""
    effects = []
    for components in torch.arange(gan.latent.dim).split(BATCH // 2):
        images = _traverse(gan, latent, components, ends, label).unflatten(0, (-1, 2))  # (components, 2, C, H, W)
        effects.append((images[:, 0] - images[:, 1]).square().flatten(1).mean(1))
    return torch.cat(effects)


def _traverse(gan: SampledGAN, latent: Tensor, components: Tensor, values: Tensor, label: int | None) -> Tensor:
    """Return images (components · values, C, H, W) on the CPU, one for each value of each component."""
    z = latent.repeat(len(components), len(values), 1)
    z.scatter_(2, components[:, None, None].expand(-1, len(values), 1), values.repeat(len(components), 1)[..., None])
    z = z.flatten(0, 1)
    labels = torch.full((len(z),), label or 0) if gan.num_classes else None
    return generate(gan, z, labels).cpu()
