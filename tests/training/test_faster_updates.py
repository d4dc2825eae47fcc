"""The choice between plain updates and CUDA graphs."""

import functools
from unittest import mock

import pytest
import torch
from helpers.bench import Bench
from helpers.device_cases import CASES, CHOICES, NOT_RECORDED
from torch import nn

from ganexp.training import processes
from ganexp.training.cuda_graphs import GraphedUpdates
from ganexp.training.gan import GAN


class ForeignLayer(nn.Identity):
    """A layer that is not part of ganexp; such a layer may have a state, for example the number of its calls."""


class ForeignLinear(nn.Linear):
    """A layer that is not part of ganexp, and has a weight."""


def foreign_penalty(*arguments, weight):
    return torch.zeros(())


def is_recorded(gan, device="cuda"):
    gan._trainer.optimizers = []
    with mock.patch.object(GAN, "device", torch.device(device)):
        gan.on_train_start()
    return isinstance(gan.gradient_function, GraphedUpdates)


@pytest.mark.parametrize("setting", ["auto", "true"])
@pytest.mark.parametrize(("device", "count", "expected"), [("cuda", 1, True), ("cuda", 2, False), ("cpu", 1, False)])
def test_a_gpu_that_is_the_only_device_records_updates(setting, device, count, expected):
    gan = Bench(f"trainer.cuda_graph={setting}").gan
    with mock.patch.object(processes, "count", return_value=count):
        assert is_recorded(gan, device) is expected


def test_auto_is_the_default_and_false_records_nothing():
    assert is_recorded(Bench().gan)
    assert not is_recorded(Bench("trainer.cuda_graph=false").gan)


@pytest.mark.parametrize("case", [case for case in CASES if case not in NOT_RECORDED])
def test_auto_records_all_parts_of_ganexp(case):
    assert is_recorded(Bench(*CASES[case], base=CHOICES, model=()).gan)


@pytest.mark.parametrize("part", ["layer", "parametrized", "penalty", "augmentation"])
def test_auto_records_no_parts_of_others(part):
    for setting in ("auto", "true"):
        gan = Bench(f"trainer.cuda_graph={setting}").gan
        if part == "layer":
            gan.discriminator.add_module("foreign", ForeignLayer())
        elif part == "parametrized":  # torch makes the class of such a layer
            gan.discriminator.add_module("foreign", nn.utils.parametrizations.spectral_norm(ForeignLinear(2, 2)))
        elif part == "penalty":
            gan.objective.penalties["foreign"] = functools.partial(foreign_penalty, weight=1.0)
        else:
            gan.objective.augmentations.append(lambda images: images)
        assert is_recorded(gan) is (setting == "true")


def test_updates_in_parts_are_not_recorded():
    """The number of parts doubles if memory is short, and a resumed run keeps the number."""
    gan = Bench("trainer.cuda_graph=true").gan
    gan.accumulated.load_state_dict({"accumulate": 2})
    assert not is_recorded(gan)
    assert not is_recorded(Bench("schedule.accumulate=2").gan)


def test_search_for_nan_records_nothing():
    with torch.autograd.set_detect_anomaly(True):
        assert not is_recorded(Bench("trainer.cuda_graph=true").gan)
