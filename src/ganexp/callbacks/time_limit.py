"""Stop a run after some time, so that it can be resumed."""

from typing import Any

from pytorch_lightning.callbacks import Checkpoint, Timer
from pytorch_lightning.callbacks.timer import Interval


class TimeLimit(Timer, Checkpoint):
    """End a run at its first evaluation after `max_time`, measured from the start of training in this process.

    Lightning's timer would also end a run between two evaluations, and would continue to count in a resumed run.
    Lightning calls all callbacks of the class `Checkpoint` after the other callbacks. This class is a `Checkpoint`, and
    its object is the last one in the list of callbacks, so that last.ckpt is saved before it is called. Therefore the
    checkpoint of a run that only the time limit has stopped does not say that the run was stopped, and the run can be
    resumed.

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
