"""Warn if the average of the generator's weights spans more steps than the run. This module must not import torch."""

import math

from omegaconf import DictConfig

from ganexp.console import count

# largest share that the weights of step `schedule.ema.start` may have in the average at the end of a run
MAX_UNTRAINED_SHARE = 0.01
FEWEST_STEPS = 40  # an average over fewer steps is of no use


def average_warning(cfg: DictConfig) -> str:
    """Return a warning if the average would stay close to the weights of step `schedule.ema.start`; else an empty text.

    There is also a warning if the run ends before or at this step, so that no weights are averaged. After n averaged
    steps, the weights of step `start` have the share decay^n in the average.

    Args:
        cfg: the resolved config of a run.
    """
    decay, start, steps = cfg.schedule.ema.decay, cfg.schedule.ema.start, _most_steps(cfg)
    if decay is None:
        return ""
    averaged = max(steps - start, 0)
    if averaged == 0:
        return f"schedule.ema.start={start}: this run has only {count(steps, 'step')}, so no weights are averaged"
    share = decay**averaged
    if share <= MAX_UNTRAINED_SHARE:
        return ""
    fitting = 1 - float(f"{10 / averaged:.0e}")
    fix = f"use schedule.ema.decay={fitting:g}" if averaged >= FEWEST_STEPS else "omit the average in so short a run"
    return (
        f"schedule.ema.decay={decay:g} averages over about {round(1 / (1 - decay)):,} steps, and this run averages "
        f"only {averaged:,} steps: at its end, the weights of step {start:,} still make up {share:.0%} of the average. "
        f"Train longer, or {fix}"
    )


def _most_steps(cfg: DictConfig) -> int:
    """Return the largest number of steps that a run can have with its limits schedule.steps and schedule.max_d_steps.

    A loss limit can only raise the number of discriminator updates in a step, and then the run has fewer steps.
    """
    schedule = cfg.schedule
    if schedule.max_d_steps is None:
        return int(schedule.steps)
    n_critic, n_gen = (schedule.updates.get(name, 1) for name in ("n_critic", "n_gen"))
    return min(schedule.steps, math.ceil(schedule.max_d_steps / n_critic) * n_gen)
