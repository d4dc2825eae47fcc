"""Weights that are normalised in a group equal weights that torch's spectral norm normalises one by one."""

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from ganexp.models.heads import OneHotLinear
from ganexp.models.spectral import apply_spectral_norm
from ganexp.models.spectral_group import SpectralNormGroup, normalise_once


class Network(nn.Module):
    """Two convolutions, a linear layer and an embedding, all with spectral norm."""

    def __init__(self) -> None:
        super().__init__()
        self.first = apply_spectral_norm(nn.Conv2d(3, 5, 3, padding=1), "persistent")
        self.second = apply_spectral_norm(nn.Conv2d(5, 4, 1), "persistent")
        self.linear = apply_spectral_norm(nn.Linear(4, 1), "persistent")
        self.embedding = apply_spectral_norm(OneHotLinear(10, 4), "persistent")

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return logits (N,)."""
        h = self.second(self.first(images).relu()).mean((2, 3))
        return self.linear(h).squeeze(1) + (self.embedding(labels) * h).sum(1)


@pytest.fixture(params=[torch.contiguous_format, torch.channels_last], ids=["contiguous", "channels_last"])
def networks(request: pytest.FixtureRequest) -> tuple[Network, Network]:
    """Return two equal networks in double precision, after three steps of gradient descent with power iterations."""
    torch.manual_seed(0)
    network = Network().double()
    inputs = torch.randn(2, 3, 6, 6, dtype=torch.float64), torch.tensor([1, 7])
    for _ in range(3):
        network(*inputs).sum().backward()
        for parameter in network.parameters():
            parameter.data.sub_(parameter.grad)
    network.zero_grad()
    return network, deepcopy(network).to(memory_format=request.param)


def test_one_pass_in_a_group_equals_torch(networks: tuple[Network, Network]) -> None:
    """Outputs, gradients and the singular vectors u and v are those of torch's spectral norm."""
    torchs, ours = networks
    inputs = torch.randn(2, 3, 6, 6, dtype=torch.float64), torch.tensor([1, 7])
    group = SpectralNormGroup(ours)
    for _ in range(2):
        expected = torchs(*inputs)
        expected.square().sum().backward()
        with normalise_once([group]):
            output = ours(*inputs)
        output.square().sum().backward()
        torch.testing.assert_close(output, expected)
        for name, parameter in torchs.named_parameters():
            ours_parameter = ours.get_parameter(name)
            torch.testing.assert_close(ours_parameter.grad, parameter.grad, msg=name)
            assert ours_parameter.grad.stride() == ours_parameter.stride(), name  # other strides are slow on a GPU
        for name, buffer in torchs.named_buffers():
            torch.testing.assert_close(ours.get_buffer(name), buffer, msg=name)


def test_two_passes_in_a_group_use_the_same_weights(networks: tuple[Network, Network]) -> None:
    """Within `normalise_once`, only the first forward pass makes a power iteration; outside, each pass makes one."""
    _, network = networks
    inputs = torch.randn(2, 3, 6, 6, dtype=torch.float64), torch.tensor([1, 7])
    before = network.first.parametrizations.weight[0]._u.clone()
    with normalise_once([SpectralNormGroup(network)]):
        with torch.no_grad():
            first = network(*inputs)
        after = network.first.parametrizations.weight[0]._u.clone()
        second = network(*inputs)
        assert not torch.equal(before, after)
        assert torch.equal(after, network.first.parametrizations.weight[0]._u)
        assert torch.equal(first, second)
        second.sum().backward()  # this works even after a forward pass without gradients
    network(*inputs)
    assert not torch.equal(after, network.first.parametrizations.weight[0]._u)


def test_evaluation_mode_in_a_group_makes_no_iteration(networks: tuple[Network, Network]) -> None:
    """In evaluation mode, the singular vector u of a layer's weight does not change."""
    _, network = networks
    network.eval()
    before = network.first.parametrizations.weight[0]._u.clone()
    with normalise_once([SpectralNormGroup(network)]):
        network(torch.randn(2, 3, 6, 6, dtype=torch.float64), torch.tensor([1, 7]))
    assert torch.equal(before, network.first.parametrizations.weight[0]._u)


def test_double_backward_penalty_in_a_group_equals_torch(networks: tuple[Network, Network]) -> None:
    """With a penalty on the gradient at the images, weights get the same gradients as with torch's spectral norm."""
    gradients = []
    for network, groups in ((networks[0], []), (networks[1], [SpectralNormGroup(networks[1])])):
        images = torch.linspace(-1, 1, 216, dtype=torch.float64).view(2, 3, 6, 6).requires_grad_()
        with normalise_once(groups):
            output = network(images, torch.tensor([1, 7]))
        (at_images,) = torch.autograd.grad(output.sum(), images, create_graph=True)
        at_images.square().sum().backward()
        gradients.append({name: each.grad for name, each in network.named_parameters() if each.grad is not None})
    assert gradients[0].keys() <= gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, msg=name)
