"""Denoising feature matching (Warde-Farley and Bengio 2017)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from ganexp.losses.adversarial import Terms
from ganexp.losses.objective import Batch, Networks
from ganexp.losses.penalties import to_float32
from ganexp.types import NonNegativeFloat


class FeatureDenoising:
    """Train a denoiser on features of real images, and penalise its changes to features of generated images.

    Let φ be the discriminator's features, and r the network `denoiser`. The denoiser minimises the mean of
    (r(φ(x) + noise) - φ(x))². The generator's term is weight times the mean of (φ(G(z)) - r(φ(G(z))))², where
    r(φ(G(z))) is computed in evaluation mode and has no gradient. The features are trained only by the discriminator's
    own loss. The weight multiplies a mean over features; the paper multiplies a sum, and divides the weight by the
    number of features, which gives the same term.

    Source: Warde-Farley and Bengio 2017, section 3. Use it when the samples of a generator with only an
    adversarial loss show no clear objects.

    Args:
        weight: Weight of the term in the generator's loss.
        noise: Standard deviation of the Gaussian noise.

    Example:
        >>> class Halve(nn.Module):  # as features and as denoiser
        ...     def forward(self, features):
        ...         return features / 2
        ...     features = forward
        >>> networks = {"discriminator": Halve(), "denoiser": Halve()}
        >>> images = torch.full((2, 4), 4.0)  # features 2, which become 1: (2 - 1)²
        >>> FeatureDenoising(weight=0.5, noise=0.0).generator(networks, Batch(images, None, images))
        {'denoising': tensor(0.5000)}
    """

    networks = ("denoiser",)
    needs_labels = False
    needs_features = True

    def __init__(self, weight: NonNegativeFloat, noise: NonNegativeFloat = 1.0) -> None:
        self.weight, self.noise = weight, noise

    def denoiser(self, networks: Networks, batch: Batch) -> Terms:
        """Return the term of the denoiser: the mean squared error on real features with noise."""
        with torch.no_grad():
            features = _features(networks, batch.real)
        noisy = features + self.noise * torch.randn_like(features)
        return {"denoising": mse_loss(to_float32(networks["denoiser"](noisy)), features)}

    def generator(self, networks: Networks, batch: Batch) -> Terms:
        """Return the term of the generator: weight times the mean square of the denoiser's change to the features."""
        features = _features(networks, batch.generated())
        with torch.no_grad(), _evaluation_mode(networks["denoiser"]) as denoiser:
            target: Tensor = to_float32(denoiser(features))
        return {"denoising": self.weight * mse_loss(features, target)}


def _features(networks: Networks, images: Tensor) -> Tensor:
    """Return the discriminator's features (N, F) of images, in float32."""
    features: Callable[[Tensor], Tensor] = getattr(networks["discriminator"], "features")  # noqa: B009 (for mypy)
    return to_float32(features(images))


@contextmanager
def _evaluation_mode(network: nn.Module) -> Iterator[nn.Module]:
    """Put `network` into evaluation mode, in which batch norm uses its running statistics and does not update them."""
    was_training = network.training
    network.eval()
    try:
        yield network
    finally:
        network.train(was_training)
