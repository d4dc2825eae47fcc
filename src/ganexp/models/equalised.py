"""Layers with an equalised learning rate. Source: Karras et al. 2018, section 4.1.

The weights are drawn from N(0, 1). In every forward pass, they are multiplied by √(2 / inputs), the factor of He et al.
2015. The outputs then have the same scale as with He's initialisation. In contrast to He's initialisation, the weights
of all layers have the same scale, too. Therefore an optimizer such as Adam, which ignores the scale of the gradient,
changes the weights of all layers at the same relative speed.
"""

from torch import Tensor, nn
from torch.nn.functional import linear

from ganexp.models.layers import zero_bias
from ganexp.models.upsampling import nearest_conv2d


class EqualisedConv2d(nn.Conv2d):
    """Convolve feature maps (N, C, H, W) with weights that are multiplied by √(2 / (C·k·k)), for a kernel k x k.

    Biases start at 0 and are not multiplied.

    Source: Karras et al. 2018, section 4.1. Use it with Adam, so that all layers learn at the same speed.

    Args:
        inputs: number of input channels C.
        outputs: number of output channels.
        kernel: height and width of the kernel.
        padding: number of zeros that are added on each side.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, padding: int = 0) -> None:
        super().__init__(inputs, outputs, kernel, padding=padding)
        self.scale = draw_unit_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of x (N, C, H, W)."""
        return self._conv_forward(x, self.scale * self.weight, self.bias)


class EqualisedNearestConv2d(EqualisedConv2d):
    """Replace each pixel by 2x2 copies, then apply `EqualisedConv2d` with an odd kernel.

    Use it in generators of progressive GAN.

    Args:
        inputs: number of input channels.
        outputs: number of output channels.
        kernel: height and width of the kernel.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return a feature map (N, outputs, 2s, 2s) for x (N, inputs, s, s)."""
        return nearest_conv2d(x, self.scale * self.weight, self.bias)


class EqualisedLinear(nn.Linear):
    """Apply a linear layer to features (N, F) with weights that are multiplied by √(2 / F).

    Biases start at 0 and are not multiplied.

    Source: Karras et al. 2018, section 4.1. Use it with Adam, so that all layers learn at the same speed.

    Args:
        inputs: number of input features F.
        outputs: number of output features.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        self.scale = draw_unit_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's outputs (N, outputs) for x (N, F)."""
        return linear(x, self.scale * self.weight, self.bias)


def draw_unit_weights(layer: nn.Conv2d | nn.Linear) -> float:
    """Draw the weights of `layer` from N(0, 1), set its bias to 0, and return the factor √(2 / n).

    Here, n is the number of inputs of each output.
    """
    nn.init.normal_(layer.weight)
    zero_bias(layer)
    return (2 / layer.weight[0].numel()) ** 0.5
