"""Signals that end a training of several processes, here with a pretended trainer and one process."""

import signal
from types import SimpleNamespace

import pytest

from ganexp.callbacks.shared_stop import SharedStop


@pytest.fixture
def trainer():
    return SimpleNamespace(should_stop=False, _signal_connector=SimpleNamespace(received_sigterm=False))


@pytest.mark.parametrize(
    ("sent", "is_preempted"),
    [(["SIGTERM"], False), (["SIGUSR1"], True), (["SIGUSR1", "SIGTERM"], False)],
)
def test_signal_ends_a_training_after_the_step(monkeypatch, trainer, sent, is_preempted):
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)]
    callback = SharedStop()
    callback.on_train_start(trainer, None)
    callback.on_train_batch_end(trainer, None)
    assert not trainer._signal_connector.received_sigterm
    for name in sent:
        signal.raise_signal(getattr(signal, name))
    callback.on_train_batch_end(trainer, None)
    assert trainer._signal_connector.received_sigterm
    assert callback.is_preempted == is_preempted
    callback.on_exception(trainer, None, SystemExit())
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)] == before


def test_preemption_signal_is_left_alone_without_slurm(monkeypatch, trainer):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    before = signal.getsignal(signal.SIGUSR1)
    callback = SharedStop()
    callback.on_train_start(trainer, None)
    assert signal.getsignal(signal.SIGUSR1) == before
    callback.on_train_end(trainer, None)


def test_stop_of_a_callback_stays_a_stop(trainer):
    trainer.should_stop = True
    SharedStop().on_train_batch_end(trainer, None)
    assert trainer.should_stop
    assert not trainer._signal_connector.received_sigterm
