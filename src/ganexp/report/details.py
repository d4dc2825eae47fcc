"""The part of the page that describes each run."""

from typing import Any

from ganexp.report.formatting import number
from ganexp.report.grouping import Group
from ganexp.report.html import element, note, number_cell, plain_table, row_head, setting_cell, text
from ganexp.report.report import Report
from ganexp.report.run import Run
from ganexp.report.settings import setting_name
from ganexp.report.values import as_dict, plain

METADATA = ("started", "ended", "device", "precision", "ganexp", "python", "git_commit", "platform", "host")
CALM_STATUSES = ("finished", "running", "interrupted")  # others are coloured like a failure
MAX_COMMAND_LENGTH = 2000


def details(report: Report) -> str:
    """Return a section for each run: status, warnings, scores, unusual settings and environment."""
    groups = report.groups
    common = max(groups, key=lambda group: len(group.runs)).settings if groups else {}
    group_of = {run.path: group for group in groups for run in group.runs}
    return "".join(_run(run, group_of.get(run.path), common) for run in report.runs)


def _run(run: Run, group: Group | None, common: dict[str, Any]) -> str:
    warnings = "".join(element("li", text(warning)) for warning in run.warnings)
    return element(
        "details",
        _summary(run, group),
        element("ul", warnings, class_="warnings") if warnings else "",
        _scores(run),
        _unusual_settings(run.settings, common) if group else "",
        _environment(run),
        class_="run",
    )


def _summary(run: Run, group: Group | None) -> str:
    status = run.status if run.status in CALM_STATUSES else "failed"
    remarks = [
        group.label if group else "",
        f"seed {run.seed}" if run.seed is not None else "",
        f"warnings: {len(run.warnings)}" if run.warnings else "",
    ]
    return element(
        "summary",
        element("b", text(run.label)),
        " ",
        element("span", text(run.status), class_=f"status {status}"),
        " ",
        note(" · ".join(filter(None, remarks))),
    )


def _scores(run: Run) -> str:
    names = {name: None for scores in run.scores.values() for name in scores}
    rows = []
    for name in names:
        cells = [number_cell(number(scores.get(name)), scores.get(name)) for scores in run.scores.values()]
        rows.append(element("tr", row_head(name), *cells))
    return plain_table("Scores", ["score", *run.scores], rows)


def _unusual_settings(settings: dict[str, Any], common: dict[str, Any]) -> str:
    rows = []
    for key in dict.fromkeys([*settings, *common]):
        here, usual = settings.get(key), common.get(key)
        if here != usual:
            cells = [setting_cell(key, here), setting_cell(key, usual)]
            rows.append(element("tr", row_head(setting_name(key)), *cells))
    caption = "Settings that differ from the most common configuration"
    return plain_table(caption, ["setting", "here", "most common"], rows)


def _environment(run: Run) -> str:
    values = {key: run.metadata[key] for key in METADATA if run.metadata.get(key)}
    values |= as_dict(run.metadata.get("versions"))
    command = run.metadata.get("command")
    if isinstance(command, list):
        values["command"] = " ".join(["ganexp", *map(str, command)])
    items = [
        element("dt", text(plain(key))) + element("dd", text(plain(value, MAX_COMMAND_LENGTH)))
        for key, value in values.items()
    ]
    return element("dl", *items)
