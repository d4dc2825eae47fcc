"""Read a run directory without executing any code from it, because it may come from an untrusted source."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ganexp.errors import UserError, first_line
from ganexp.report.curves import Curve, read_curves
from ganexp.report.evaluated import UNKNOWN_PROTOCOL, Evaluated, read_evaluated
from ganexp.report.score_info import ScoreInfo, read_score_info
from ganexp.report.settings import IMAGE_PATHS, read_config, select_settings
from ganexp.report.untrained import untrained_remark
from ganexp.report.values import as_dict, as_list, flatten, is_number, not_numbers, plain
from ganexp.runs.links import refuse_links
from ganexp.runs.process import DIED, current_status
from ganexp.runs.run_directory import RunDirectory, sweep_above
from ganexp.runs.sweep_directory import PRESETS

MAX_COMMAND_LENGTH = 2000  # characters
CALM_STATUSES = ("finished", "running", "interrupted")  # other statuses, such as failed, mean an early end
UNREADABLE, NOT_STARTED = "unreadable", "not started"
WITHOUT_SETTINGS = (UNREADABLE, NOT_STARTED)  # statuses of runs that are only listed
FOR_SWEEPS = re.compile(rf"[+~]*(?:sweep\.|(?:{'|'.join(PRESETS)})(?:=|$))")  # the overrides of a sweep as a whole
EVALUATIONS = ("last", "best", "untrained")  # keys in run.json; "last" is first, because "best" was chosen by its score


@dataclass
class Run:
    """The content of one run directory.

    Attributes:
        path: the run directory.
        label: the name of the run in the report, which is the path relative to the common parent of all runs.
        name: the setting `name`.
        status: the status in run.json; "unreadable" if the directory cannot be read; "not started" for a job of a
            sweep that failed before its training began, so that its directory has no config.yaml.
        seed: the setting `seed`.
        settings: the config with dotted keys, without values that depend on the run or its machine (seed, name, paths).
        metadata: the content of run.json.
        scores: for each evaluation (see EVALUATIONS), its scores with their names as keys, and its step.
        evaluated: the scores of `ganexp evaluate`.
        score_info: the information about the scores in run.json; the keys are the names of the scores.
        protocol: the settings under which the scores were measured during training; the keys are dotted.
        overrides: the overrides that were typed, with the present number of steps of the run.
        image_path: the path of the images in the config; "" if the dataset has no path.
        curves: curves of losses, scores and mean logits.
        warnings: reasons not to trust the run's scores.
    """

    path: Path
    label: str
    name: str = ""
    status: str = UNREADABLE
    seed: int | str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    evaluated: list[Evaluated] = field(default_factory=list)
    score_info: dict[str, ScoreInfo] = field(default_factory=dict)
    protocol: dict[str, Any] = field(default_factory=dict)
    overrides: list[str] = field(default_factory=list)
    image_path: str = ""
    curves: list[Curve] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def dataset(self) -> str:
        """Return the option of the config group `data`; "" if it is not recorded."""
        return plain(as_dict(self.metadata.get("groups")).get("data") or "")

    @property
    def images(self) -> tuple[str, ...]:
        """Return the hashes of the training images, the oldest first; empty if they are not recorded.

        There are several hashes if the run was resumed with other images.
        """
        changes = self.metadata.get("data_changes")
        before = [as_dict(change).get("data") for change in (changes if isinstance(changes, list) else [])]
        contents = [as_dict(as_dict(content).get("train")) for content in [*before, self.metadata.get("data")]]
        return tuple(dict.fromkeys(plain(content["sha256"]) for content in contents if content.get("sha256")))

    @property
    def command(self) -> str:
        """Return the command that was typed, quoted for a shell; "" if it is not recorded."""
        typed = self.metadata.get("command")
        return _quoted(as_list(typed)) if isinstance(typed, list) else ""

    @property
    def own_command(self) -> str:
        """Return the command that trains only this job of a sweep; "" for a run that is not a job of a sweep.

        The result is also "" if the sweep had --config-dir, because the overrides of the job lack this directory. The
        overrides that start a sweep, or that only a sweep needs, are left out.
        """
        has_folder = any(word.startswith(("--config-dir", "-cd")) for word in as_list(self.metadata.get("command")))
        own = [override for override in self.overrides if not FOR_SWEEPS.match(override)]
        return _quoted(own) if sweep_above(self.path) and not has_folder else ""

    @property
    def last_step(self) -> float:
        """Return the last step that is logged or recorded in run.json, whichever is later; 0 if there is neither."""
        recorded = self.metadata.get("last_step")
        logged = [step for curve in self.curves if (step := curve.axes["step"][-1]) is not None]
        return max([*logged, recorded] if is_number(recorded) else logged, default=0)

    @property
    def has_scores(self) -> bool:
        """Return whether the run has scores from its training, either final or logged ones."""
        return any(self.scores.values()) or any(curve.kind == "score" for curve in self.curves)

    @property
    def protocol_id(self) -> str:
        """Return the id of the protocol, or UNKNOWN_PROTOCOL; scores with the same protocol id are comparable."""
        return str(self.protocol.get("id", UNKNOWN_PROTOCOL))

    def chosen_by(self, names: Sequence[str]) -> str | None:
        """Return the score, one of `names`, that chose the best checkpoint; None if none of them did."""
        best_by = self.settings.get("metrics.best_by")
        exact = f"{best_by}_{self.protocol.get('extractor')}"
        return exact if exact in names else next((name for name in names if name.startswith(f"{best_by}_")), None)

    @property
    def untrained_remark(self) -> str:
        """Return a one-line remark if the networks at step 0 scored better than the best checkpoint, otherwise ""."""
        directions = {name: info.higher_is_better for name, info in self.score_info.items()}
        name = self.chosen_by([name for name, higher_is_better in directions.items() if higher_is_better is not None])
        is_initial = bool(self.metadata.get("init_from"))
        return untrained_remark(self.scores, name, bool(name and directions[name]), is_initial)

    def scores_under(self, evaluation: str, protocol: str) -> dict[str, float]:
        """Return the scores of an evaluation under a protocol.

        Several files of `ganexp evaluate` may have the same evaluation and protocol, for example if a second command
        computed other scores. If several of them have a score, the value in the newest file counts.

        Args:
            evaluation: one of EVALUATIONS, or the name of an evaluation in `evaluated`.
            protocol: the id of the protocol.
        """
        if evaluation in EVALUATIONS:
            return self.scores[evaluation] if self.protocol_id == protocol else {}
        scores: dict[str, float] = {}
        for each in sorted(self.evaluated, key=lambda evaluated: evaluated.time):
            if (each.evaluation, each.protocol_id) == (evaluation, protocol):
                # a score that is not finite in the newer file is in its score_info, but not in its scores
                scores = {name: scores[name] for name in scores if name not in each.score_info} | each.scores
        return scores

    def was_evaluated(self, evaluation: str, score: str) -> bool:
        """Return whether `ganexp evaluate` has computed a score at an evaluation, even if the score is not finite."""
        return any(each.evaluation == evaluation and score in each.score_info for each in self.evaluated)

    def all_scores(self, evaluation: str) -> list[dict[str, float]]:
        """Return the scores of an evaluation under each protocol."""
        protocols = [self.protocol_id, *(each.protocol_id for each in self.evaluated)]
        return [self.scores_under(evaluation, protocol) for protocol in protocols]


def _quoted(arguments: list[str]) -> str:
    """Return the command of ganexp with `arguments` as one line for a shell."""
    return plain(shlex.join(["ganexp", *arguments]), MAX_COMMAND_LENGTH)


def read_run(path: Path, label: str) -> Run:
    """Return the run in the directory `path`; if it cannot be read, the run has a warning with the reason."""
    try:
        refuse_links(path)
        return _read(RunDirectory(path), label)
    except (UserError, OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        reason = plain(str(error) or type(error).__name__)
        return Run(path, label, name=label, warnings=[f"not readable: {reason}"])


def _read(directory: RunDirectory, label: str) -> Run:
    metadata = as_dict(directory.metadata())
    if not metadata:
        raise ValueError("run.json is empty")
    if not directory.config.exists():
        error = metadata.get("error")
        reason = f"it failed before its training began: {plain(first_line(error))}" if error else "it has not begun"
        return Run(directory.path, label, label, NOT_STARTED, warnings=[reason])
    config = read_config(directory.config.read_text(encoding="utf-8"))
    scores = as_dict(metadata.get("scores"))
    curves, curve_warnings = read_curves(directory.metrics)
    evaluated, evaluated_warnings = read_evaluated(directory.path, metadata)
    run = Run(
        directory.path,
        label,
        name=plain(metadata.get("name") or label),
        status=plain(current_status(metadata) or "unknown"),
        seed=config.get("seed"),
        settings=select_settings(config),
        metadata=metadata,
        scores={evaluation: _numbers(scores.get(evaluation)) for evaluation in EVALUATIONS},
        evaluated=evaluated,
        score_info=read_score_info(metadata.get("score_info")),
        protocol={key: value for key, value in flatten(metadata.get("protocol")) if value is not None},
        overrides=_overrides(metadata, config),
        image_path=next((str(config[key]) for key in IMAGE_PATHS if key in config), ""),
        curves=curves,
        warnings=curve_warnings + evaluated_warnings,
    )
    run.warnings += _warnings(run)
    return run


def _overrides(metadata: dict[Any, Any], config: dict[str, Any]) -> list[str]:
    """Return the overrides of a run with its present number of steps, which `ganexp resume` may have changed."""
    steps, overrides = config.get("schedule.steps"), as_list(metadata.get("overrides"))
    if steps is None or "schedule.epochs" in config or "schedule.max_d_steps" in config:
        # the length is as typed: if ganexp resume changes it, epochs are replaced by steps; max_d_steps cannot change
        return overrides
    length, keys = f"schedule.steps={steps}", ("schedule.steps", "schedule.epochs")
    current = [length if each.lstrip("+").partition("=")[0] in keys else each for each in overrides]
    return [*current, length] if metadata.get("resumed") and length not in current else current


def _numbers(node: Any) -> dict[str, float]:
    return {plain(name): value for name, value in as_dict(node).items() if is_number(value)}


def _warnings(run: Run) -> list[str]:
    """Return warnings about how a run ended, its scores, what the guard found, and uncommitted changes."""
    planned = run.settings.get("schedule.steps")
    progress = f"step {run.last_step} of {planned}"
    error = plain(run.metadata.get("error") or "no reason recorded")
    by_status = {
        "failed": f"failed: {error}",
        "interrupted": f"interrupted at {progress}",
        DIED: f"died at {progress}: its process is gone. Continue with: ganexp resume {shlex.quote(str(run.path))}",
        "running": f"not finished: still running, or killed, at {progress}",
    }
    warnings = []
    if run.status in by_status:
        warnings.append(by_status[run.status])
    elif run.status == "finished" and run.curves and is_number(planned) and run.last_step < planned:
        stopped = run.metadata.get("stopped")
        warnings.append(f"shorter than planned: {progress}" + (f", {plain(stopped)}" if stopped else ""))
    for evaluation in ("last", "best"):
        if names := not_numbers(as_dict(run.metadata.get("scores")).get(evaluation)):
            warnings.append(f"not finite at the {evaluation} evaluation, so not included in means: {names}")
    if run.untrained_remark:
        warnings.append(run.untrained_remark)
    warnings += [
        f"at step {plain(found.get('step'))} the guard found: {plain(found.get('message'))}"
        for found in run.metadata.get("guard") or []
    ]
    if run.metadata.get("ganexp_dirty"):
        warnings.append("uncommitted changes in ganexp: its commit does not contain all of the code")
    if as_dict(run.metadata.get("repository")).get("dirty"):
        warnings.append("uncommitted changes in the repository in which the run was started")
    return warnings
