"""Warn if the average of the generator's weights spans more steps than the run. This module must not import torch."""

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
    fix = f"use schedule.ema.decay={fitting:g}" if averaged >= FEWEST_STEPS else "omit the average in so short a run"
    return (
        f"schedule.ema.decay={decay:g} averages over about {round(1 / (1 - decay)):,} steps, and this run averages "
        f"only {averaged:,} steps: at its end, the weights of step {start:,} still make up {share:.0%} of the average. "
        f"Train longer, or {fix}"
    )
