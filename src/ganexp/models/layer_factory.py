"""Create all layers of a network with the same kind of spectral norm and the same initialisation."""

from typing import Literal, TypeVar

from torch import nn

from ganexp.models.spectral import SpectralNorm, apply_spectral_norm

WeightInit = Literal["xavier", "default"]
Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


class LayerFactory:
    """Create convolutions and linear layers.

    Args:
        spectral_norm: kind of spectral norm of every layer; see `spectral.apply_spectral_norm`.
        init: `xavier` draws weights uniformly with variance 2·gain²/(inputs + outputs) and sets biases to 0.
            `default` draws weights and biases from U(-1/√inputs, 1/√inputs), as torch does, but sets biases to 0 if the
            layer has spectral norm.
    """

    def __init__(self, spectral_norm: SpectralNorm, init: WeightInit) -> None:
        self.spectral_norm = spectral_norm
        self.init = init

    def conv(self, inputs: int, outputs: int, kernel: int, gain: float = 1.0) -> nn.Conv2d:
        """Return a convolution with an odd `kernel`: (N, inputs, H, W) -> (N, outputs, H, W)."""
        return self.prepare(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), gain)

    def linear(self, inputs: int, outputs: int) -> nn.Linear:
        """Return a linear layer: (N, inputs) -> (N, outputs)."""
        return self.prepare(nn.Linear(inputs, outputs))

    def prepare(self, layer: Layer, gain: float = 1.0) -> Layer:
        """Initialise `layer`, apply spectral norm, and return the layer.

        Only the initialisation xavier uses `gain`. It should be √2 for the 3x3 convolutions of residual branches, and 1
        for all other layers.
        """
        if self.init == "xavier":
            nn.init.xavier_uniform_(layer.weight, gain)
        if layer.bias is not None and (self.init == "xavier" or self.spectral_norm != "none"):
            nn.init.zeros_(layer.bias)
        return apply_spectral_norm(layer, self.spectral_norm)
