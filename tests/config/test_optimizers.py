"""Optimizers are checked before they are made."""

import inspect
import math
import pickle

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from ganexp.config.annotations import is_data
from ganexp.config.instantiate import UnknownArgument
from ganexp.config.optimizers import RANGES, make_optimizer_factory
from ganexp.errors import UserError

ADAM = {"_target_": "torch.optim.Adam"}
OPTIMIZERS = [
    optimizer
    for optimizer in vars(torch.optim).values()
    if inspect.isclass(optimizer) and issubclass(optimizer, torch.optim.Optimizer)
]


def parameters():
    return [nn.Parameter(torch.ones(2, 2))]


class Own(torch.optim.SGD):
    """A user's own optimizer; the annotations of its arguments say which values are allowed."""

    def __init__(self, weights, lr: float, steps: int = 1) -> None:
        super().__init__(weights, lr=lr)
        self.steps = steps


def test_optimizer_gets_its_settings():
    node = OmegaConf.create(ADAM | {"lr": 1e-3, "betas": [0.5, 0.9], "fused": True})
    optimizer = make_optimizer_factory(node, "generator")(parameters())
    assert type(optimizer) is torch.optim.Adam
    assert (optimizer.defaults["lr"], optimizer.defaults["fused"]) == (1e-3, True)
    assert tuple(optimizer.defaults["betas"]) == (0.5, 0.9)


def test_whole_betas_become_fractions():
    optimizer = make_optimizer_factory(ADAM | {"betas": [0, 0.9]}, "generator")(parameters())
    assert [type(beta) for beta in optimizer.defaults["betas"]] == [float, float]
    optimizer.param_groups[0]["params"][0].grad = torch.ones(2, 2)
    optimizer.step()


def test_learning_rate_is_scaled():
    make = make_optimizer_factory(ADAM | {"lr": 4e-4}, "generator", 0.25)
    assert make(parameters()).defaults["lr"] == 1e-4
    assert make(parameters()).defaults["lr"] == 1e-4  # the learning rate is scaled only once


def test_scale_needs_a_learning_rate():
    with pytest.raises(UserError, match=r"^optimizer.generator.lr is missing, but schedule.lr_reference_batch"):
        make_optimizer_factory(ADAM, "generator", 2.0)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"lr": -1}, "lr=-1: must be a number, at least 0"),
        ({"lr": "1e-3"}, "lr='1e-3': must be a number, at least 0"),
        ({"lr": math.nan}, "lr=nan: must be a number, at least 0"),
        ({"lr": True}, "lr=true: must be a number, at least 0"),
        ({"betas": [0.5]}, "betas=[0.5]: must be a list of 2 numbers, each at least 0 and below 1"),
        ({"betas": [0.5, 1]}, "betas=[0.5, 1]: must be a list of 2 numbers, each at least 0 and below 1"),
        ({"betas": 0.5}, "betas=0.5: must be a list of 2 numbers, each at least 0 and below 1"),
        ({"eps": -1e-8}, "eps=-1e-08: must be a number, at least 0"),
        ({"amsgrad": "yes"}, "amsgrad=yes: must be true or false"),
        ({"fused": 1}, "fused=1: must be true or false, or null"),
    ],
    ids=str,
)
def test_setting_outside_its_range_is_refused(settings, expected):
    with pytest.raises(UserError) as error:
        make_optimizer_factory(ADAM | settings, "discriminator")
    assert str(error.value) == f"optimizer.discriminator.{expected}"


def test_unknown_setting_is_refused():
    with pytest.raises(
        UnknownArgument, match=r"(?s)^optimizer.generator.lrr: .*Did you mean optimizer.generator.lr\?$"
    ):
        make_optimizer_factory(ADAM | {"lrr": 1}, "generator")


def test_refusal_of_the_optimizer_gets_the_key():
    make = make_optimizer_factory({"_target_": "torch.optim.SGD", "nesterov": True}, "generator")
    with pytest.raises(UserError, match=r"^optimizer.generator: Nesterov"):
        make(parameters())


def test_node_without_target_is_refused():
    with pytest.raises(UserError, match=r"^optimizer.generater has no _target_"):
        make_optimizer_factory({"lr": 1e-3}, "generater")


class WithClosure(Own):
    """An own optimizer whose step needs an argument with a name."""

    def step(self, *, closure):
        closure()


class WithoutClosure(Own):
    """An own optimizer whose step accepts any arguments, but needs none."""

    def step(self, *arguments, **settings):
        super().step(*arguments, **settings)


def test_own_optimizer_that_needs_a_closure_is_refused():
    make_optimizer_factory({"_target_": f"{__name__}.WithoutClosure"}, "generator")
    with pytest.raises(UserError, match=r"WithClosure: .* needs a closure"):
        make_optimizer_factory({"_target_": f"{__name__}.WithClosure"}, "generator")


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_only_optimizers_that_need_a_closure_are_refused(optimizer):
    node = {"_target_": f"torch.optim.{optimizer.__name__}"}
    if optimizer is torch.optim.LBFGS:
        with pytest.raises(UserError, match=r"optimizer\.generator\._target_=torch\.optim\.LBFGS: .* needs a closure"):
            make_optimizer_factory(node, "generator")
    elif optimizer is not torch.optim.Optimizer:
        make_optimizer_factory(node, "generator")


def test_own_optimizer_follows_its_annotations():
    node = {"_target_": f"{__name__}.Own", "lr": 0.1}
    assert make_optimizer_factory(node, "generator")(parameters()).defaults["lr"] == 0.1
    with pytest.raises(UserError, match=r"^optimizer.generator.steps=a: must be a whole number$"):
        make_optimizer_factory(node | {"steps": "a"}, "generator")


def test_factory_can_be_pickled():
    make = pickle.loads(pickle.dumps(make_optimizer_factory(ADAM | {"lr": 0.1}, "generator")))
    assert make(parameters()).defaults["lr"] == 0.1


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda value: value.__name__)
def test_numbers_of_torch_optimizers_have_ranges(optimizer):
    """RANGES has an entry for every argument whose annotation in torch says nothing about the argument's values."""
    for name, parameter in inspect.signature(optimizer, eval_str=True).parameters.items():
        if name in ("params", "defaults"):
            continue
        assert name in RANGES or is_data(parameter.annotation), name


@pytest.mark.parametrize(
    "name",
    [
        "Adam",
        "AdamW",
        "Adamax",
        "NAdam",
        "RAdam",
        "RMSprop",
        "SGD",
        "Adagrad",
        "Adadelta",
        "Rprop",
        "ASGD",
        "Adafactor",
    ],
)
def test_defaults_of_torch_are_allowed(name):
    target = getattr(torch.optim, name)
    defaults = {
        key: list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
        for key, parameter in inspect.signature(target).parameters.items()
        if key != "params"
    }
    make_optimizer_factory({"_target_": f"torch.optim.{name}"} | defaults, "generator")(parameters())
