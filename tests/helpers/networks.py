"""Reference layers that consist of plain torch functions, and functions to compare networks with these layers."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganexp.commands.estimation.flops import FlopCounter

CLASSES = 3
LABELS = torch.tensor([2, 0, 1, 2])
CODES = F.one_hot(LABELS, CLASSES).double()
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
WEIGHTED = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


def count_parameters(network: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def randomise(network: nn.Module, training: bool = False) -> nn.Module:
    """Return `network` in double precision with random parameters and statistics, so that no two tensors are equal."""
    torch.manual_seed(0)
    network.double().train(training)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, (2 / parameter[0].numel()) ** 0.5 if parameter.ndim else 1)
        for layer in layers_of(network, *BATCH_NORMS):
            if layer.running_mean is not None:
                layer.running_mean.normal_(0, 0.3)
                layer.running_var.uniform_(0.5, 1.5)
    return network


def draw_weights(network: nn.Module) -> nn.Module:
    """Return `network` with random weights of such a size that its outputs depend on its inputs.

    With torch's own initial weights, the signal fades in a deep network, and all inputs have nearly the same output.
    """
    for layer in layers_of(network, *WEIGHTED):
        nn.init.kaiming_normal_(layer.weight)
    return network


def layers_of(network: nn.Module, *kinds: type[nn.Module]) -> list[nn.Module]:
    """Return the layers of these kinds, in order of construction."""
    return [layer for layer in network.modules() if isinstance(layer, kinds)]


def noise(*shape: int) -> Tensor:
    """Return Gaussian noise (4, *shape) in double precision: one entry per label of `LABELS`."""
    return torch.randn(len(LABELS), *shape, dtype=torch.double)


def labels_or_none(classes: int) -> Tensor | None:
    """Return `LABELS` if there are classes, and otherwise None."""
    return LABELS if classes else None


Reference = Callable[[Tensor, nn.Module], Tensor]  # computes what a layer should return for an input


def assert_equal_gradients(layer: nn.Module, reference: Reference) -> None:
    """Check that first-order and second-order gradients of a layer with 3 input channels are those of the reference."""
    for memory_format in (torch.contiguous_format, torch.channels_last):
        layer = randomise(layer).to(memory_format=memory_format)
        x = noise(3, 6, 4).to(memory_format=memory_format).requires_grad_()
        ours, theirs = (_gradients(y, (x, *layer.parameters())) for y in (layer(x), reference(x, layer)))
        for gradient, expected in zip(ours, theirs, strict=True):
            assert_agrees(gradient, expected)


def _gradients(y: Tensor, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    """Return the gradients of Σy³, and of the squared norm of the first of these gradients."""
    first = torch.autograd.grad(y.pow(3).sum(), inputs, create_graph=True)
    return [*first, *torch.autograd.grad(first[0].square().sum(), inputs)]


def share_of_operations(layer: nn.Module, reference: Reference) -> float:
    """Return the floating-point operations of a layer with 3 input channels, as a share of the reference's."""
    flops = []
    for function in (layer, lambda x: reference(x, layer)):
        with FlopCounter() as counter:
            function(noise(3, 6, 4).float())
        flops.append(counter.flops)
    return flops[0] / flops[1]


def assert_agrees(output: Tensor, expected: Tensor) -> None:
    """Check that both tensors are equal up to rounding, and that `expected` is not nearly constant."""
    assert output.shape == expected.shape
    assert expected.std() > 0.05
    assert torch.allclose(output, expected, rtol=1e-8, atol=1e-10)


def assert_equal_features(features: Tensor, expected: Tensor, tolerance: float = 1e-4) -> None:
    """Check that the features (N, F) of N different images are equal up to `tolerance`.

    The largest error is compared with the largest difference between the images, so the test fails if the features do
    not depend on the images.
    """
    assert features.shape == expected.shape
    assert (features - expected).abs().max() < tolerance * (expected - expected.mean(0)).abs().max()


def conv(x: Tensor, layer: nn.Module, **arguments) -> Tensor:
    """Return the convolution of x (N, C, H, W) with the layer's weight and bias."""
    return F.conv2d(x, layer.weight, layer.bias, **arguments)


def conv_transpose(x: Tensor, layer: nn.Module, **arguments) -> Tensor:
    """Return the transposed convolution of x (N, C, H, W) with the layer's weight and bias."""
    return F.conv_transpose2d(x, layer.weight, layer.bias, **arguments)


def linear(x: Tensor, layer: nn.Module) -> Tensor:
    """Return x (N, F) times the layer's weight, plus the layer's bias."""
    return F.linear(x, layer.weight, layer.bias)


def batch_norm(x: Tensor, layer: nn.Module, eps: float, training: bool) -> Tensor:
    """Return x normalised by the batch statistics in training, and otherwise by the running statistics."""
    statistics = (None, None) if training else (layer.running_mean, layer.running_var)
    return F.batch_norm(x, *statistics, layer.weight, layer.bias, training, eps=eps)


def conditional_norm(x: Tensor, layer: nn.Module, training: bool) -> Tensor:
    """Return x after conditional batch norm with `LABELS` and eps 1e-4.

    If `layer` has no classes, return x after batch norm with eps 1e-5.
    """
    if layer.scale is None:
        return batch_norm(x, layer.norm, 1e-5, training)
    assert layer.norm.weight is None
    scale, offset = 1 + CODES @ layer.scale.weight, CODES @ layer.offset.weight
    return batch_norm(x, layer.norm, 1e-4, training) * scale[..., None, None] + offset[..., None, None]


def project_labels(features: Tensor, embedding: Tensor) -> Tensor:
    """Return the label term (N,) of a projection head for `LABELS`, from features (N, F) and embedding (CLASSES, F)."""
    return ((CODES @ embedding) * features).sum(1)
