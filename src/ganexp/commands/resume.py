"""`ganexp resume`: continue a run that was stopped, or train a finished one longer."""

from omegaconf import DictConfig

from ganexp.checkpoint import latest_checkpoint
from ganexp.commands.train import fit_run, prepare
from ganexp.config import trust
from ganexp.console import say
from ganexp.errors import UserError
from ganexp.runs.environment import now
from ganexp.runs.run_directory import RunDirectory, newest_run_below


def resume(path: str, steps: int | None = None) -> None:
    """Continue the run in `path` from its last checkpoint, or from the start if it has none yet.

    Args:
        path: of the run directory.
        steps: new length of the run, at least the old one; None keeps it. A pruned run can be continued with it, too.

    Raises:
        UserError: no run there, one that another process is training, a config that is not trusted, or a run that
            cannot be made longer.
    """
    run = RunDirectory(path)
    if not run.config.exists() or not run.metadata_file.exists():
        hint = newest_run_below(path)
        raise UserError(f"{path} is not a run directory: it has no config.yaml and run.json.{hint}")
    with run.locked():
        metadata = run.metadata()
        status = metadata.get("status")
        if status in ("finished", "pruned") and steps is None:
            train_on = "train longer" if status == "finished" else "train it all the same"
            say(f"{path} is {status}: nothing to do. To {train_on}: ganexp resume {path} schedule.steps=…")
            return
        cfg = trust.load(run.config)
        if steps is not None:
            lengthen(cfg, steps)
        say(f"resuming from step {latest_checkpoint(run)[1]:,}")
        prepared = prepare(cfg)
        run.update_metadata(status="running", resumed=[*metadata.get("resumed", []), now()])
        if steps is not None:
            run.save_config(cfg)
        fit_run(cfg, run, prepared)


def lengthen(cfg: DictConfig, steps: int) -> None:
    """Set the length of a run to `steps`.

    Raises:
        UserError: the run ends by discriminator updates, its learning rate depends on its length, or `steps` is not
            more than before.
    """
    schedule = cfg.schedule
    if schedule.max_d_steps is not None:
        raise UserError(
            f"schedule.steps={steps}: this run ends after schedule.max_d_steps={schedule.max_d_steps} discriminator "
            "updates, which cannot be changed. Train a new run with more of them."
        )
    if schedule.lr_decay is not None:
        raise UserError(
            f"schedule.steps={steps}: the learning rate of this run decays towards its end, which cannot be moved."
        )
    if steps < schedule.steps:
        raise UserError(f"schedule.steps={steps}: this run has {schedule.steps} steps: give more")
    schedule.steps = steps
    cfg.sweep.prune = False  # the user wants this run, whatever its rank
