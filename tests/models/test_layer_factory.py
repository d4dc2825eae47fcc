"""The initial weights of the layers that the layer factory makes."""

import pytest
import torch
from torch import nn

from ganexp.models import resnet


@pytest.mark.parametrize("spectral_norm", ["none", "persistent"])
def test_xavier_weights(spectral_norm):
    """The variance is 2·gain²/(inputs + outputs), with gain √2 in residual branches and 1 elsewhere; biases are 0."""
    torch.manual_seed(0)
    generator = resnet.Generator(64, 16, 3, [64, 64, 64], spectral_norm=spectral_norm, init="xavier")
    discriminator = resnet.Discriminator(16, 3, [64, 64, 64], 2, 50, spectral_norm=spectral_norm, init="xavier")
    for name, layer in [*generator.named_modules(), *discriminator.named_modules()]:
        if not isinstance(layer, (nn.Conv2d, nn.Linear)):
            continue
        weight = layer.weight if spectral_norm == "none" else layer.parametrizations.weight.original
        area = weight[0, 0].numel()
        gain = 2**0.5 if name.endswith(("conv1", "conv2")) else 1
        limit = gain * (6 / (area * (weight.shape[0] + weight.shape[1]))) ** 0.5
        assert weight.abs().max() <= limit
        if weight.numel() > 1000:
            assert weight.std().item() == pytest.approx(limit / 3**0.5, rel=0.05), name
        assert layer.bias is None or not layer.bias.any(), name
