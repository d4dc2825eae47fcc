"""Run `ganexp evaluate ckpt=…`: score a checkpoint, or the checkpoint of every finished run in a directory."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ganexp.commands.evaluation.checkpoint import evaluate_checkpoint
from ganexp.config import schema
from ganexp.console import count, say, saying_once, shell_path, short_path, short_paths
from ganexp.errors import UserError
from ganexp.report.collect import find_runs
from ganexp.runs.process import current_status
from ganexp.runs.run_directory import RunDirectory


def evaluate(cfg: DictConfig) -> None:
    """Score the checkpoint that `ckpt` names, or each finished run in the directory that `ckpt` names.

    Args:
        cfg: the unresolved config. It cannot be resolved yet, because its metrics refer to the data of the run.

    Raises:
        UserError: see `evaluate_checkpoint` and `evaluate_runs`.
    """
    metrics: Any = OmegaConf.to_container(cfg.metrics)
    settings = schema.resolve(cfg, without=["metrics"])
    if runs := runs_below(Path(settings.ckpt).expanduser()):
        evaluate_runs(runs, settings, metrics)
    else:
        evaluate_checkpoint(settings, metrics)


def runs_below(path: Path) -> list[Path]:
    """Return the sorted paths of the runs in a directory; [] if `path` is itself a run, or is not a directory."""
    is_run = (path / "run.json").exists() or (path / "checkpoints").is_dir()
    return [] if is_run or not path.is_dir() else sorted(find_runs(path))


def evaluate_runs(runs: Sequence[Path], settings: DictConfig, metrics: Mapping[str, Any]) -> None:
    """Score each finished run that has not been scored under the same protocol, and print how many runs are left out.

    Args:
        runs: run directories.
        settings: the resolved settings of the command, which are used for every run.
        metrics: the unresolved metrics of the command.

    Raises:
        UserError: `output` is given, no run is finished, or some runs cannot be scored. In the last case, all other
            runs are scored before the error is raised.
    """
    if settings.output:
        raise UserError("output=…: the scores of several runs do not fit into one directory. Leave output out")
    finished = [run for run in runs if _status(run) == "finished"]
    if not finished:
        raise UserError(f"ckpt={settings.ckpt}: of {count(len(runs), 'run')} there, none is finished")
    with saying_once():
        outcomes = {run: _score_once(run, settings, metrics) for run in finished}
    failed = [f"{short_path(run)}: {outcome}" for run, outcome in outcomes.items() if isinstance(outcome, UserError)]
    scored, skipped = list(outcomes.values()).count(True), list(outcomes.values()).count(False)
    unfinished = len(runs) - len(finished)
    say(f"\n{count(scored, 'run')} scored, {skipped} skipped, {unfinished} not finished, {len(failed)} failed")
    if failed:
        share = f"{len(failed)} of {count(len(finished), 'run')}"
        raise UserError(f"{share} could not be scored:\n" + "\n".join(failed))
    say(f"compare them: ganexp report {shell_path(Path(settings.ckpt).expanduser())}")


def _score_once(run: Path, settings: DictConfig, metrics: Mapping[str, Any]) -> bool | UserError:
    """Score a run unless it has scores under the same protocol. Return whether it was scored, or the error."""
    say(f"\n{short_path(run)}")
    of_run = settings.copy()
    of_run.ckpt = str(run)
    try:
        is_scored = evaluate_checkpoint(of_run, metrics, is_repeated=False)
    except UserError as error:
        say(f"not scored: {short_paths(str(error))}")
        return error
    if not is_scored:
        say("skipped: already scored under this protocol")
    return is_scored


def _status(run: Path) -> str | None:
    """Return the status of a run; None if its run.json cannot be read."""
    try:
        return current_status(RunDirectory(run).metadata())
    except UserError as error:
        say(f"not scored: {error}")
        return None
