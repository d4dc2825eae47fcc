"""TF32, the memory format and joint batches change the speed of a step, and change the results only slightly."""

from copy import deepcopy
from unittest import mock

import pytest
import torch
from helpers.bench import Bench
from helpers.cli import ganexp
from helpers.device_cases import CASES, CHOICES

from ganexp.build import build_stream
from ganexp.tf32 import use_tf32, without_tf32
from ganexp.training import trainer as trainers

NEEDS_GPU = (
    pytest.mark.slow,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU"),
)
ON_GPU = pytest.param("cuda", marks=NEEDS_GPU)
SHORT = ("schedule.steps=2", "schedule.evaluate_every=2", "callbacks=none", "hydra.run.dir=run")
TOLERANCE = 1e-5  # allowed norm of a 32-bit gradient's error, divided by the gradient's norm
TF32_TOLERANCE = 0.05  # the allowed error with TF32, whose mantissas have 10 bits
PENALISED = ("wgan_gp_resnet", "class_head", "sngan_cnn_r1", "dragan_replay")


@pytest.fixture(autouse=True)
def without_tf32_by_default():
    """Undo what an earlier run has set, and compute in 32 bits."""
    trainers.choose_algorithms(deterministic=False, tf32=False)
    yield
    trainers.choose_algorithms(deterministic=False, tf32=True)


def make_bench(case, device, *overrides):
    return Bench(*CASES[case], *overrides, base=CHOICES, model=(), device=device)


def gradients(case, device, *overrides):
    """Return the gradient of each network at the initial weights, as one vector."""
    bench = make_bench(case, device, *overrides)
    for optimizer in bench.optimizers:
        for group in optimizer.param_groups:
            group["lr"] = 0.0
    torch.manual_seed(1)
    bench.step()
    found = {}
    for name, network in bench.gan.networks.items():
        used = [each.grad for each in network.parameters() if each.grad is not None]
        found[name] = torch.cat([gradient.flatten() for gradient in used])
    return found


def largest_error(found, expected):
    errors = {name: ((found[name] - value).norm() / value.norm()).item() for name, value in expected.items()}
    print({name: f"{error:.1e}" for name, error in errors.items()})
    return max(errors.values())


# TF32


def errors_of_products():
    """Return the relative errors of a convolution and of a matrix product in 32 bits."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(64, 128, 32, 32, generator=generator).double().cuda()  # TF32 is never used for small images
    kernel = torch.randn(128, 128, 3, 3, generator=generator).double().cuda()
    matrix = torch.randn(512, 512, generator=generator).double().cuda()
    errors = []
    for product in (
        lambda dtype: torch.nn.functional.conv2d(images.to(dtype), kernel.to(dtype)),
        lambda dtype: matrix.to(dtype) @ matrix.to(dtype),
    ):
        exact = product(torch.float64)
        errors.append(((product(torch.float32).double() - exact).norm() / exact.norm()).item())
    return errors


@pytest.mark.parametrize("on", [pytest.param(on, marks=NEEDS_GPU) for on in (False, True)])
def test_tf32_is_set_for_convolutions_and_products(on):
    use_tf32(on)
    assert [error > 1e-5 for error in errors_of_products()] == [on, on]
    with without_tf32():
        assert max(errors_of_products()) < 1e-5
    assert [error > 1e-5 for error in errors_of_products()] == [on, on]


@pytest.mark.parametrize("on", [pytest.param(on, marks=NEEDS_GPU) for on in (False, True)])
def test_run_computes_with_tf32_as_its_setting_says(on, tmp_path):
    use_tf32(not on)
    ganexp(*CHOICES, *CASES["dcgan"], *SHORT, "trainer=gpu", f"trainer.tf32={str(on).lower()}", cwd=tmp_path)
    assert [error > 1e-5 for error in errors_of_products()] == [on, on]


@pytest.mark.parametrize("case", [pytest.param(case, marks=NEEDS_GPU) for case in PENALISED])
def test_gradients_of_penalties_with_tf32_are_close(case):
    expected = gradients(case, "cuda")
    use_tf32(True)
    assert TOLERANCE < largest_error(gradients(case, "cuda"), expected) < TF32_TOLERANCE


# Memory format


@pytest.mark.parametrize("device", ["cpu", ON_GPU])
@pytest.mark.parametrize("case", ["wgan_gp_resnet", "sngan_conditional", "dcgan"])
def test_gradients_do_not_depend_on_the_memory_format(case, device):
    found = [gradients(case, device, f"trainer.channels_last={on}") for on in ("true", "false")]
    assert largest_error(*found) < TOLERANCE


@pytest.mark.parametrize("device", ["cpu", ON_GPU])
@pytest.mark.parametrize("first", ["true", "false"])
def test_training_continues_in_another_memory_format(first, device):
    case, second = "dcgan", "false" if first == "true" else "true"
    bench = make_bench(case, device, f"trainer.channels_last={first}")
    bench.step(3)
    other = make_bench(case, device, f"trainer.channels_last={second}", "trainer.cuda_graph=false")
    other.gan.load_state_dict(bench.gan.state_dict())
    for optimizer, state in zip(other.optimizers, bench.optimizers, strict=True):
        optimizer.load_state_dict(deepcopy(state.state_dict()))
    other.gan._trainer = mock.Mock(optimizers=other.optimizers)
    other.gan.on_train_start()
    before, changes = bench.weights(), []
    for each in (bench, other):
        each.gan.connect(build_stream(each.cfg, each.image_set, torch.device(device)))
        torch.manual_seed(1)
        each.step()
        pairs = [(new, old) for new, old in zip(each.weights(), before, strict=True) if new.ndim == 4]
        changes.append({"kernels": torch.cat([(new - old).flatten() for new, old in pairs])})
    assert largest_error(*changes) < 0.01


# Joint batches


@pytest.mark.parametrize("device", ["cpu", ON_GPU])
@pytest.mark.parametrize("case", ["wgan_gp_resnet", "class_head"])
def test_gradients_of_joint_batches_equal_those_of_two(case, device):
    found = []
    for joint in ("auto", "false"):
        found.append(gradients(case, device, f"schedule.joint_batch={joint}", "loss.n_critic=1"))
    assert largest_error(*found) < TOLERANCE
