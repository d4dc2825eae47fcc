"""Read checkpoints without running code from them, and write them so that no partial file remains."""

import os
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from ganexp.errors import UserError
from ganexp.runs.atomic import replacing
from ganexp.runs.run_directory import RunDirectory


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write a checkpoint to a temporary file in the same directory, and then replace the old checkpoint with it.

    Lightning's class writes to the system's temporary directory first. If this is on another disk, the move is a copy
    over the old file, and if the process is killed during the copy, both checkpoints are lost.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        """Save `checkpoint` at `path` with an atomic replacement."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        _save(checkpoint, Path(path))


def _save(checkpoint: dict[str, Any], path: Path) -> None:
    with replacing(path) as temporary:
        torch.save(checkpoint, temporary)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return the checkpoint in `path`, with tensors on the CPU. Only tensors and plain values are loaded.

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


def forget_best(path: Path) -> None:
    """Remove the best score from the checkpoint in `path`, so that a resumed run chooses a new best checkpoint."""
    checkpoint = read_checkpoint(path)
    states = checkpoint["callbacks"]
    checkpoint["callbacks"] = {key: state for key, state in states.items() if not _has_best_score(state)}
    _save(checkpoint, path)


def _has_best_score(state: Any) -> bool:
    return isinstance(state, dict) and state.get("monitor") is not None and "best_model_score" in state


def remove_preemption_checkpoints(run: RunDirectory) -> None:
    """Remove the checkpoints that Lightning saves into the run directory when SLURM preempts a job.

    The signal can arrive in the middle of a step, so resuming from them would change the result. A run resumes from
    last.ckpt, or from the beginning, but Lightning would load these checkpoints if there is no last.ckpt yet.
    """
    for checkpoint in run.path.glob("hpc_ckpt_*.ckpt"):
        checkpoint.unlink()
