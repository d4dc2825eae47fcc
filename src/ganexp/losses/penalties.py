"""Penalties on the discriminator's gradient with respect to its input.

A penalty is called as `penalty(discriminator, real, fake, labels)` with images (N, C, H, W) and labels (N,) or None,
and returns a scalar, weight included. All of them run in fp32, outside autocast, where a second-order gradient is exact
enough; all need a discriminator without batch statistics, since the gradient is meant per sample.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Discriminator = Callable[[Tensor, Tensor | None], Tensor]


class GradientPenalty:
    """weight · E[(‖∇D(x̂)‖₂ - center)²] at x̂ = ε·real + (1 - ε)·fake. Gulrajani et al. 2017, equation 3.

    `center=0` is the zero-centred penalty of Thanh-Tung et al. 2019.
    `epsilon="per_sample"` draws one ε ~ U(0,1) an image, as in the paper, so that x̂ lies on the line between the two;
    `"per_element"` draws one a pixel, a common slip that fills the box between them instead.
    """

    def __init__(self, weight: float, center: float = 1.0, epsilon: str = "per_sample") -> None:
        check_epsilon(epsilon)
        self.weight, self.center, self.epsilon = weight, center, epsilon

    def __call__(self, discriminator: Discriminator, real: Tensor, fake: Tensor, labels: Tensor | None) -> Tensor:
        with torch.autocast(real.device.type, enabled=False):
            mixed = interpolate(full(real), full(fake), self.epsilon).requires_grad_()
            squares = squared_gradient_norm(discriminator(mixed, labels), mixed)
            if self.center == 0:
                return self.weight * squares.mean()
            return self.weight * (squares.sqrt() - self.center).square().mean()


class R1:
    """gamma/2 · E[‖∇D(x)‖²] at real images. Mescheder et al. 2018, equation 9."""

    def __init__(self, gamma: float) -> None:
        self.gamma = gamma

    def __call__(self, discriminator: Discriminator, real: Tensor, fake: Tensor, labels: Tensor | None) -> Tensor:
        with torch.autocast(real.device.type, enabled=False):
            at = full(real).detach().requires_grad_()
            return 0.5 * self.gamma * squared_gradient_norm(discriminator(at, labels), at).mean()


def full(images: Tensor) -> Tensor:
    """`images` in fp32, if they are in half precision."""
    return images.float() if images.dtype in (torch.float16, torch.bfloat16) else images


def check_epsilon(epsilon: str) -> None:
    if epsilon not in ("per_sample", "per_element"):
        raise ValueError(f"epsilon={epsilon}: use per_sample or per_element")


def interpolate(real: Tensor, fake: Tensor, epsilon: str) -> Tensor:
    """ε·real + (1 - ε)·fake, shapes (N, C, H, W), with one ε ~ U(0,1) `per_sample` or `per_element`."""
    shape = real.shape if epsilon == "per_element" else (len(real), 1, 1, 1)
    return torch.lerp(fake, real, torch.rand(shape, device=real.device, dtype=real.dtype))


def squared_gradient_norm(output: Tensor, images: Tensor) -> Tensor:
    """‖∇D(x)‖² a sample (N,), differentiable, of `output` (N,) at `images`; D must treat each sample by itself."""
    (gradient,) = torch.autograd.grad(output.sum(), images, create_graph=True)
    return gradient.flatten(1).square().sum(1).clamp_min(1e-24)  # (N, C, H, W) -> (N,); the root stays differentiable
