"""Print the jobs of a sweep as a table. This module must not import torch."""

import re
from collections.abc import Mapping
from typing import Any

from rich.table import Table

from ganexp.console import make_console, say
from ganexp.runs.process import DIED

Jobs = Mapping[str, Mapping[str, Any]]


def print_jobs(jobs: Jobs) -> None:
    """Print a row for each job, and below the table the reason for each failure.

    Args:
        jobs: for the directory of each job, the content of the job's run.json.
    """
    labels = _labels(jobs)
    best = _best_job(jobs)
    make_console().print(_table(jobs, labels, best))
    if best is not None:
        say(f"best: {labels[best]}")
    for name, job in jobs.items():
        if job["status"] == "failed":
            say(f"failed: {labels[name]}\n  {job.get('error')}")
        elif job["status"] == DIED:
            say(f"died: {labels[name]}\n  its process is gone: it was killed, or the machine stopped")


def _best_job(jobs: Jobs) -> str | None:
    """Return the name of the job with the lowest objective.

    The objective is the best value of the score that chose the best checkpoint, negated if higher scores are better.
    The result is None if fewer than two jobs have an objective, or if not all have the same score and protocol.
    """
    objectives = {name: job["objective"] for name, job in jobs.items() if job.get("objective") is not None}
    kinds = {(jobs[name].get("best_by"), (jobs[name].get("protocol") or {}).get("id")) for name in objectives}
    if len(objectives) < 2 or len(kinds) > 1:
        return None
    return min(objectives, key=lambda name: objectives[name])


def _table(jobs: Jobs, labels: Mapping[str, str], best_job: str | None) -> Table:
    """Return the table with the overrides, the status and the best scores of each job; the best job is bold."""
    values = {name: _best_scores(job) for name, job in jobs.items()}
    scores = dict.fromkeys(score for best in values.values() for score in best)
    table = Table("job", "status", *scores)
    for name, job in jobs.items():
        cells = [_format(values[name][score]) if score in values[name] else "" for score in scores]
        table.add_row(labels[name], job["status"], *cells, style="bold" if name == best_job else None)
    return table


def _best_scores(job: Mapping[str, Any]) -> dict[str, float]:
    """Return the scores of a job's best checkpoint, without standard deviations and interval limits."""
    info = job.get("score_info") or {}
    best = (job.get("scores") or {}).get("best") or {}
    shown = {name: value for name, value in best.items() if "spread_of" not in info.get(name, {})}
    return {"best step" if name == "step" else name: value for name, value in shown.items()}


def _format(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _labels(jobs: Jobs) -> dict[str, str]:
    """Return for each job the overrides that are not shared by all jobs, with long decimal numbers rounded."""
    overrides = {name: job.get("overrides", [name]) for name, job in jobs.items()}
    shared = set.intersection(*map(set, overrides.values())) if len(jobs) > 1 else set()
    own = {name: [override for override in given if override not in shared] for name, given in overrides.items()}
    return {name: _short(" ".join(given)) or "(no overrides)" for name, given in own.items()}


def _short(text: str) -> str:
    """Return a text in which decimal numbers with many digits are rounded to six digits."""
    return re.sub(r"(?<==)\d+\.\d{6,}(e[-+]?\d+)?(?=\s|$)", lambda number: f"{float(number[0]):.6g}", text)
