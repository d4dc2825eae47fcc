"""Apply spectral norm to all weights of a network together, with one power iteration in each update.

Outside of `normalise_once`, every forward pass of a layer makes a power iteration of its own, with about 20 small
operations. Within `normalise_once`, the first forward pass of a network makes one power iteration for all its layers,
and further forward passes of the network use the same normalised weights.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.utils import parametrize

from ganexp.autocast import without_autocast
from ganexp.models.spectral import PersistentSpectralNorm

EPSILON = 1e-12  # smallest length that a vector is divided by, as in torch's spectral norm


class SpectralNormGroup:
    """All weights with persistent spectral norm in a network.

    Args:
        network: the network. Layers whose weight has a further parametrization are left out.
    """

    def __init__(self, network: nn.Module) -> None:
        self._lists: list[Any] = [each for each in network.modules() if _is_persistent(each)]
        self._norms: list[Any] = [each[0] for each in self._lists]
        self._normalised: dict[nn.Module, Tensor] = {}
        self._u_owners = self._v_owners = torch.empty(0, dtype=torch.long)

    def __bool__(self) -> bool:
        """Return whether there are weights to normalise."""
        return bool(self._norms)

    def normalised(self, norm: PersistentSpectralNorm) -> Tensor:
        """Return the normalised weight that belongs to `norm`, differentiable with respect to the original weight."""
        if not self._normalised:
            weights: list[Tensor] = [each.original for each in self._lists]
            with torch.enable_grad(), without_autocast(weights[0].device):
                self._normalised = dict(zip(self._norms, self._normalise(weights), strict=True))
        return self._normalised[norm]

    def open(self) -> None:
        """Let the layers take their weights from this group."""
        for norm in self._norms:
            norm.group = self

    def close(self) -> None:
        """Forget the normalised weights, and let every forward pass make a power iteration of its own again."""
        self._normalised = {}
        for norm in self._norms:
            norm.group = None

    @torch.no_grad()
    def _iterate(self, weights: list[Tensor]) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Make a power iteration; return the vectors u joined into one, the σ of each weight, and the vectors v."""
        if self._u_owners.device != weights[0].device or not len(self._u_owners):
            self._u_owners, self._v_owners = self._owners(weights)
        matrices = [as_matrix(weight) for weight in weights]
        stored_v = [stored_as(weight, norm._v) for weight, norm in zip(weights, self._norms, strict=True)]
        products = [matrix.mv(v.flatten()) for matrix, v in zip(matrices, stored_v, strict=True)]
        all_u, _ = _to_unit_length(products, self._u_owners)
        u = _split(all_u, products)
        products = [matrix.t().mv(each) for matrix, each in zip(matrices, u, strict=True)]
        all_v, sigmas = _to_unit_length(products, self._v_owners)  # σ = uᵀWv = ‖Wᵀu‖
        v = _split(all_v, products)
        torch._foreach_copy_([norm._u for norm in self._norms], u)
        torch._foreach_copy_(stored_v, [new.view_as(old) for new, old in zip(v, stored_v, strict=True)])
        return all_u, sigmas, v

    def _normalise(self, weights: list[Tensor]) -> tuple[Tensor, ...]:
        u, sigmas, v = self._iterate(weights)
        return _DivideBySigma.apply(u, self._u_owners, sigmas, v, *weights)

    def _owners(self, weights: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Return the index of the weight for each element of the joined vectors u, and of the joined vectors v."""
        rows = [len(weight) for weight in weights]
        columns = [weight[0].numel() for weight in weights]
        u_owners, v_owners = (torch.from_numpy(np.arange(len(weights)).repeat(sizes)) for sizes in (rows, columns))
        return u_owners.to(weights[0].device), v_owners.to(weights[0].device)


def spectral_norm_groups(networks: Iterable[nn.Module]) -> list[SpectralNormGroup]:
    """Return a group for each network that has persistent spectral norm."""
    return [group for group in map(SpectralNormGroup, networks) if group]


def normalise_once(groups: Sequence[SpectralNormGroup]) -> AbstractContextManager[None]:
    """Return a context that normalises the weights of each group once for all forward passes in training mode."""
    return _opened(groups) if groups else nullcontext()


@contextmanager
def _opened(groups: Sequence[SpectralNormGroup]) -> Iterator[None]:
    try:
        for group in groups:
            group.open()
        yield
    finally:
        for group in groups:
            group.close()


class _DivideBySigma(torch.autograd.Function):
    """Divide each weight W by σ = uᵀWv, where u and v are constants.

    If G is the gradient of a loss L with respect to W/σ, then dL/dW = (G - <G, W/σ>·uvᵀ)/σ.
    Source: Miyato et al. 2018, equation 12.
    """

    @staticmethod
    def forward(
        ctx: Any, u: Tensor, owners: Tensor, sigmas: Tensor, v: list[Tensor], *weights: Tensor
    ) -> tuple[Tensor, ...]:
        """Return W/σ for each of the weights.

        Args:
            ctx: torch's context for the backward pass.
            u: the vectors u of all weights, one after another.
            owners: for each element of `u`, the index of the weight that it belongs to.
            sigmas: the σ of each weight, (number of weights,).
            v: the vector v of each weight.
            weights: the weights (outputs, inputs, …).
        """
        outputs = tuple(weight / sigma for weight, sigma in zip(weights, sigmas.unbind(), strict=True))
        ctx.v = v
        ctx.save_for_backward(u, owners, sigmas, *outputs)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients with respect to the weights."""
        u, owners, sigmas, *outputs = ctx.saved_tensors
        products = torch.stack([each.sum() for each in torch._foreach_mul(gradients, outputs)])  # <G, W/σ>
        factors = u * (products / sigmas)[owners]
        rows = factors.split([len(gradient) for gradient in gradients])
        weight_gradients = []
        for gradient, output, sigma, row, v in zip(gradients, outputs, sigmas.unbind(), rows, ctx.v, strict=True):
            matrix = torch.addr(as_matrix(gradient / sigma, like=output), row, v, alpha=-1)
            weight_gradients.append(from_matrix(matrix, like=output))
        return None, None, None, None, *weight_gradients


def as_matrix(weight: Tensor, like: Tensor | None = None) -> Tensor:
    """Return a weight (outputs, inputs, …) as a matrix (outputs, rest), with the columns in the memory order of `like`.

    By default, `like` is the weight itself. The matrix is a view of the weight if the weight and `like` are stored in
    the same order.
    """
    if has_channels_last(weight if like is None else like):
        weight = weight.permute(0, 2, 3, 1)  # (O, I, h, w) -> (O, h, w, I), the order in channels_last
    return weight.flatten(1)


def from_matrix(matrix: Tensor, like: Tensor) -> Tensor:
    """Undo `as_matrix`: return a view of `matrix` that has the shape and the memory format of `like`."""
    if has_channels_last(like):
        outputs, inputs, height, width = like.shape
        return matrix.view(outputs, height, width, inputs).permute(0, 3, 1, 2)
    return matrix.view(like.shape)


def stored_as(weight: Tensor, v: Tensor) -> Tensor:
    """Return a view of v whose elements are in the same order as the columns of `as_matrix(weight)`.

    The elements of v itself are in the same order as the columns of `weight.flatten(1)`.
    """
    if has_channels_last(weight):
        return v.view(weight.shape[1:]).permute(1, 2, 0)  # (I·h·w,) -> (h, w, I)
    return v


def has_channels_last(weight: Tensor) -> bool:
    """Return whether the weight has four dimensions and is stored in the memory format channels_last."""
    return weight.ndim == 4 and weight.stride(1) == 1 and weight.stride(3) == weight.shape[1]


def _to_unit_length(vectors: list[Tensor], owners: Tensor) -> tuple[Tensor, Tensor]:
    """Divide each vector by its length; return all results joined into one vector, and the lengths."""
    lengths = torch.stack(torch._foreach_norm(vectors)).clamp_min(EPSILON)
    return torch.cat(vectors) / lengths[owners], lengths


def _split(joined: Tensor, like: list[Tensor]) -> list[Tensor]:
    """Split a vector into parts that have the lengths of the vectors `like`, and return the parts."""
    return list(joined.split([len(each) for each in like]))


def _is_persistent(module: nn.Module) -> bool:
    if not isinstance(module, parametrize.ParametrizationList):
        return False
    return [type(each) for each in module] == [PersistentSpectralNorm]
