"""Read checkpoints without running code from them, and write them so that no partial file remains."""

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO
from torch import nn

from ganexp.errors import UserError
from ganexp.plain_values import refuse_unreadable
from ganexp.runs.atomic import replacing
from ganexp.runs.run_directory import RunDirectory

# A key in the entry `ganexp` of a checkpoint. If a callback has stopped the run, its value is the reason as a text, or
# True if no reason is known; otherwise it is False.
STOPPED = "stopped"
MAX_NAMED = 6  # an error message names at most this many weights


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write a checkpoint to a temporary file in the same directory, and then replace the old checkpoint with this file.

    Lightning's class writes to the system's temporary directory first. If that directory is on another disk, the file
    is then copied over the old checkpoint. If the process is killed during this copy, both checkpoints are lost.

    Args:
        root: the run directory. Checkpoints of earlier processes may be removed only in this directory.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = Path(root).resolve()
        self._saved: set[Path] = set()

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        """Save `checkpoint` at `path`; an existing file is replaced atomically.

        Raises:
            UserError: a weight is NaN or infinite, or a value could not be loaded again, so that the run could not
                continue from this checkpoint.
        """
        refuse_not_finite(checkpoint.get("state_dict", {}), checkpoint.get("ganexp", {}).get("step", 0))
        refuse_unreadable(checkpoint)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        _save(checkpoint, Path(path))
        self._saved.add(Path(path).resolve())

    def remove_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Remove the checkpoint at `path` if this process saved it, or if it is a .ckpt file in the run directory.

        The checkpoint from which a run resumes stores the paths of older checkpoints, and Lightning removes these older
        checkpoints. A checkpoint from a stranger could therefore name any file.
        """
        file = Path(path).resolve()
        if not file.is_file():
            return
        if file in self._saved or (file.suffix == ".ckpt" and self._root in file.parents):
            file.unlink()
        else:
            warnings.warn(f"{path} was not removed: it is not a checkpoint of this run", stacklevel=2)


def _save(checkpoint: dict[str, Any], path: Path) -> None:
    with replacing(path) as temporary, open(temporary, "wb") as file:
        to = _File(file)
        try:
            torch.save(checkpoint, cast(IO[bytes], to))
        except RuntimeError as error:
            raise to.error or error from None


class _File:
    """A file for torch.save that keeps the error of a failed write, for example if the disk is full.

    torch.save would hide this error.

    Attributes:
        error: the first error that occurred while writing; None if there was none.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write the bytes in `data`, and return how many were written."""
        with self._kept_error():
            return self._file.write(data)

    def flush(self) -> None:
        """Write the buffered bytes to the file."""
        with self._kept_error():
            self._file.flush()

    @contextmanager
    def _kept_error(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.error = self.error or error
            raise


def not_finite(tensors: Mapping[str, Any]) -> list[str]:
    """Return the names of the tensors that contain NaN or infinity. On a GPU, this waits once for the device."""
    floats = {name: x for name, x in tensors.items() if isinstance(x, torch.Tensor) and x.is_floating_point()}
    if not floats:
        return []
    are_finite = torch.stack([x.detach().isfinite().all() for x in floats.values()]).tolist()
    return [name for name, is_finite in zip(floats, are_finite, strict=True) if not is_finite]


def refuse_not_finite(tensors: Mapping[str, Any], step: int) -> None:
    """Check that the weights of a run are finite.

    Raises:
        UserError: a weight is NaN or infinite.
    """
    bad = not_finite(tensors)
    if bad:
        more = f" and {len(bad) - MAX_NAMED} more" if len(bad) > MAX_NAMED else ""
        raise UserError(
            f"The run diverged: NaN or infinity in {', '.join(bad[:MAX_NAMED])}{more} at step {step}.\nThe checkpoint "
            "and samples from before this step are kept. Try a lower learning rate: optimizer.discriminator.lr, "
            "optimizer.generator.lr."
        )


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return the checkpoint in `path`, with tensors on the CPU. Only tensors and plain values are loaded.

    Raises:
        UserError: the file is damaged, contains other values, or is not a checkpoint of ganexp.
    """
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        return {"state_dict": checkpoint["state_dict"], "ganexp": {"step": checkpoint["ganexp"]["step"]}} | checkpoint
    except Exception as error:  # for a damaged file, torch.load can raise errors of any type
        unsafe = _unsafe_names(path)
        reason = (
            f"it contains {', '.join(unsafe)}, but only tensors and plain values are loaded, because they run no code"
            if unsafe
            else f"it is damaged, or not a checkpoint of ganexp ({type(error).__name__})"
        )
        raise UserError(
            f"{path} cannot be read: {reason}.\n"
            "To evaluate or sample, give another checkpoint of the run. To train the run again from its beginning, "
            "remove last.ckpt and use ganexp resume."
        ) from None


