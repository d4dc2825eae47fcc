"""Every Trainer is made in one place, with the arguments of the config."""

import os

import pytest
import torch
from helpers.cli import ganexp
from helpers.config import TINY, config
from pytorch_lightning.callbacks import TQDMProgressBar
from pytorch_lightning.profilers import PassThroughProfiler, SimpleProfiler

from ganexp.callbacks.progress import ProgressLine
from ganexp.errors import UserError
from ganexp.training.trainer import choose_algorithms, lightning_arguments, make_trainer

CPU = torch.device("cpu")


@pytest.fixture
def flags(monkeypatch):
    """Restore torch's flags after a test."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    benchmark = torch.backends.cudnn.benchmark
    yield
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = benchmark


def made(tmp_path, *overrides, **arguments):
    cfg = config("metrics=none", *overrides)
    return make_trainer(CPU, tmp_path, arguments=lightning_arguments(cfg.trainer, tmp_path), **arguments)


@pytest.mark.parametrize(
    ("overrides", "deterministic", "benchmark"),
    [
        ((), False, True),
        (("trainer.benchmark=false",), False, False),
        (("trainer.deterministic=true",), True, False),
        (("trainer.deterministic=warn",), True, False),
    ],
)
def test_deterministic_algorithms_are_not_chosen_by_speed(tmp_path, flags, overrides, deterministic, benchmark):
    made(tmp_path, *overrides)
    assert torch.are_deterministic_algorithms_enabled() is deterministic
    assert torch.is_deterministic_algorithms_warn_only_enabled() is ("trainer.deterministic=warn" in overrides)
    assert torch.backends.cudnn.benchmark is benchmark


def test_algorithms_are_chosen_before_a_trainer_is_made(flags):
    choose_algorithms(True)
    assert torch.are_deterministic_algorithms_enabled()
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    choose_algorithms("warn")
    assert torch.is_deterministic_algorithms_warn_only_enabled()
    choose_algorithms(False)
    assert not torch.are_deterministic_algorithms_enabled()


def test_profiler_reports_in_the_run_directory(tmp_path, flags):
    assert isinstance(made(tmp_path).profiler, PassThroughProfiler)
    profiler = made(tmp_path, "trainer.profiler=simple").profiler
    assert isinstance(profiler, SimpleProfiler)
    assert profiler.dirpath == tmp_path


def test_progress_bar_is_one_of_the_callbacks_or_none(tmp_path, flags):
    assert made(tmp_path).progress_bar_callback is None
    line = ProgressLine()
    assert made(tmp_path, callbacks=[line]).progress_bar_callback is line
    with pytest.raises(UserError, match="multiple progress bar callbacks"):
        made(tmp_path, callbacks=[line, TQDMProgressBar()])


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch asks an existing GPU for its state in every step")
def test_steps_of_optimizers_do_not_ask_for_gpus(tmp_path, flags, monkeypatch):
    """Lightning makes torch ask NVML for GPUs in each step of an optimizer, which is slow; ganexp stops this."""
    monkeypatch.setenv("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    weight = torch.nn.Parameter(torch.zeros(2))
    optimizer, asked = torch.optim.Adam([weight], fused=True), []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: asked.append(True) or 0)
    for expected in (1, 0):
        weight.grad = torch.ones(2)
        asked.clear()
        optimizer.step()
        assert len(asked) == expected
        made(tmp_path)
        asked.clear()


def test_anomalies_are_detected_if_wanted(tmp_path, flags):
    assert not made(tmp_path)._detect_anomaly
    assert made(tmp_path, "trainer.detect_anomaly=true")._detect_anomaly


def test_rates_may_decay_before_the_first_discriminator_update(tmp_path, recwarn):
    """D's scheduler steps before D's optimizer; this is intended, so torch's warning about it is not shown."""
    words = ("loss=hinge", "schedule/lr_decay=linear", "schedule.updates.n_critic=1", "schedule.updates.n_gen=2")
    ganexp(*TINY, *words, cwd=tmp_path)
    assert not [each for each in recwarn if "lr_scheduler" in str(each.message)]
