"""The number of operations that `FlopCounter` counts, compared with a formula and with torch's counter."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ganexp.commands.estimation.flops import FlopCounter


def test_matrix_product_has_two_operations_a_term():
    with FlopCounter() as counter:
        torch.randn(3, 5) @ torch.randn(5, 7)
    assert counter.flops == 2 * 3 * 5 * 7


def test_forward_and_backward_agree_with_torchs_counter():
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 64, 2))
    images = torch.randn(4, 3, 8, 8)
    with FlopCounterMode(display=False) as expected:
        network(images).sum().backward()
    with FlopCounter() as counter:
        network(images).sum().backward()
    assert counter.flops == expected.get_total_flops() > 0


def test_gradient_of_images_is_counted():
    network, images = nn.Linear(6, 1), torch.randn(4, 6, requires_grad=True)
    with FlopCounter() as counter:
        (gradient,) = torch.autograd.grad(network(images).sum(), images, create_graph=True)
        gradient.square().sum().backward()
    assert counter.flops > 2 * 4 * 6
