"""The time that a run has spent on training."""

import time


class TrainingClock:
    """Count the seconds of training, over all the processes that a run was resumed in; it can be paused."""

    def __init__(self) -> None:
        self.total = 0.0  # seconds until the clock was last started
        self._started: float | None = None

    def start(self) -> None:
        """Start counting, or count on."""
        if self._started is None:
            self._started = time.monotonic()

    def pause(self) -> None:
        """Stop counting until the next start."""
        self.total, self._started = self.seconds(), None

    def seconds(self) -> float:
        """Return the seconds counted so far."""
        running = 0.0 if self._started is None else time.monotonic() - self._started
        return self.total + running
