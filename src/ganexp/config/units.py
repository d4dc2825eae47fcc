"""Choose between steps and epochs if a config sets the length of a run or the evaluation interval in both units.

This module must not import torch.
"""

from collections.abc import Iterator, Sequence

from omegaconf import DictConfig

from ganexp.errors import UserError

PAIRS = (("steps", "epochs"), ("evaluate_every", "evaluate_every_epochs"))  # keys of `schedule`


def choose_units(cfg: DictConfig, overrides: Sequence[str]) -> None:
    """Remove the steps of a composed config if its overrides give epochs, and the other way round.

    Args:
        cfg: a composed config, which is changed: for each pair in PAIRS, one key keeps its value, and the other one
            becomes null.
        overrides: the overrides of the command line, which take precedence over the chosen options.

    Raises:
        UserError: neither key of a pair has a value, or both keys have a value and the overrides set both or neither.
    """
    complaints = []
    for pair in PAIRS:
        values = {key: cfg.schedule[key] for key in pair if cfg.schedule.get(key) is not None}
        given = [key for key in values if f"schedule.{key}" in set(_keys(overrides))]
        if len(values) == 1:
            continue
        if len(given) == 1:
            (other,) = set(pair) - set(given)
            cfg.schedule[other] = None
        else:
            complaints.append(_complaint(pair, values, bool(given)))
    if complaints:
        raise UserError("\n".join(complaints))


def _keys(overrides: Sequence[str]) -> Iterator[str]:
    for override in overrides:
        yield override.partition("=")[0].lstrip("+")


def _complaint(pair: tuple[str, str], values: dict[str, int], given: bool) -> str:
    steps, epochs = (f"schedule.{key}" for key in pair)
    if not values:
        return f"Missing value: {steps}=… or {epochs}=…"
    both = f"{steps}={values[pair[0]]} and {epochs}={values[pair[1]]}"
    if given:
        return f"{both}: give one of the two, because each determines the other"
    return f"{both} are both set by the chosen options: in the file that sets one of them, set the other to null"
