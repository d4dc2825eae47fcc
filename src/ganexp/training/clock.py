"""Measure the time that a run has spent on training."""

import time


class TrainingClock:
    """Count the seconds of training, including those of earlier processes of a resumed run. The clock can be paused."""

    def __init__(self) -> None:
        self.total = 0.0  # seconds counted before the clock was last started
        self._of_other_processes = 0.0
        self._started: float | None = None

    def continue_from(self, seconds: float) -> None:
        """Continue with the seconds that the earlier processes of the run have counted."""
        self.total = self._of_other_processes = seconds

    def start(self) -> None:
        """Start or continue counting."""
        if self._started is None:
            self._started = time.monotonic()

    def pause(self) -> None:
        """Stop counting until the next start."""
        self.total, self._started = self.seconds(), None

    def seconds(self) -> float:
        """Return the seconds counted so far."""
        running = 0.0 if self._started is None else time.monotonic() - self._started
        return self.total + running

    def seconds_of_this_process(self) -> float:
        """Return the seconds counted so far, without the seconds of the earlier processes of the run."""
        return self.seconds() - self._of_other_processes
