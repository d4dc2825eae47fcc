"""Warn about an average of the generator's weights that spans more steps than the run. Must not import torch."""

from omegaconf import DictConfig

from ganexp.console import count

MAX_UNTRAINED_SHARE = 0.01  # of the first weights in the average at the end of a run
FEWEST_STEPS = 40  # an average over fewer is of no use


def average_warning(cfg: DictConfig) -> str:
    """Return a warning if the averaged weights would still be close to the initial weights; empty otherwise.

    After n steps, the initial weights have the share decay^n in the average.

    Args:
        cfg: the resolved config of a run.
    """
    decay, start, steps = cfg.schedule.ema.decay, cfg.schedule.ema.start, cfg.schedule.steps
    if decay is None:
        return ""
    averaged = max(steps - start, 0)
    if averaged == 0:
        return f"schedule.ema.start={start}: this run has only {count(steps, 'step')}, so no weights are averaged"
    share = decay**averaged
    if share <= MAX_UNTRAINED_SHARE:
        return ""
    fitting = 1 - float(f"{10 / averaged:.0e}")
    fix = f"use schedule.ema.decay={fitting:g}" if averaged >= FEWEST_STEPS else "leave it out in so short a run"
    return (
        f"schedule.ema.decay={decay:g} averages over about {round(1 / (1 - decay)):,} steps, and this run averages "
        f"{averaged:,}: at its end, {share:.0%} of the weights that draw samples are still those of step {start:,}. "
        f"Train longer, or {fix}"
    )
