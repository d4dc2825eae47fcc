"""A report as one HTML file that needs no network: tables as HTML, curves and pictures for the script beside them."""

import base64
import hashlib
import importlib.util
import json
import zlib
from collections import Counter
from html import escape
from pathlib import Path
from typing import Any

from ganexp import __version__
from ganexp.report import sections
from ganexp.report.curves import AXES
from ganexp.report.details import details
from ganexp.report.samples import Samples
from ganexp.report.tables import PAIRING, READING, Report

HERE = Path(__file__).parent


def as_page(report: Report, samples: Samples | None) -> str:
    """The page. Whatever comes from run folders is escaped; the only scripts that may run are ours and plotly's."""
    script, plotly = (HERE / "page.js").read_text(), _plotly()
    slots = {
        "policy": " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(js.encode()).digest()).decode()}'"
                           for js in (script, plotly)),
        "version": __version__,
        "style": (HERE / "page.css").read_text(),
        "summary": _summary(report),
        "reading": escape(READING),
        "pairing": escape(PAIRING),
        "protocols": sections.protocols(report),
        "scores": sections.scores(report),
        "comparisons": sections.comparisons(report),
        "uncounted": sections.uncounted(report),
        "samples": sections.samples(samples),
        "runs": details(report),
        "curves": _packed(json.dumps(_curves(report), separators=(",", ":"), allow_nan=False)),
        "plotly": _packed(plotly),
        "script": script,
    }  # fmt: skip
    parts = (HERE / "page.html").read_text().split("<!--")  # <!--slot-->
    return parts[0] + "".join(slots[name] + rest for name, rest in (part.split("-->", 1) for part in parts[1:]))


def _plotly() -> str:
    """The JavaScript in the package; importing the package itself would take longer than the report."""
    home = importlib.util.find_spec("plotly").submodule_search_locations[0]
    return (Path(home) / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


def _packed(text: str) -> str:
    """Deflated, in base64: a third of the length, and inert in HTML."""
    return base64.b64encode(zlib.compress(text.encode(), 7)).decode()


def _summary(report: Report) -> str:
    counts = Counter(run.status for run in report.runs)
    told = ", ".join(f"{count} {escape(status)}" for status, count in counts.most_common())
    kinds = len(report.groups)
    return f"{len(report.runs)} runs ({told}) of {kinds} configuration{'s' * (kinds != 1)}"


def _curves(report: Report) -> dict[str, Any]:
    """What the script draws: runs with their group and curves; names of scores have the protocol's letter."""
    runs = []
    for place, one in enumerate(report.groups):
        for run in one.runs:
            letter = report.letters.get(run.protocol_id)
            curves = [
                {"axes": curve["axes"],
                 "values": {f"{name} [{letter}]" if letter and name.startswith("score/") else name: values
                            for name, values in curve["values"].items()}}
                for curve in run.curves
            ]  # fmt: skip
            seed = f"seed {run.seed}" if run.seed is not None else run.label
            runs.append({"group": place, "label": run.label, "seed": seed, "status": run.status, "curves": curves})
    return {"axes": AXES, "groups": [one.label for one in report.groups], "runs": runs}
