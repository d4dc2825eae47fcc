"""Choose a checkpoint of a run by its step or its epoch."""

from pathlib import Path

from ganexp.checkpoint import read_checkpoint
from ganexp.errors import UserError
from ganexp.runs.run_directory import RunDirectory


def choose_checkpoint(ckpt: str, step: int | None, epoch: int | None) -> str:
    """Return the path of the checkpoint of a given step or epoch in the run directory `ckpt`.

    Args:
        ckpt: path of a run directory, or of a checkpoint if neither a step nor an epoch is given.
        step: step of the checkpoint; None if no step is given.
        epoch: an epoch in `schedule.keep_at`, after which the checkpoint was saved; None if no epoch is given.

    Returns:
        The path of the checkpoint; `ckpt` itself if neither a step nor an epoch is given.

    Raises:
        UserError: both `step` and `epoch` are given, `ckpt` is not a run directory, or the run has no such checkpoint.
    """
    if step is None and epoch is None:
        return ckpt
    if step is not None and epoch is not None:
        raise UserError(f"step={step} and epoch={epoch}: give one of the two")
    given = f"step={step}" if epoch is None else f"epoch={epoch}"
    path = Path(ckpt).expanduser()
    if not path.is_dir():
        raise UserError(f"{given} chooses a checkpoint of a run: give ckpt=RUN_DIRECTORY, not ckpt={ckpt}")
    run = RunDirectory(path)
    kept = run.kept_checkpoints()
    if epoch is not None:
        chosen = next((file for (_, of_epoch), file in kept.items() if of_epoch == epoch), None)
    else:
        chosen = _of_step(run, step)
    if chosen is None:
        raise UserError(f"{given}: {ckpt} has no such checkpoint. It has: {_choices(run, by_epoch=epoch is not None)}")
    return str(chosen)


def _of_step(run: RunDirectory, step: int | None) -> Path | None:
    return next((file for number, file in _by_step(run) if number == step), None)


def _by_step(run: RunDirectory) -> list[tuple[int, Path]]:
    """Return the step and path of each checkpoint; for the best and the last one, read the step from the file."""
    unnamed = [file for file in (run.best, run.last) if file.exists()]
    steps = [(step, file) for (step, _), file in run.kept_checkpoints().items()]
    return sorted(steps + [(read_checkpoint(file)["ganexp"]["step"], file) for file in unnamed])


def _choices(run: RunDirectory, by_epoch: bool) -> str:
    if by_epoch:
        epochs = [str(epoch) for _, epoch in run.kept_checkpoints()]
        return (
            f"epochs {', '.join(epochs)}"
            if epochs
            else "the best and the last one. To keep others, train with schedule.keep_at=[EPOCH]"
        )
    steps = [f"{step}" for step in dict(_by_step(run))]
    return f"{'step' if len(steps) == 1 else 'steps'} {', '.join(steps)}" if steps else "none"
