"""Write a report as one HTML file that needs no network: tables as HTML, curves and images as data for page.js."""

import base64
import hashlib
import importlib.util
import json
import zlib
from collections import Counter
from pathlib import Path

from ganexp import __version__
from ganexp.report import sections
from ganexp.report.chart import chart_data
from ganexp.report.details import details
from ganexp.report.html import text
from ganexp.report.report import COMPARISONS_TEXT, SCORES_TEXT, Report
from ganexp.report.samples import Samples

DIRECTORY = Path(__file__).parent


def as_page(report: Report, samples: Samples | None) -> str:
    """Return the page.

    Text from run directories is escaped, and the page's policy allows no other scripts than page.js and plotly.js.

    Args:
        report: what to show.
        samples: None leaves the sample grids out.
    """
    script, plotly = (DIRECTORY / "page.js").read_text(encoding="utf-8"), _plotly_script()
    slots = {
        "policy": " ".join(_script_hash(source) for source in (script, plotly)),
        "version": __version__,
        "style": (DIRECTORY / "page.css").read_text(encoding="utf-8"),
        "summary": text(_summary(report)),
        "scores-text": text(f"{SCORES_TEXT} {report.directions()}"),
        "comparisons-text": text(COMPARISONS_TEXT),
        "protocols": sections.protocol_table(report),
        "scores": sections.score_table(report),
        "comparisons": sections.comparison_table(report),
        "uncounted": sections.uncounted_table(report),
        "samples": sections.sample_grids(samples),
        "runs": details(report),
        "curves": _pack(json.dumps(chart_data(report), separators=(",", ":"), allow_nan=False)),
        "plotly": _pack(plotly),
        "script": script,
    }
    return _fill((DIRECTORY / "page.html").read_text(encoding="utf-8"), slots)


def _fill(template: str, slots: dict[str, str]) -> str:
    """Replace every <!--name--> of the template once: text that was filled in is not searched for further names."""
    start, *parts = template.split("<!--")
    page = [start]
    for part in parts:
        name, rest = part.split("-->", 1)
        page += [slots[name], rest]
    return "".join(page)


def _plotly_script() -> str:
    """Return the script that the package plotly ships; to import the package takes longer than the whole report."""
    package = importlib.util.find_spec("plotly").submodule_search_locations[0]
    return (Path(package) / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


def _script_hash(source: str) -> str:
    """Return the hash by which a Content-Security-Policy allows an inline script."""
    digest = hashlib.sha256(source.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _pack(content: str) -> str:
    """Return `content` compressed and in base64: a third of the length, and nothing that HTML could interpret."""
    return base64.b64encode(zlib.compress(content.encode(), 7)).decode()


def _summary(report: Report) -> str:
    counts = Counter(run.status for run in report.runs)
    statuses = ", ".join(f"{count} {status}" for status, count in counts.most_common())
    groups = len(report.groups)
    return f"{len(report.runs)} runs ({statuses}) of {groups} configuration{'' if groups == 1 else 's'}"
