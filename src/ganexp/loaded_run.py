"""Load the networks of a run from a checkpoint and the config of its run directory."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from ganexp.build import build_gan
from ganexp.checkpoint import check_fits, read_checkpoint
from ganexp.config import trust
from ganexp.errors import UserError
from ganexp.runs.run_directory import RunDirectory, newest_run_below
from ganexp.training.gan import GAN
from ganexp.training.trainer import choose_device


@dataclass
class LoadedRun:
    """A checkpoint and the config of its run directory.

    Args:
        cfg: resolved config of the run.
        gan: networks with the weights of the checkpoint, on the chosen device.
        run: the run directory.
        facts: path and step of the checkpoint, and whether images come from the averaged generator.
    """

    cfg: DictConfig
    gan: GAN
    run: RunDirectory
    facts: dict[str, Any]


def load_run(ckpt: str, accelerator: str) -> LoadedRun:
    """Load the given checkpoint; for a run directory, load its best checkpoint, or else its last one.

    Only tensors and plain values are read from the checkpoint, and the config is checked, so that neither of them can
    run untrusted code.

    Raises:
        UserError: the checkpoint is missing or damaged, or its weights do not fit the config of its run directory.
    """
    path = find_checkpoint(ckpt, "ckpt")
    run = RunDirectory(path.parent.parent)
    cfg = trust.load(run.config, without=("callbacks", "logger"))  # callbacks and loggers are not needed here
    gan = build_gan(cfg)
    checkpoint = read_checkpoint(path)
    check_fits(checkpoint, gan, path, run.config)
    gan.load_state_dict(checkpoint["state_dict"])
    gan.step = checkpoint["ganexp"]["step"]
    facts = {"checkpoint": str(path), "step": gan.step, "ema": gan.averaged_generator is not None}
    return LoadedRun(cfg, gan.to(choose_device(accelerator)), run, facts)


def find_checkpoint(given: str, key: str) -> Path:
    """Return the path of the given checkpoint; for a run directory, the path of its best, or else last, checkpoint.

    Args:
        given: path of a checkpoint or a run directory.
        key: the config key that has this path as its value, for error messages.

    Raises:
        UserError: there is no such checkpoint.
    """
    path = Path(given).expanduser()
    if path.is_dir():
        run = RunDirectory(path)
        path = next((file for file in (run.best, run.last) if file.exists()), run.best)
    if path.suffix == ".zip" and path.is_file():
        raise UserError(
            f"{key}={given}: unpack the zip file, and give the run directory in it. A zip file from ganexp report "
            "--bundle contains a checkpoint only if the command had checkpoint=true"
        )
    if not path.is_file():
        hint = newest_run_below(given) or _why_failed(Path(given).expanduser())
        raise UserError(f"{key}={given}: no such checkpoint. Give a .ckpt file or a run directory.{hint}")
    return path


def _why_failed(path: Path) -> str:
    """Return, as a line of an error message, why the run in the directory failed; "" if this is not known."""
    error = RunDirectory(path).metadata().get("error") if (path / "run.json").is_file() else None
    return f"\nThis run has failed: {error}" if error else ""
