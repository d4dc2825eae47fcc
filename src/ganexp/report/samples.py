"""The sample grids that a page shows: some runs at some steps, made small enough to embed."""

import base64
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from PIL import Image

from ganexp.report.collect import Run
from ganexp.report.grouping import Group
from ganexp.report.statistics import evenly

RUNS, STEPS, SIDE = 12, 6, 440  # pixels a side at most
LARGEST = 20_000_000  # pixels of a file that is opened


@dataclass
class Samples:
    """pictures: [moment][run] -> data URI, None where the run has none. moments: steps, then interpolations."""

    runs: list[Run]
    moments: list[str]
    pictures: list[list[str | None]]
    left_out: str

    @property
    def first(self) -> int:
        """The moment that is shown at first: the last step that half of the runs have."""
        shown = [
            place
            for place, moment in enumerate(self.moments)
            if moment.startswith("step") and 2 * self.pictures[place].count(None) <= len(self.runs)
        ]
        return max(shown, default=0)


def choose(groups: Sequence[Group]) -> Samples:
    """One run of each group, then another of each …, up to RUNS; up to STEPS steps that most of them have."""
    turns = zip_longest(*(one.counted or one.runs for one in groups))
    drawn = [(run, files) for run in chain(*turns) if run and (files := _files(run))]
    shown = drawn[:RUNS]
    counts = Counter(name for _, files in shown for name in files if name.startswith("step-"))
    least = min((count for _, count in counts.most_common(STEPS)), default=0)
    common = sorted(name for name, count in counts.items() if count >= least)
    steps = [common[place] for place in evenly(len(common), STEPS)]
    walks = sorted({name for _, files in shown for name in files if not name.startswith("step-")})
    names = [*steps, *walks]
    pictures = [[embed(files[name]) if name in files else None for _, files in shown] for name in names]
    hidden = ((len(drawn) - len(shown), "runs"), (len(counts) - len(steps), "steps"))
    left_out = " and ".join(f"{count} more {what}" for count, what in hidden if count)
    return Samples([run for run, _ in shown], [_title(name) for name in names], pictures, left_out)


def embed(path) -> str | None:
    """A picture as a data URI, WebP of at most SIDE pixels a side; None for a file that is no picture."""
    try:
        with Image.open(path, formats=("PNG",)) as picture:
            if picture.width * picture.height > LARGEST:
                return None
            small = picture.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "WEBP", quality=80)
    return f"data:image/webp;base64,{base64.b64encode(out.getvalue()).decode()}"


def _files(run: Run) -> dict:
    found = sorted((run.path / "samples").glob("*.png"))
    return {path.stem: path for path in found if re.fullmatch(r"step-\d{1,9}|interpolation-[a-z]{1,20}", path.stem)}


def _title(name: str) -> str:
    kind, rest = name.split("-", 1)
    return f"step {int(rest):,}" if kind == "step" else f"{kind}, {rest}"
