"""Print the jobs of a sweep as a table. Must not import torch."""

from typing import Any

from rich.table import Table

from ganexp.console import make_console, say
from ganexp.runs.run_directory import RunDirectory
from ganexp.runs.sweep_directory import SweepDirectory


def print_jobs(sweep: SweepDirectory, jobs: dict[str, dict[str, Any]]) -> None:
    """Print a row for each job, and below the table the reason of each failure.

    Args:
        sweep: the sweep.
        jobs: its jobs by directory name, as sweep.json stores them.
    """
    labels = _labels(jobs)
    make_console().print(_table(sweep, jobs, labels))
    for name, job in jobs.items():
        if job["error"]:
            say(f"failed: {labels[name]}\n  {job['error']}")


def _table(sweep: SweepDirectory, jobs: dict[str, dict[str, Any]], labels: dict[str, str]) -> Table:
    """Return the table: own overrides, status and scores of the best checkpoint; the best job is bold."""
    spreads = set[str]().union(*(_spreads(RunDirectory(sweep.path / name)) for name in jobs))
    scores = dict.fromkeys(name for job in jobs.values() for name in job["scores"] or {} if name not in spreads)
    best = min((job["objective"] for job in jobs.values() if job["objective"] is not None), default=None)
    table = Table("job", "status", *scores)
    for name, job in jobs.items():
        values = job["scores"] or {}
        cells = [_format(values[score]) if score in values else "" for score in scores]
        is_best = best is not None and job["objective"] == best
        table.add_row(labels[name], job["status"], *cells, style="bold" if is_best else None)
    return table


def _spreads(run: RunDirectory) -> set[str]:
    """Return the names of the scores that only tell how far another score spreads; the table leaves them out."""
    info = run.metadata().get("score_info") or {}
    return {name for name, of_score in info.items() if "spread_of" in of_score}


def _format(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _labels(jobs: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return for each job the overrides that not all jobs have in common."""
    shared = set.intersection(*(set(job["overrides"]) for job in jobs.values())) if len(jobs) > 1 else set()
    labels = {}
    for name, job in jobs.items():
        own = [override for override in job["overrides"] if override not in shared]
        labels[name] = " ".join(own) or "(no overrides)"
    return labels
