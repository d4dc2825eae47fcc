"""Signals that end a training of several processes. These tests use one process and a pretended trainer."""

import signal
from types import SimpleNamespace

import pytest

from ganexp.callbacks.shared_stop import SharedStop, signals_delayed


@pytest.fixture
def trainer():
    return SimpleNamespace(should_stop=False, _signal_connector=SimpleNamespace(received_sigterm=False))


@pytest.fixture(autouse=True)
def handlers():
    """Restore the signal handlers after each test, as Lightning does after a training."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)}
    yield before
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("sent", "is_preempted"),
    [(["SIGTERM"], False), (["SIGUSR1"], True), (["SIGUSR1", "SIGTERM"], False)],
)
def test_signal_ends_a_training_after_the_step(monkeypatch, trainer, sent, is_preempted):
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    callback = SharedStop()
    with signals_delayed(2):
        callback.on_train_start(trainer, None)
        callback.on_train_batch_end(trainer, None)
        assert not trainer._signal_connector.received_sigterm
        for name in sent:
            signal.raise_signal(getattr(signal, name))
        callback.on_train_batch_end(trainer, None)
        assert trainer._signal_connector.received_sigterm
        assert callback.is_preempted == is_preempted
        for name in sent:  # further signals do nothing while the last checkpoint is written
            signal.raise_signal(getattr(signal, name))


def test_preemption_before_the_first_step_ends_the_training(monkeypatch, trainer, handlers):
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    callback = SharedStop()
    with signals_delayed(2):
        signal.raise_signal(signal.SIGUSR1)
        callback.on_train_start(trainer, None)
        callback.on_train_batch_end(trainer, None)
        assert callback.is_preempted
    assert signal.getsignal(signal.SIGUSR1) == handlers[signal.SIGUSR1]
    callback = SharedStop()
    callback.on_train_batch_end(trainer, None)
    assert not callback.is_preempted  # the preemption has no effect on the next run


@pytest.mark.parametrize(("job", "count"), [(None, 2), ("1", 1)])
def test_preemption_signal_is_otherwise_left_alone(monkeypatch, handlers, job, count):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    if job:
        monkeypatch.setenv("SLURM_JOB_ID", job)
    with signals_delayed(count):
        assert signal.getsignal(signal.SIGUSR1) == handlers[signal.SIGUSR1]


def test_stop_of_a_callback_stays_a_stop(trainer):
    trainer.should_stop = True
    SharedStop().on_train_batch_end(trainer, None)
    assert trainer.should_stop
    assert not trainer._signal_connector.received_sigterm
