"""Decide whether a call of `training_step` may make several steps.

Lightning's own work takes about 0.2 ms in each call. This matters for small networks, whose step takes a few
milliseconds, so a call makes steps until `SHORTEST_CALL` has passed.
"""

import pytorch_lightning as pl

from ganexp.training import processes
from ganexp.training.no_profiler import NoProfiler

SHORTEST_CALL = 0.02  # seconds; a signal, such as Ctrl-C, waits for the end of the call
HOOKS = ("on_train_batch_start", "on_train_batch_end")  # Lightning calls them before and after each `training_step`


def shortest_call(trainer: pl.Trainer) -> float:
    """Return the time, in seconds, for which a call of `training_step` makes steps; 0 allows only one step.

    There must be only one step if several processes train together, because they communicate after each call; if a
    profiler measures the calls; or if a callback must see every step.
    """
    callbacks, profiler = (getattr(trainer, name) for name in ("callbacks", "profiler"))  # not declared by Lightning
    if processes.count() > 1 or not isinstance(profiler, NoProfiler):
        return 0.0
    return 0.0 if any(sees_every_step(each) for each in callbacks) else SHORTEST_CALL


def sees_every_step(callback: pl.Callback) -> bool:
    """Return whether Lightning must call the callback after every step.

    A callback can declare this as its attribute `sees_every_step`. Otherwise, ganexp's callbacks need to see only the
    steps with logged values and the last step before an evaluation, and another callback must see every step if it has
    one of the methods in HOOKS.
    """
    is_of_ganexp = type(callback).__module__.startswith("ganexp.")
    has_hook = any(
        getattr(getattr(callback, hook), "__func__", None) is not getattr(pl.Callback, hook) for hook in HOOKS
    )
    return bool(getattr(callback, "sees_every_step", has_hook and not is_of_ganexp))
