"""The details of each run on the page."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ganexp.report.evaluated import PICTURES
from ganexp.report.grouping import Configuration
from ganexp.report.report import Report
from ganexp.report.run import CALM_STATUSES, WITHOUT_SETTINGS, Run
from ganexp.report.values import as_dict, plain

METADATA = ("started", "ended", "device", "precision", "ganexp", "ganexp_commit", "python", "platform", "host")


@dataclass(frozen=True)
class UnusualSetting:
    """A setting in which a run differs from the most common configuration.

    Attributes:
        key: the dotted key of the setting.
        here: the value in this run.
        usual: the value in the most common configuration.
    """

    key: str
    here: Any
    usual: Any


@dataclass(frozen=True)
class RunDetails:
    """The details of one run on the page.

    Attributes:
        run: the run, with its label, status, warnings and scores.
        status_class: the CSS class for the colour of the status.
        remarks: the configuration, the seed and the number of warnings.
        score_names: the names of the scores that the run has at one or more evaluations, and "step".
        unusual_settings: the unusual settings; empty for a run that cannot be read.
        environment: the versions, the machine and the times; the keys are the names that the page shows.
        commands: the typed command, and, for a job of a sweep, the command that trains this run alone; the keys are the
            names that the page shows.
        pictures: the relative addresses of the pictures of `ganexp evaluate`; the keys are the file names.
    """

    run: Run
    status_class: str
    remarks: list[str]
    score_names: list[str]
    unusual_settings: list[UnusualSetting]
    environment: dict[str, str]
    commands: dict[str, str]
    pictures: dict[str, str]


def run_details(report: Report, directory: Path | None = None) -> list[RunDetails]:
    """Return the details of each run for the page.

    Args:
        report: the report.
        directory: the directory of the page, to which the links to pictures are relative; None leaves the links out.
    """
    configurations = report.configurations
    common = max(configurations, key=lambda configuration: len(configuration.runs)).settings if configurations else {}
    configuration_of = {run.path: configuration for configuration in configurations for run in configuration.runs}
    return [_details(run, configuration_of.get(run.path), common, directory) for run in report.runs]


def _details(
    run: Run, configuration: Configuration | None, common: Mapping[str, Any], directory: Path | None
) -> RunDetails:
    return RunDetails(
        run,
        status_class=run.status if run.status in CALM_STATUSES else "failed",
        remarks=_remarks(run, configuration),
        score_names=list(dict.fromkeys(name for scores in run.scores.values() for name in scores)),
        unusual_settings=_unusual_settings(run.settings, common) if configuration else [],
        environment=_environment(run),
        commands=_commands(run),
        pictures={} if directory is None else _pictures(run, directory),
    )


def _pictures(run: Run, directory: Path) -> dict[str, str]:
    """Return the addresses of pictures relative to the page, with every special character quoted."""
    patterns = PICTURES if run.status not in WITHOUT_SETTINGS else ()
    files = [file for pattern in patterns for file in sorted(run.path.glob(pattern))]
    return {plain(file.name): quote(os.path.relpath(file, directory.resolve())) for file in files if file.is_file()}


def _remarks(run: Run, configuration: Configuration | None) -> list[str]:
    remarks = [
        configuration.label if configuration else "",
        f"seed {run.seed}" if run.seed is not None else "",
        f"warnings: {len(run.warnings)}" if run.warnings else "",
    ]
    return [remark for remark in remarks if remark]


def _unusual_settings(settings: Mapping[str, Any], common: Mapping[str, Any]) -> list[UnusualSetting]:
    keys = dict.fromkeys([*settings, *common])
    pairs = [UnusualSetting(key, settings.get(key), common.get(key)) for key in keys]
    return [setting for setting in pairs if setting.here != setting.usual]


def _environment(run: Run) -> dict[str, str]:
    values = {key: run.metadata[key] for key in METADATA if run.metadata.get(key)}
    if commit := as_dict(run.metadata.get("repository")).get("commit"):
        values["repository"] = commit
    values |= as_dict(run.metadata.get("versions"))
    return {plain(key): plain(value) for key, value in values.items()}


def _commands(run: Run) -> dict[str, str]:
    """Return the command that the user typed and, for a job of a sweep, also the command that trains this run alone."""
    commands = {"command": run.command, "this run alone": run.own_command}
    return {name: command for name, command in commands.items() if command}
