"""The part of the page that tells of each run. Every string from a run folder goes through `escape`."""

from collections.abc import Sequence
from html import escape
from typing import Any

from ganexp.report.collect import Run
from ganexp.report.grouping import Group, setting
from ganexp.report.sections import setting_cell
from ganexp.report.tables import Report, number
from ganexp.report.values import plain

FACTS = ("started", "ended", "device", "precision", "ganexp", "python", "git_commit", "platform", "host")
STATES = ("finished", "running", "interrupted")  # others look like a failure


def details(report: Report) -> str:
    """A section a run: status, warnings, scores, what is unusual about its settings, environment."""
    usual = max(report.groups, key=lambda one: len(one.runs)).settings if report.groups else {}
    home = {id(run): one for one in report.groups for run in one.runs}
    return "".join(_run(run, home.get(id(run)), usual) for run in report.runs)


def _run(run: Run, home: Group | None, usual: dict[str, Any]) -> str:
    told = [home.label if home else "", "" if run.seed is None else f"seed {run.seed}",
            f"warnings: {len(run.warnings)}" if run.warnings else ""]  # fmt: skip
    state = f'<span class="status {run.status if run.status in STATES else "failed"}">{escape(run.status)}</span>'
    note = f'<span class="note">{escape(" · ".join(filter(None, told)))}</span>'
    warnings = "".join(f"<li>{escape(warning)}</li>" for warning in run.warnings)
    facts = "".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in _environment(run).items())
    return (
        f'<details class="run"><summary><b>{escape(run.label)}</b> {state} {note}</summary>'
        + f'<ul class="warnings">{warnings}</ul>' * bool(warnings)
        + _scores(run)
        + (_unusual(run.settings, usual) if home else "")
        + f"<dl>{facts}</dl></details>"
    )


def _scores(run: Run) -> str:
    names = {name: None for which in run.scores.values() for name in which}
    rows = [
        (name, [f'<td class="n">{number(found.get(name))}</td>' for found in run.scores.values()]) for name in names
    ]
    return _table("Scores", ["score", *run.scores], rows)


def _unusual(here: dict[str, Any], usual: dict[str, Any]) -> str:
    keys = [key for key in {**here, **usual} if here.get(key) != usual.get(key)]
    rows = [(setting(key, None)[0], [setting_cell(key, node.get(key)) for node in (here, usual)]) for key in keys]
    return _table("Settings unlike the commonest configuration's", ["setting", "here", "commonest"], rows)


def _environment(run: Run) -> dict[str, str]:
    facts = {key: run.facts[key] for key in FACTS if run.facts.get(key)}
    versions, command = run.facts.get("versions"), run.facts.get("command")
    facts |= versions if isinstance(versions, dict) else {}
    if isinstance(command, list):
        facts["command"] = " ".join(["ganexp", *map(str, command)])
    return {plain(key): plain(value, 2000) for key, value in facts.items()}


def _table(caption: str, heads: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    if not rows:
        return ""
    top = "".join(f'<th scope="col">{head}</th>' for head in heads)
    body = "".join(f'<tr><th scope="row">{escape(name)}</th>{"".join(cells)}</tr>' for name, cells in rows)
    table = f"<caption>{caption}</caption><thead><tr>{top}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="box"><table>{table}</table></div>'
