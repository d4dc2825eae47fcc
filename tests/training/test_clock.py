"""The clock that counts the seconds of training."""

import time

from ganexp.training.clock import TrainingClock


def test_clock_counts_only_while_it_runs(monkeypatch):
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    clock = TrainingClock()
    now += 5
    assert clock.seconds() == 0
    clock.start()
    now += 3
    clock.start()  # has no effect while the clock runs
    assert clock.seconds() == 3
    clock.pause()
    now += 10
    clock.pause()
    assert clock.seconds() == 3
    clock.start()
    now += 1
    assert clock.seconds() == 4


def test_clock_knows_what_it_took_over(monkeypatch):
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    clock = TrainingClock()
    clock.continue_from(50)
    clock.start()
    now += 3
    assert clock.seconds() == 53
    assert clock.seconds_of_this_process() == 3
