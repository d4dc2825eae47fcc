"""Stop a run after some time, so that it can be resumed."""

from typing import Any

from pytorch_lightning.callbacks import Checkpoint, Timer
from pytorch_lightning.callbacks.timer import Interval


class TimeLimit(Timer, Checkpoint):
    """End a run at its first evaluation after `max_time`, measured from the start of each process.

    Lightning's timer would also end a run between two evaluations, and would continue to count in a resumed run.
    Lightning calls this callback after last.ckpt is saved, because it is a `Checkpoint` too and the last one. A run
    that only the time limit has stopped is therefore not stored as stopped, and can be resumed.

    Args:
        max_time: time limit as DD:HH:MM:SS.
    """

    def __init__(self, max_time: str) -> None:
        super().__init__(max_time, interval=Interval.epoch)

    @property
    def is_over(self) -> bool:
        """Whether the time limit has been reached."""
        remaining = self.time_remaining()
        return remaining is not None and remaining <= 0

    def state_dict(self) -> dict[str, Any]:
        """Return an empty state, because the time of earlier processes does not count."""
        return {}
