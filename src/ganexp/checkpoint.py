"""Read and write checkpoints: safely, since a checkpoint may come from a stranger, and never half a file."""

import os
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from ganexp.errors import UserError
from ganexp.runs.atomic import replacing
from ganexp.runs.run_directory import RunDirectory


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write a checkpoint to a temporary file first, so that a kill leaves the old one whole."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        """Save `checkpoint` at `path`, which is replaced in one piece."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with replacing(Path(path)) as temporary:
            super().save_checkpoint(checkpoint, temporary, storage_options)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return the checkpoint in `path`, on the CPU. Only tensors and plain values are loaded.

    Raises:
        UserError: the file is damaged, contains code, or is not a checkpoint of ganexp.
    """
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        return {"state_dict": checkpoint["state_dict"], "ganexp": checkpoint["ganexp"]} | checkpoint
    except Exception as error:  # torch.load raises whatever the damage leads to
        raise UserError(
            f"{path} cannot be read: it is damaged, or not a checkpoint of ganexp ({type(error).__name__}).\n"
            "Use another checkpoint of the run; without last.ckpt, ganexp resume starts from the beginning."
        ) from None


def latest_checkpoint(run: RunDirectory) -> tuple[Path | None, int]:
    """Return the checkpoint from which to resume a run, and its step; (None, 0) if the run has none yet."""
    if not run.last.exists():
        return None, 0
    return run.last, read_checkpoint(run.last)["ganexp"]["step"]


def remove_preemption_checkpoints(run: RunDirectory) -> None:
    """Remove the checkpoints that Lightning saves into the run directory when SLURM preempts a job.

    The signal can arrive in the middle of a step, so a run that resumed from them would not be the same run. It resumes
    from last.ckpt, or from the beginning; but Lightning would load them where there is no last.ckpt yet.
    """
    for checkpoint in run.path.glob("hpc_ckpt_*.ckpt"):
        checkpoint.unlink()
