"""Record the settings and the result of a run in run.json and in the loggers, and print a table of the scores."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import Logger
from rich.table import Table

from ganexp import log_keys
from ganexp.commands.sweeps.job import sweep_of
from ganexp.config.trust import in_front_of_command
from ganexp.console import make_console, say, say_once, shell_path, short_path
from ganexp.loggers.result import log_hyperparameters, log_result
from ganexp.report.settings import is_setting, select_settings, setting_name, setting_text
from ganexp.report.untrained import untrained_remark
from ganexp.report.values import flatten
from ganexp.runs.environment import now
from ganexp.runs.run_directory import EVENTS, RunDirectory

NO_RESULT = dict.fromkeys(("last_step", "scores", "best_by", "objective"))  # the result of a run that has not ended


def record_settings(cfg: DictConfig, run: RunDirectory, loggers: Sequence[Logger]) -> None:
    """Send the hyperparameters of a run to the loggers when it starts or resumes, and print how to watch its curves."""
    log_hyperparameters(loggers, hyperparameters(cfg, run.metadata()))
    if cfg.debug.keep_files and any(run.path.glob(EVENTS)):
        watched = sweep_of(run) or run
        say_once(f"watch the curves with: tensorboard --logdir {shell_path(watched.path)}")


def record_result(
    cfg: DictConfig,
    run: RunDirectory,
    loggers: Sequence[Logger],
    monitor: str | None,
    mode: str,
    status: str,
    step: int,
) -> float | None:
    """Record the end of a run in run.json and in the loggers, print its scores, and return the objective for a search.

    Args:
        cfg: the resolved config.
        run: the run directory.
        loggers: the loggers that receive the result.
        monitor: name of the score that decides which evaluation is best; None if there are no scores.
        mode: `min` if the lowest score is the best, `max` if the highest score is.
        status: how the training ended.
        step: the last step of the training, for which nothing may have been logged.
    """
    points = run.points()
    scores = final_scores(points, monitor, mode) if monitor else {}
    metadata = run.metadata()
    spreads = {name for name, info in metadata.get("score_info", {}).items() if "spread_of" in info}
    if scores:
        values = {
            f"{which}/{name}": value
            for which in ("best", "last")
            for name, value in scores.get(which, {}).items()
            if name != "step" and name not in spreads
        }
    else:
        values = _last_losses(points)
    log_result(loggers, hyperparameters(cfg, metadata), values, step)
    objective = _objective(scores, monitor, mode)
    result = {"last_step": step, "scores": scores, "best_by": monitor, "objective": objective}
    run.update_metadata(status=status, ended=now(), **result)
    is_initial = bool(metadata.get("init_from"))
    remark = untrained_remark(scores, monitor, higher_is_better=mode == "max", is_initial=is_initial)
    _print_result(cfg, run, scores, spreads, remark)
    return objective


def _objective(scores: Mapping[str, Mapping[str, float]], monitor: str | None, mode: str) -> float | None:
    """Return what a search minimises: the best value of the score `monitor`, negated if higher scores are better."""
    if monitor is None or "best" not in scores:
        return None
    best = scores["best"][monitor]
    return -best if mode == "max" else best


def final_scores(points: Sequence[Mapping[str, Any]], monitor: str, mode: str) -> dict[str, dict[str, float]]:
    """Return the scores and steps of the best evaluation, the last evaluation and the untrained networks.

    An entry is missing if there is no such evaluation. The result is empty if there was no evaluation after step 0.

    Args:
        points: logged points.
        monitor: name of the score that decides which evaluation is best. Step 0, and evaluations for which this score
            could not be computed, are never the best.
        mode: `min` if the lowest score is the best, `max` if the highest score is.
    """
    key = log_keys.score_key(monitor)
    scored = [point for point in points if key in point]
    trained = [point for point in scored if point["step"] > 0]
    if not trained:
        return {}
    chosen = {"last": max(trained, key=lambda point: point["step"])}
    if finite := [point for point in trained if math.isfinite(point[key])]:
        chosen = {"best": (max if mode == "max" else min)(finite, key=lambda point: point[key])} | chosen
    if untrained := [point for point in scored if point["step"] == 0]:  # no such point if the images have changed
        chosen["untrained"] = untrained[0]
    return {which: _scores_of(point) for which, point in chosen.items()}


def _last_losses(points: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the last logged losses, even if callbacks have logged other values after these losses."""
    losses = [{key: value for key, value in point.items() if key.startswith(log_keys.LOSS)} for point in points]
    return next((values for values in reversed(losses) if values), {})


def _scores_of(point: Mapping[str, Any]) -> dict[str, float]:
    scores = {key: value for key, value in point.items() if key == "step" or key.startswith(log_keys.SCORE)}
    return {key.removeprefix(log_keys.SCORE): value for key, value in scores.items()}


def hyperparameters(cfg: DictConfig, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that loggers use to compare runs: numbers, Booleans and strings, under their dotted keys.

    The result has the seed, the tags, and those chosen options and config values that `report` treats as settings. A
    Python class is represented by its name.

    Args:
        cfg: the resolved config.
        metadata: content of run.json.
    """
    options = {group: option for group, option in metadata.get("groups", {}).items() if option and is_setting(group)}
    chosen = {group: option if isinstance(option, str) else ",".join(option) for group, option in options.items()}
    config = {key: value for key, value in flatten(OmegaConf.to_container(cfg)) if value is not None}
    settings = {
        setting_name(key): value if isinstance(value, (bool, int, float)) else setting_text(key, value)
        for key, value in select_settings(config).items()
    }
    return chosen | settings | {"seed": cfg.seed, "tags": ",".join(cfg.get("tags") or [])}


def _print_result(
    cfg: DictConfig, run: RunDirectory, scores: dict[str, dict[str, float]], spreads: set[str], remark: str
) -> None:
    console = make_console()
    if scores:
        names = [name for name in scores["last"] if name != "step" and name not in spreads]
        table = Table("", "step", *names)
        first = "initial" if run.metadata().get("init_from") else "untrained"  # the name of the row for step 0
        for which in [which for which in ("untrained", "best", "last") if which in scores]:
            values = scores[which]
            cells = [f"{values[name]:.4g}" if name in values else "" for name in names]
            table.add_row(first if which == "untrained" else which, f"{values['step']:,}", *cells)
        console.print(table)
    if remark:
        say(remark)
    if sweep_of(run):
        return  # the sweep prints a table of all jobs
    pictures = sorted(run.samples.glob("step-*.png"))
    files = {"samples": pictures[-1] if pictures else None, "curves": run.curves, "checkpoints": run.last.parent}
    for name, path in files.items():
        if path is not None and path.exists():
            console.print(f"{name:12} {short_path(path)}", soft_wrap=True, highlight=False)
    if scores:
        trust = in_front_of_command(cfg, without=["callbacks"])
        say(f"{'evaluate':12} {trust}ganexp evaluate ckpt={shell_path(run.path)}")
