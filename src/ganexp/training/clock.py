"""Measure the time that a run has spent on training."""

import time


class TrainingClock:
    """Count the seconds of training, added up over all processes of a resumed run. The clock can be paused."""

    def __init__(self) -> None:
        self.total = 0.0  # seconds until the clock was last started
        self._started: float | None = None

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
