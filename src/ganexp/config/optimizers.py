"""Check the settings of optimizers, and create optimizers. Importing this module must not import torch."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Len
from hydra.utils import get_object

from ganexp.config.instantiate import check, instantiate, to_plain
from ganexp.errors import UserError
from ganexp.types import BelowOne, FiniteFloat, NonNegativeFloat, PositiveFloat

if TYPE_CHECKING:
    from torch.nn import Parameter
    from torch.optim import Optimizer

# The allowed range of each argument of an optimizer. The classes of torch.optim do not declare these ranges.
RANGES: dict[str, Any] = {
    "lr": NonNegativeFloat,
    "betas": Annotated[list[BelowOne], Len(2, 2)],
    "eps": NonNegativeFloat,
    "weight_decay": NonNegativeFloat,
    "momentum": NonNegativeFloat,
    "momentum_decay": NonNegativeFloat,
    "dampening": FiniteFloat,
    "alpha": BelowOne,
    "rho": BelowOne,
    "lr_decay": NonNegativeFloat,
    "initial_accumulator_value": NonNegativeFloat,
    "lambd": NonNegativeFloat,
    "t0": NonNegativeFloat,
    "etas": Annotated[list[PositiveFloat], Len(2, 2)],
    "step_sizes": Annotated[list[PositiveFloat], Len(2, 2)],
}
RANGES_OF_ONE: dict[str, dict[str, Any]] = {
    "torch.optim.Adafactor": {"eps": tuple[NonNegativeFloat | None, NonNegativeFloat]},
}


def make_optimizer_factory(
    node: Mapping[str, Any], name: str, scale: float = 1.0
) -> "Callable[[Iterable[Parameter]], Optimizer]":
    """Check the settings of a network's optimizer, and return a function that creates it for given parameters.

    Args:
        node: config of the optimizer.
        name: name of the network, for error messages.
        scale: factor by which the learning rate is multiplied.

    Raises:
        UserError: the settings are not allowed. The returned function also raises a UserError, if the optimizer refuses
            the settings.
    """
    key = f"optimizer.{name}"
    settings = to_plain(node)
    target = str(settings.get("_target_"))
    ranges = RANGES | RANGES_OF_ONE.get(target, {}) if target.startswith("torch.optim.") else {}
    check(settings | {"_partial_": True}, key, {"params": None}, ranges)
    if _needs_closure(target):
        raise UserError(
            f"{key}._target_={target}: its method `step` needs a closure. Use another optimizer, "
            "such as torch.optim.Adam"
        )
    if scale != 1:
        if "lr" not in settings:
            raise UserError(f"{key}.lr is missing, but schedule.lr_reference_batch needs it")
        settings["lr"] *= scale
    if "betas" in settings:
        settings["betas"] = [float(beta) for beta in settings["betas"]]  # Adam refuses integers
    return partial(_make, settings, key)


def _needs_closure(target: str) -> bool:
    """Return whether the optimizer's method `step` must be called with an argument, for example LBFGS."""
    step = getattr(get_object(target), "step", None)
    arguments = [] if step is None else list(inspect.signature(step).parameters.values())[1:]
    return any(
        each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD) for each in arguments
    )


def _make(settings: dict[str, Any], key: str, parameters: "Iterable[Parameter]") -> "Optimizer":
    factory = instantiate(settings | {"_partial_": True}, key)
    try:
        return factory(parameters)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{key}: {error}") from error
