"""The number of threads of a training on a CPU."""

import sys
import time

import pytest
import torch
from helpers.config import config

from ganexp.build import build_gan
from ganexp.commands import threads


@pytest.fixture(autouse=True)
def _four_threads(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads, "available_threads", lambda: 4)
    yield
    torch.set_num_threads(1)


def gan_of(model, *overrides):
    data = ["data=digits"] if model == "mlp" else ["data=mnist"]
    return build_gan(config(*data, f"model={model}", *overrides))


@pytest.mark.parametrize(("model", "batch_size", "expected"), [("mlp", 64, 1), ("dcgan", 4096, 4)])
def test_threads_auto_grows_with_the_work(model, batch_size, expected):
    assert threads.use_threads("auto", gan_of(model), batch_size) == expected
    assert torch.get_num_threads() == expected


def test_threads_auto_keeps_omp_num_threads(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert threads.use_threads("auto", gan_of("mlp"), 64) == 4


def test_threads_auto_is_shared_by_devices():
    assert threads.use_threads("auto", gan_of("dcgan"), 4096, devices=2) == 2
    assert threads.use_threads("auto", gan_of("dcgan"), 4096, devices=8) == 1


def test_threads_given_number_is_used():
    assert threads.use_threads(3, gan_of("mlp"), 64) == 3


def test_counting_flops_changes_no_random_state():
    gan, before = gan_of("dcgan"), torch.get_rng_state()
    weights = {name: value.clone() for name, value in gan.state_dict().items()}
    assert threads.count_flops(gan) > 0
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(value, weights[name]) for name, value in gan.state_dict().items())


def test_networks_that_grow_are_counted_at_their_last_size():
    growth = ("schedule/growth=progressive", "schedule.growth.images_per_stage=64")
    final, grown = gan_of("progressive"), gan_of("progressive", *growth)
    assert threads.count_flops(grown) == threads.count_flops(final)
    assert grown.generator.stage == 0  # the networks themselves do not change


@pytest.mark.parametrize(
    ("others", "cores", "count", "devices", "says"),
    [
        (None, 4, 2, 1, False),
        (2.3, 4, 2, 1, False),
        (2.5, 4, 2, 1, True),
        (3.3, 4, 2, 2, False),  # the other process of the training uses one core
        (0.3, 2, 2, 1, False),
        (1.0, 2, 1, 1, False),
        (4 / 3, 2, 1, 1, True),  # two other programs and this process share two cores
    ],
)
def test_busy_machine_is_reported(monkeypatch, capsys, others, cores, count, devices, says):
    monkeypatch.setattr(threads, "cores_of_others", lambda: others)
    monkeypatch.setattr(threads.os, "cpu_count", lambda: cores)
    threads.warn_of_busy_machine(count, devices)
    printed = capsys.readouterr().out
    assert ("the machine is busy" in printed) == says
    assert (f"the run has trainer.threads={count}" in printed) == says


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux reports the busy time of all cores")
def test_cores_of_others_leave_out_the_own_work(monkeypatch):
    monkeypatch.setattr(threads, "_AT_IMPORT", (10.0, 100.0, 5.0))
    monkeypatch.setattr(threads, "_cpu_use", lambda: (12.0, 105.0, 6.0))  # in 2 s, all: 5 s, this process: 1 s
    assert threads.cores_of_others() == 2
    for unknown in ((10.05, 101.0, 5.0), None):
        monkeypatch.setattr(threads, "_cpu_use", lambda value=unknown: value)
        assert threads.cores_of_others() is None
    monkeypatch.undo()
    before = threads._cpu_use()
    end = time.process_time() + 0.2
    while time.process_time() < end:  # other programs may work meanwhile, so that only a lower bound is known
        pass
    passed, busy, own = (b - a for a, b in zip(before, threads._cpu_use(), strict=True))
    assert passed >= own >= 0.2
    assert busy > 0.1
