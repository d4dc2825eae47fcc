"""Write a report as one HTML file that works offline: tables as HTML, curves and images as data for scripts."""

import base64
import hashlib
import json
import zlib
from collections import Counter
from functools import cache
from pathlib import Path

from plotly.offline import get_plotlyjs

from ganexp import __version__
from ganexp.report.chart import chart_data
from ganexp.report.details import run_details
from ganexp.report.finding import best_score, finding, other_differences, title
from ganexp.report.report import BEST_ONLY_TEXT, UNKNOWN_PROTOCOL_TEXT, Report
from ganexp.report.samples import Grid, Samples, last_grid
from ganexp.report.score_cells import score_rows
from ganexp.report.statistics import LEVEL_TEXT
from ganexp.report.templating import DIRECTORY, render

SCRIPTS = ("curves.js", "scatter.js", "page.js")  # page.js is last, because it calls the others


# The settings in the summary, if all configurations share them.
SIZES = {"schedule.steps": "steps:", "schedule.batch_size": "batch size:"}


def as_page(report: Report, samples: Samples | None, directory: Path | None = None) -> str:
    """Return the HTML page.

    Text from run directories is escaped. The security policy of the page allows no scripts except SCRIPTS and
    plotly.js.

    Args:
        report: the content of the page.
        samples: the sample grids; None leaves them out.
        directory: the directory of the page, to which the links to pictures of runs are relative; None leaves the links
            out.
    """
    script = "\n".join((DIRECTORY / name).read_text(encoding="utf-8") for name in SCRIPTS)
    plotly_digest, packed_plotly = _plotly()
    chart = chart_data(report)
    return render(
        "page.html",
        version=__version__,
        style=(DIRECTORY / "page.css").read_text(encoding="utf-8"),
        script=script,
        script_digests=[_digest(script), plotly_digest],
        summary=_summary(report),
        title=title(report),
        finding=finding(report),
        other_differences=other_differences(report),
        best_score=best_score(report),
        best_grid=_best_grid(report, samples),
        scores_text=report.scores_text,
        comparisons_text=report.comparisons_text,
        interval_name=f"{LEVEL_TEXT} interval",
        best_only_text=BEST_ONLY_TEXT,
        unknown_protocol_text=UNKNOWN_PROTOCOL_TEXT,
        report=report,
        shared=report.shared,
        score_rows=score_rows(report),
        samples=samples,
        run_details=run_details(report, directory),
        has_scatter=bool(chart["scatters"]),
        packed_curves=_pack(json.dumps(chart, separators=(",", ":"), allow_nan=False)),
        packed_plotly=packed_plotly,
    )


def _best_grid(report: Report, samples: Samples | None) -> Grid | None:
    """Return the last sample grid of the best run; None if there is no such grid."""
    run = report.best_run
    if run is None or samples is None or not samples.moments:
        return None
    shown = next((grid for grid in samples.first.grids if grid.run == run.label and grid.uri), None)
    return last_grid(run, shown.label) if shown else None


@cache
def _plotly() -> tuple[str, str]:
    """Return the digest of plotly.js, and its compressed source, which takes most of the time that a page needs."""
    source = get_plotlyjs()
    return _digest(source), _pack(source)


def _digest(source: str) -> str:
    """Return the SHA-256 digest with which a Content-Security-Policy allows an inline script."""
    return base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()


def _pack(content: str) -> str:
    """Return `content` compressed, as base64 text: a third as long, and without characters that HTML interprets."""
    return base64.b64encode(zlib.compress(content.encode(), 7)).decode()


def _summary(report: Report) -> str:
    counts = Counter(run.status for run in report.runs)
    statuses = ", ".join(f"{count} {status}" for status, count in counts.most_common())
    configurations = len(report.configurations)
    number = f"{len(report.runs)} run{'' if len(report.runs) == 1 else 's'}"
    sizes = [f"{name} {report.shared[key]}" for key, name in SIZES.items() if key in report.shared]
    return "; ".join(
        [f"{number} ({statuses}) of {configurations} configuration{'' if configurations == 1 else 's'}", *sizes]
    )