def _unsafe_names(path: Path) -> list[str]:
    """Return the functions and classes that torch refuses to load from a file; an empty list for a damaged file."""
    try:
        return torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # a damaged file can raise errors of any type
        return []


def check_fits(checkpoint: Mapping[str, Any], module: nn.Module, path: Path, config: Path) -> None:
    """Check that the weights in `checkpoint` have the same names and shapes as the weights of `module`.

    Args:
        checkpoint: the content of a checkpoint.
        module: the module that the weights are for.
        path: path of the checkpoint, for the error message.
        config: path of the config that `module` was built from, for the error message.

    Raises:
        UserError: a weight is missing, is unknown, or has another shape.
    """
    lines = differences(checkpoint["state_dict"], module.state_dict())
    if lines:
        raise UserError("\n".join([f"{path} does not fit the config of its run, {config}:", *lines]))


def differences(stored: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """Return at most 7 lines about the weights that are missing, unexpected or of another shape in `stored`.

    Args:
        stored: the state dict in a checkpoint.
        expected: the state dict of a module that was built from the config.
    """
    stored, expected = _shapes(stored), _shapes(expected)
    differing = [name for name in expected | stored if stored.get(name) != expected.get(name)]
    lines = [
        f"  {name}: {stored.get(name, 'missing')} in the checkpoint, {expected.get(name, 'missing')} in the config"
        for name in differing[:MAX_NAMED]
    ]
    return lines + ([f"  and {len(differing) - MAX_NAMED} more"] if len(differing) > MAX_NAMED else [])


def _shapes(state: Mapping[str, Any]) -> dict[str, str]:
    """Return the shape of each tensor in a state dict as a text, such as 256x64."""
    tensors = {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}
    return {name: "x".join(map(str, tensor.shape)) or "a number" for name, tensor in tensors.items()}


def latest_checkpoint(run: RunDirectory) -> tuple[Path | None, int]:
    """Return the checkpoint from which to resume a run, and its step; (None, 0) if the run has no last.ckpt yet.

    This checkpoint is last.ckpt or, if last.ckpt is damaged, the undamaged checkpoint with the largest step.

    Raises:
        UserError: all checkpoints are damaged, or there is a directory where a checkpoint should be.
    """
    for path in (run.last, run.best):
        if path.is_dir():
            raise UserError(f"{path} is a directory, but the run saves a checkpoint at this path. Move the directory.")
    if not run.last.exists():
        return None, 0
    try:
        return run.last, _step(run.last)
    except UserError:
        others = [path for path in run.last.parent.glob("[!.]*.ckpt") if path != run.last]
        whole = [(step, path) for path in others if (step := _step_if_whole(path)) is not None]
        if not whole:
            raise
    step, path = max(whole)
    return path, step


def _step(path: Path) -> int:
    return read_checkpoint(path)["ganexp"]["step"]


def _step_if_whole(path: Path) -> int | None:
    try:
        return _step(path)
    except UserError:
        return None


def forget_scores(path: Path) -> None:
    """Remove all scores from the callbacks' states in the checkpoint at `path`, so that a resumed run has no scores.

    A callback of ganexp keeps its scores in the entry `scores` of its state. If the state of a Lightning callback has a
    best score, the whole state is removed, because Lightning's callbacks load only complete states.
    """
    checkpoint = read_checkpoint(path)
    states = {key: state for key, state in checkpoint["callbacks"].items() if not _has_best_score(state)}
    for state in states.values():
        if isinstance(state, dict):
            state.pop("scores", None)
    checkpoint["callbacks"] = states
    _save(checkpoint, path)


def forget_stop(run: RunDirectory) -> None:
    """Delete the entry `STOPPED` from the latest checkpoint of a run, so that the run can continue."""
    path, _ = latest_checkpoint(run)
    if path is not None and (checkpoint := read_checkpoint(path))["ganexp"].pop(STOPPED, False):
        _save(checkpoint, path)


def _has_best_score(state: Any) -> bool:
    return isinstance(state, dict) and any(state.get(name) is not None for name in ("best_score", "best_model_score"))


def remove_preemption_checkpoints(run: RunDirectory) -> None:
    """Remove the checkpoints that Lightning saves into the run directory when SLURM preempts a job.

    SLURM's signal can arrive in the middle of a step, so resuming from these checkpoints would change the result. A run
    resumes from last.ckpt, or from the beginning, but Lightning would load these checkpoints if last.ckpt is missing.
    """
    for checkpoint in run.path.glob("hpc_ckpt_*.ckpt"):
        checkpoint.unlink()
