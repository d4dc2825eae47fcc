"""Penalties on the discriminator's gradient with respect to its input. They are added to the discriminator's loss.

A penalty is called as `penalty(discriminator, real, real_labels, fake, fake_labels)`, with images (N, C, H, W) and
labels (N,) or None, and returns a scalar that includes the weight. A penalty for a critic with vector outputs (N, k)
sets the class attribute `takes_vectors`; all other penalties need outputs (N,). If a penalty has the attribute
`needs_logits = True`, these outputs must be logits. A penalty that uses only real or only generated images sets
`needs_equal_labels = False`; all other penalties need real and generated images with the same labels.

A penalty that needs no gradient sets `needs_gradient = False`. The update of D computes outputs on real and generated
images. A penalty that uses these outputs has the method `of_outputs(discriminator, real, fake)` instead of `__call__`.
The arguments `real` and `fake` of this method have the type `Seen`, and its argument `discriminator` does not augment
images. An example is `Drift`.

A penalty on a gradient is computed in float32 outside of autocast, so that the second-order gradient is accurate
enough. The gradient of a sample must not depend on the other samples, so the discriminator must not use batch
statistics.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from ganexp.autocast import without_autocast
from ganexp.types import NonNegativeFloat

Discriminator = Callable[[Tensor, Tensor | None], Tensor]
Epsilon = Literal["per_sample", "per_element"]
Perturbation = Literal["normal", "one_sided"]


class Seen(NamedTuple):
    """Images that the discriminator has seen in its update, and its outputs on these images.

    Attributes:
        images: the images (N, C, H, W), after the augmentations.
        labels: the labels (N,), or None.
        output: the discriminator's outputs on `images`, (N,) or (N, k), with their autograd graph.
    """

    images: Tensor
    labels: Tensor | None
    output: Tensor


class GradientPenalty:
    """weight · E[(‖∇D(x̂)‖₂ - center)²] at x̂ = ε·real + (1 - ε)·fake (Gulrajani et al. 2017, equation 3).

    The labels at x̂ are those of the real images.

    Use it with center=1 for a Wasserstein loss, and with center=0 (Thanh-Tung et al. 2019) for another loss when D
    memorises its training images. D must not have batch norm.

    Args:
        weight: Factor of the penalty.
        center: The target of the gradient's norm; 0 is the zero-centred penalty of Thanh-Tung et al. 2019.
        epsilon: `per_sample` draws one ε ~ U(0, 1) for each image, as in Gulrajani et al. 2017, so that x̂ lies on the
            line between the two images. `per_element` draws one ε for each pixel and channel, which is a common
            mistake; x̂ can then be any point of the box between the two images.

    Example:
        >>> def discriminator(images, labels):
        ...     return 3 * images.sum((1, 2, 3))
        >>> real, fake = torch.ones(2, 1, 1, 1), torch.zeros(2, 1, 1, 1)
        >>> GradientPenalty(weight=10.0)(discriminator, real, None, fake, None).item()  # 10·(3 - 1)²
        40.0
    """

    def __init__(
        self, weight: NonNegativeFloat, center: NonNegativeFloat = 1.0, epsilon: Epsilon = "per_sample"
    ) -> None:
        self.weight, self.center, self.epsilon = weight, center, epsilon

    def __call__(
        self,
        discriminator: Discriminator,
        real: Tensor,
        real_labels: Tensor | None,
        fake: Tensor,
        fake_labels: Tensor | None,
    ) -> Tensor:
        """Return the penalty, a scalar."""
        with without_autocast(real.device):
            mixed = differentiable(interpolate(to_float32(real), to_float32(fake), self.epsilon))
            squares = squared_gradient_norm(discriminator(mixed, real_labels), mixed)
            if self.center == 0:
                return self.weight * squares.mean()
            return self.weight * (squares.sqrt() - self.center).square().mean()


class Dragan:
    """weight · E[(‖∇D(x + δ)‖₂ - 1)²] at perturbed real images (Kodali et al. 2017), with D the logit.

    Use it when training becomes unstable or collapses, with a loss that takes logits. D must not have batch norm.

    Args:
        weight: Factor of the penalty.
        scale: Size of the perturbation, in standard deviations of the pixels.
        perturbation: `normal` draws δ ~ N(0, (scale·σ)²) for each element, as in Kodali et al. 2017; σ is the standard
            deviation of all elements of the batch. `one_sided` draws δ = scale·s·U(0, 1), as in chainer-gan-lib, so
            that images are only made brighter; for each pixel and channel, s is the standard deviation over the batch.

    Example:
        >>> def discriminator(images, labels):
        ...     return 3 * images.sum((1, 2, 3))
        >>> real = torch.ones(2, 1, 1, 1)
        >>> Dragan(weight=10.0, scale=0.5)(discriminator, real, None, real, None).item()  # 10·(3 - 1)²
        40.0
    """

    needs_equal_labels = False

    def __init__(
        self, weight: NonNegativeFloat, scale: NonNegativeFloat, perturbation: Perturbation = "normal"
    ) -> None:
        self.weight, self.scale, self.perturbation = weight, scale, perturbation

    def __call__(
        self,
        discriminator: Discriminator,
        real: Tensor,
        real_labels: Tensor | None,
        fake: Tensor,
        fake_labels: Tensor | None,
    ) -> Tensor:
        """Return the penalty, a scalar; generated images are not used."""
        with without_autocast(real.device):
            images = differentiable(self.perturb(to_float32(real)))
            squares = squared_gradient_norm(discriminator(images, real_labels), images)
            return self.weight * (squares.sqrt() - 1).square().mean()

    def perturb(self, images: Tensor) -> Tensor:
        """Return images (N, C, H, W) with δ added."""
        if self.perturbation == "one_sided":
            return images + self.scale * images.std(0, correction=0) * torch.rand_like(images)
        return images + self.scale * images.std(correction=0) * torch.randn_like(images)


class R1:
    """gamma/2 · E[‖∇D(x)‖²] at real images (Mescheder et al. 2018, equation 9).

    Use it when training oscillates or D memorises training images, with a loss that takes logits. D must not have batch
    norm.

    Args:
        gamma: Twice the factor of the penalty.

    Example:
        >>> def discriminator(images, labels):
        ...     return 3 * images.sum((1, 2, 3))
        >>> real = torch.ones(2, 1, 1, 1)
        >>> R1(gamma=10.0)(discriminator, real, None, real, None).item()  # 10/2·3²
        45.0
    """

    needs_equal_labels = False

    def __init__(self, gamma: NonNegativeFloat) -> None:
        self.gamma = gamma

    def __call__(
        self,
        discriminator: Discriminator,
        real: Tensor,
        real_labels: Tensor | None,
        fake: Tensor,
        fake_labels: Tensor | None,
    ) -> Tensor:
        """Return the penalty, a scalar; generated images are not used."""
        with without_autocast(real.device):
            images = differentiable(to_float32(real))
            squares = squared_gradient_norm(discriminator(images, real_labels), images)
            return 0.5 * self.gamma * squares.mean()


class R2:
    """gamma/2 · E[‖∇D(x)‖²] at generated images (Mescheder et al. 2018, equation 10).

    Use it together with `R1`, as the option loss=relativistic does (Huang et al. 2024), or if D's gradient at generated
    images grows during training. D must not have batch norm.

    Args:
        gamma: Twice the factor of the penalty.

    Example:
        >>> def discriminator(images, labels):
        ...     return 3 * images.sum((1, 2, 3))
        >>> fake = torch.ones(2, 1, 1, 1)
        >>> R2(gamma=10.0)(discriminator, fake, None, fake, None).item()  # 10/2·3²
        45.0
    """

    needs_equal_labels = False

    def __init__(self, gamma: NonNegativeFloat) -> None:
        self.gamma = gamma

    def __call__(
        self,
        discriminator: Discriminator,
        real: Tensor,
        real_labels: Tensor | None,
        fake: Tensor,
        fake_labels: Tensor | None,
    ) -> Tensor:
        """Return the penalty, a scalar; real images are not used."""
        return R1(self.gamma)(discriminator, fake, fake_labels, real, real_labels)


def to_float32(tensor: Tensor) -> Tensor:
    """Return a tensor in half precision as float32, and any other tensor unchanged."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def differentiable(images: Tensor) -> Tensor:
    """Return images with respect to which a gradient can be taken.

    If `images` require a gradient, they are returned unchanged, because some releases of torch cannot call
    `requires_grad_` within a compiled function. Otherwise the result is a detached tensor with the same pixels.
    """
    return images if images.requires_grad else images.detach().requires_grad_()


