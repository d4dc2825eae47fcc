"""Create Lightning's trainers, choose the device, and add the callbacks that every training needs."""

import logging
import os
import signal
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning import Callback
from pytorch_lightning.callbacks import ModelCheckpoint as LightningModelCheckpoint
from pytorch_lightning.callbacks import ProgressBar
from pytorch_lightning.loggers import Logger
from pytorch_lightning.plugins import CheckpointIO, LayerSync, Precision
from pytorch_lightning.plugins.environments import ClusterEnvironment
from pytorch_lightning.profilers import (
    AdvancedProfiler,
    Profiler,
    PyTorchProfiler,
    SimpleProfiler,
)
from pytorch_lightning.utilities.exceptions import MisconfigurationException, SIGTERMException

from ganexp.callbacks.interruption import Interruption
from ganexp.callbacks.model_checkpoint import ModelCheckpoint
from ganexp.callbacks.random_state import RandomState
from ganexp.callbacks.shared_stop import SharedStop
from ganexp.callbacks.stop_when_not_finite import StopWhenNotFinite
from ganexp.checkpoint import AtomicCheckpointIO
from ganexp.console import count
from ganexp.data.datamodule import StreamData
from ganexp.errors import UserError, first_line
from ganexp.runs.run_directory import RunDirectory
from ganexp.tf32 import use_tf32
from ganexp.training import processes
from ganexp.training.accumulation import out_of_memory
from ganexp.training.ddp import AveragedGradients, SyncBatchNorm
from ganexp.training.gan import GAN
from ganexp.training.no_profiler import NoProfiler

PROFILERS: dict[str, type[Profiler]] = {
    "simple": SimpleProfiler,
    "advanced": AdvancedProfiler,
    "pytorch": PyTorchProfiler,
}
Plugin = Precision | ClusterEnvironment | CheckpointIO | LayerSync
# arguments of `pl.Trainer` that evaluations need too
NUMERICAL = ("deterministic", "benchmark", "detect_anomaly", "devices", "num_nodes", "sync_batchnorm")


def choose_device(accelerator: str) -> torch.device:
    """Return the device that Lightning's `accelerator` (auto, cpu or gpu) means on this machine.

    Raises:
        UserError: the accelerator is gpu, and torch finds no GPU.
    """
    if accelerator == "gpu" and not torch.cuda.is_available():
        raise UserError("trainer.accelerator=gpu, but torch finds no GPU here: use trainer=cpu or trainer=auto")
    return torch.device("cpu" if accelerator == "cpu" or not torch.cuda.is_available() else "cuda")