def interpolate(real: Tensor, fake: Tensor, epsilon: Epsilon) -> Tensor:
    """Return ε·real + (1 - ε)·fake for images (N, C, H, W), with ε ~ U(0, 1) drawn for each sample or each element."""
    shape = real.shape if epsilon == "per_element" else (len(real), 1, 1, 1)
    return torch.lerp(fake, real, torch.rand(shape, device=real.device, dtype=real.dtype))


def squared_gradient_norm(output: Tensor, images: Tensor) -> Tensor:
    """Return ‖∇D(x)‖² for each sample (N,), as a differentiable tensor.

    Args:
        output: D's output (N,) at `images`; the output of a sample must depend on its own image only.
        images: Images (N, C, H, W) that require a gradient.

    Example:
        >>> images = torch.tensor([1.0, 2.0]).reshape(2, 1, 1, 1).requires_grad_()
        >>> squared_gradient_norm(images.square().sum((1, 2, 3)), images).tolist()  # (2x)²
        [4.0, 16.0]
    """
    (gradient,) = torch.autograd.grad(output.sum(), images, create_graph=True)
    squares = gradient.flatten(1).square().sum(1)  # (N, C, H, W) -> (N,)
    return squares.clamp_min(1e-24)  # so that the square root is differentiable at 0