def device_name(device: torch.device) -> str:
    """Return the name of a device as run.json records it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU, {count(torch.get_num_threads(), 'thread')}"


def choose_algorithms(deterministic: bool | Literal["warn"], tf32: bool = True) -> None:
    """Set which algorithms torch uses. Call this before anything is computed on a GPU.

    Lightning does the same within `fit`, but too late: there are computations before `fit`, such as the training of the
    classifier for the scores, and cuBLAS reads its environment variable only once.

    Args:
        deterministic: true raises an error for an operation that has no deterministic algorithm; `warn` only warns.
        tf32: whether convolutions and matrix products in 32 bits use TF32 on a GPU.
    """
    use_tf32(tf32)
    torch.use_deterministic_algorithms(bool(deterministic), warn_only=deterministic == "warn")
    if deterministic:
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"


def lightning_arguments(settings: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """Return the arguments of `pl.Trainer` that the config sets under Lightning's names.

    Args:
        settings: the section `trainer` of the config.
        root: the run directory, to which a profiler writes its report.
    """
    deterministic, benchmark, profiler = (settings[name] for name in ("deterministic", "benchmark", "profiler"))
    return {
        "deterministic": deterministic,
        "benchmark": not deterministic if benchmark is None else benchmark,
        "detect_anomaly": settings["detect_anomaly"],
        "devices": settings["devices"],
        "num_nodes": settings["num_nodes"],
        "sync_batchnorm": settings["sync_batchnorm"],
        "enable_model_summary": settings["enable_model_summary"],
        "profiler": PROFILERS[profiler](dirpath=root, filename="profile") if profiler else NoProfiler(),
    }


def make_trainer(
    device: torch.device,
    root: Path,
    precision: Literal["32-true", "bf16-mixed"] = "32-true",
    callbacks: Sequence[Callback] = (),
    loggers: Sequence[Logger] = (),
    arguments: Mapping[str, Any] | None = None,
) -> pl.Trainer:
    """Return a trainer.

    Args:
        device: device to train on.
        root: directory in which Lightning looks for checkpoints that it wrote when SLURM preempted a job. No other run
            may use this directory.
        precision: precision of the computations within the networks.
        callbacks: all callbacks.
        loggers: all loggers.
        arguments: further arguments of `pl.Trainer`, see `lightning_arguments`.

    Raises:
        UserError: Lightning refuses the arguments, for example two progress bars, or two callbacks with the same state
            key in checkpoints.
    """
    for library in ("pytorch_lightning", "lightning_fabric"):  # both log remarks on the hardware at every start
        logging.getLogger(library).setLevel(logging.WARNING)
    if not torch.cuda.is_available():
        os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "0"  # else every optimizer step asks NVML for GPUs, which is slow
    given = dict(arguments or {})
    plugins: list[Plugin] = [AtomicCheckpointIO(root)]
    several = _several_processes(given, plugins)
    defaults: dict[str, Any] = {
        "num_sanity_val_steps": 0,
        "inference_mode": False,  # callbacks then work in the same way in evaluations during and after a training
        "log_every_n_steps": 0,  # the GAN logs by itself
        "enable_model_summary": False,
        "benchmark": True,
        "profiler": NoProfiler(),
    }
    try:
        return pl.Trainer(
            accelerator="cpu" if device.type == "cpu" else "gpu",
            precision=precision,
            max_epochs=-1,  # the GAN ends the run; an epoch of Lightning is the period between two evaluations
            default_root_dir=root,
            callbacks=list(callbacks),
            logger=list(loggers) or False,
            plugins=plugins,
            enable_checkpointing=any(isinstance(callback, LightningModelCheckpoint) for callback in callbacks),
            enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in callbacks),
            **defaults | given | several,
        )
    except (MisconfigurationException, RuntimeError) as error:
        raise UserError(f"Lightning's Trainer refuses a setting of callbacks, logger or trainer: {error}") from None


def _several_processes(given: dict[str, Any], plugins: list[Plugin]) -> dict[str, Any]:
    """Remove the arguments for several processes from `given`, and return the arguments to give to `pl.Trainer`.

    The plugins for several processes are added to `plugins`. Without a process group, there is one process.
    """
    devices, nodes, synchronise = given.pop("devices", 1), given.pop("num_nodes", 1), given.pop("sync_batchnorm", False)
    if processes.count() == 1:
        return {"devices": 1}
    plugins.append(processes.StartedProcesses(devices))
    if synchronise:
        plugins.append(SyncBatchNorm())
    strategy = AveragedGradients()
    return {"devices": devices, "num_nodes": nodes, "strategy": strategy, "use_distributed_sampler": False}


def required_callbacks() -> list[Callback]:
    """Return the callbacks that every training has, whatever callbacks the config chooses."""
    return [RandomState(), StopWhenNotFinite(), Interruption()]


def of_this_process(callbacks: Sequence[Callback]) -> list[Callback]:
    """Return the callbacks that this process needs: all of them in the process of rank 0, and only some in any other.

    All processes need Lightning's own callbacks, which exchange data between processes, and any other callback whose
    attribute `in_every_process` is True.
    """
    return [each for each in callbacks if processes.rank() == 0 or _is_in_every_process(each)]


def _is_in_every_process(callback: Callback) -> bool:
    is_of_lightning = type(callback).__module__.startswith("pytorch_lightning.")
    return bool(getattr(callback, "in_every_process", is_of_lightning))


def last_callbacks() -> list[Callback]:
    """Return the callbacks that must run last; they tell all processes whether another callback stops the training."""
    return [] if processes.count() == 1 else [SharedStop()]


def checkpoint_callbacks(run_directory: RunDirectory, monitor: str | None, mode: str) -> list[Callback]:
    """Return the callbacks that save last.ckpt at every evaluation or interruption, and best.ckpt for the best score.

    Args:
        run_directory: directory of the run.
        monitor: name of the score, such as fid_classifier; None saves no best.ckpt.
        mode: `min` if lower scores are better, `max` if higher scores are better.
    """
    where: dict[str, Any] = {
        "dirpath": run_directory.last.parent,
        "enable_version_counter": False,
        "save_on_train_epoch_end": True,
    }
    last = ModelCheckpoint(filename="last", save_on_exception=True, **where)
    return [last] if monitor is None else [ModelCheckpoint(filename="best", monitor=monitor, mode=mode, **where), last]


def fit(trainer: pl.Trainer, gan: GAN, data: StreamData, checkpoint: Path | None) -> None:
    """Train the GAN, starting from `checkpoint` if it is not None. Only tensors and plain values are loaded from it.

    Raises:
        SystemExit: a signal has stopped the training. The exit code is 128 plus the number of the signal, as in shells.
        UserError: the memory is too small.
    """
    try:
        with quiet_lightning(), exit_code_of_signal(trainer):
            trainer.fit(gan, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    except torch.OutOfMemoryError as error:
        raise out_of_memory(error, gan, data.stream.batch_size) from error
    finally:
        data.stream.close()


def validate(
    gan: GAN,
    data: StreamData,
    device: torch.device,
    callbacks: Sequence[Callback] = (),
    loggers: Sequence[Logger] = (),
    arguments: Mapping[str, Any] | None = None,
) -> None:
    """Score the GAN without training it, in float32. The scores are sent to the loggers and stored in `gan.logged`.

    The trainer gets an empty directory, because Lightning under SLURM would load the checkpoint of a preempted run
    from the run directory. Of the `arguments` of `pl.Trainer`, only those in NUMERICAL are used.

    Raises:
        UserError: the memory is too small.
    """
    numerical = {name: value for name, value in (arguments or {}).items() if name in NUMERICAL}
    with quiet_lightning(), tempfile.TemporaryDirectory(prefix="ganexp-") as root:
        trainer = make_trainer(device, Path(root), callbacks=callbacks, loggers=loggers, arguments=numerical)
        try:
            with exit_code_of_signal(trainer):
                trainer.validate(gan, datamodule=data, verbose=False)
                if trainer.received_sigterm:  # after the last batch, Lightning does not check for a signal
                    raise SIGTERMException
        except torch.OutOfMemoryError as error:
            raise UserError(
                f"out of memory in an evaluation: {first_line(error)}\nThe evaluation's batches have "
                f"metrics.batch_size={data.validation_batch_size} images: use a smaller number"
            ) from error
        gan.to(device)  # Lightning has moved the GAN to the CPU, but the caller needs the GAN on `device`


@contextmanager
def exit_code_of_signal(trainer: pl.Trainer) -> Iterator[None]:
    """If a signal stops Lightning, exit with 128 plus the signal's number. Lightning itself would exit with 0 or 1."""
    try:
        yield
    except SIGTERMException:
        callbacks = getattr(trainer, "callbacks", [])  # Lightning does not declare the attribute
        received = [callback.received for callback in callbacks if isinstance(callback, Interruption)]
        if any(isinstance(callback, SharedStop) and callback.is_preempted for callback in callbacks):
            received = [signal.SIGUSR1]
        raise SystemExit(128 + (received or [signal.SIGTERM])[0]) from None
    except SystemExit as stop:
        # after Ctrl-C, Lightning exits with 1
        raise SystemExit(128 + signal.SIGINT if stop.code == 1 else stop.code) from None


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Silence Lightning's warnings, and torch's warning about a scheduler that makes a step before its optimizer."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        warnings.filterwarnings("ignore", r"Detected call of `lr_scheduler\.step\(\)` before `optimizer\.step\(\)`")
        yield
