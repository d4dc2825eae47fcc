"""Choose the sample grids for the page, and reduce their size to embed them."""

import base64
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

from PIL import Image

from ganexp.report.grouping import Configuration
from ganexp.report.run import Run
from ganexp.report.statistics import evenly
from ganexp.runs.run_directory import RunDirectory

MAX_RUNS = 12
MAX_STEPS = 6
MAX_SIDE = 512  # pixels of an embedded image
MAX_PIXELS = 20_000_000  # larger pictures are not opened
FILE_NAMES = re.compile(r"step-\d{1,9}|interpolation-[a-z]{1,20}")


@dataclass(frozen=True)
class Grid:
    """The sample grid of one run at one moment.

    Attributes:
        label: the configuration and the seed of the run.
        run: label of the run; "" for real images.
        uri: the image as a data URI; None if the run has no image.
        remark: the step of the image, unless the moment has the same step; for real images, the run from which they
            come; "" for no remark.
    """

    label: str
    run: str
    uri: str | None
    remark: str = ""


@dataclass(frozen=True)
class Moment:
    """The grids of all chosen runs at one step, or their interpolations of one kind.

    Attributes:
        title: the step, or the kind of interpolation.
        is_step: whether the moment is a step.
        grids: a grid for each run.
    """

    title: str
    is_step: bool
    grids: list[Grid]


@dataclass(frozen=True)
class Samples:
    """The sample grids of a page.

    Attributes:
        moments: steps in order, then interpolations.
        left_out: a text with the numbers of runs and steps that are left out; "" if nothing is left out.
        real: real images, arranged like the samples; None if no run has a picture of real images.
    """

    moments: list[Moment]
    left_out: str
    real: Grid | None = None

    @property
    def first(self) -> Moment:
        """Return the moment to show first: the last step at which at least half of the runs have samples."""
        shared = [moment for moment in self.moments if moment.is_step and _is_shared(moment)]
        return shared[-1] if shared else self.moments[0]


@dataclass(frozen=True)
class _Source:
    """A run, its label in the captions, and the files of its sample grids; the keys are file names without suffix."""

    run: Run
    label: str
    files: dict[str, Path]


def choose_samples(configurations: Sequence[Configuration], first: Run | None = None) -> Samples:
    """Return the sample grids of at most MAX_RUNS runs at MAX_STEPS steps.

    Runs are chosen in rounds: the first run of each configuration, then the second run of each, and so on. They are
    shown in the order of the configurations. The steps are evenly spread over the steps that most of these runs have.
    A run that lacks one of these steps shows its nearest step.

    Args:
        configurations: the configurations of runs.
        first: a run of the first configuration. It is shown before all others; None shows all runs in their order.
    """
    place = {run.path: number for number, configuration in enumerate(configurations) for run in configuration.runs}
    by_turns = chain(*zip_longest(*(configuration.counted or configuration.runs for configuration in configurations)))
    ordered = sorted(filter(None, by_turns), key=lambda run: run is not first)
    sources = [_Source(run, _caption(run, configurations[place[run.path]]), _sample_files(run)) for run in ordered]
    sources = [source for source in sources if source.files]
    chosen = sorted(sources[:MAX_RUNS], key=lambda source: place[source.run.path])
    counts = Counter(name for source in chosen for name in source.files)
    all_steps = {name: count for name, count in counts.items() if _is_step(name)}
    steps = _choose_steps(all_steps)
    interpolations = sorted(name for name in counts if not _is_step(name))
    hidden = {"run": len(sources) - len(chosen), "step": len(all_steps) - len(steps)}
    return Samples(
        moments=[_load_moment(name, chosen) for name in [*steps, *interpolations]],
        left_out=" and ".join(f"{count} more {what}{'s' * (count > 1)}" for what, count in hidden.items() if count),
        real=_real_images([source.run for source in chosen]),
    )


def _caption(run: Run, configuration: Configuration) -> str:
    """Return the configuration and the seed of a run; if the two do not identify the run, return its label."""
    is_only_one = [other.seed for other in configuration.runs].count(run.seed) == 1
    return (
        f"{configuration.label}, seed {run.seed}"
        if configuration.label and run.seed is not None and is_only_one
        else run.label
    )


def _real_images(runs: Sequence[Run]) -> Grid | None:
    """Return a grid of the real images of the first run that has a picture of them.

    If the runs have different datasets or images, the grid's `remark` names the run from which the images come.
    """
    remark = len({(run.dataset, run.images or run.image_path) for run in runs}) > 1
    for run in runs:
        if uri := embed(RunDirectory(run.path).samples / "real.png"):
            return Grid("real images", "", uri, f"of {run.label}" if remark else "")
    return None


def _choose_steps(counts: dict[str, int]) -> list[str]:
    """Return at most MAX_STEPS steps, evenly spread over the steps that most runs have."""
    most_common = sorted(counts.values(), reverse=True)[:MAX_STEPS]
    threshold = min(most_common, default=0)
    common = sorted(name for name, count in counts.items() if count >= threshold)
    return [common[index] for index in evenly(len(common), MAX_STEPS)]


def _load_moment(name: str, sources: Sequence[_Source]) -> Moment:
    kind, rest = name.split("-", 1)
    title = f"step {int(rest):,}" if _is_step(name) else f"{kind}, {rest}"
    return Moment(title, _is_step(name), [_load_grid(name, source) for source in sources])


def _load_grid(name: str, source: _Source) -> Grid:
    """Return the grid called `name`; if the run lacks it, return the grid of the nearest step.

    Step 0 is chosen only if the run has no other step.
    """
    label, run = source.label, source.run.label
    if name in source.files:
        return Grid(label, run, embed(source.files[name]))
    steps = {int(file.split("-", 1)[1]): file for file in source.files if _is_step(file)}
    if not _is_step(name) or not steps:
        return Grid(label, run, None)
    wanted = int(name.split("-", 1)[1])
    nearest = min(steps, key=lambda step: (step == 0, abs(step - wanted)))
    return Grid(label, run, embed(source.files[steps[nearest]]), f"nearest: step {nearest:,}")


def last_grid(run: Run, label: str) -> Grid | None:
    """Return the last samples of a run, with their step as the remark; None if the run has no samples."""
    steps = [name for name in _sample_files(run) if _is_step(name)]
    if not steps:
        return None
    name = max(steps)
    return Grid(label, run.label, embed(_sample_files(run)[name]), f"step {int(name.split('-', 1)[1]):,}")


def embed(path: Path) -> str | None:
    """Return the PNG file at `path` as a WebP data URI of at most MAX_SIDE pixels per side.

    Return None if the file cannot be read, or if its image has more than MAX_PIXELS pixels.
    """
    try:
        with Image.open(path, formats=("PNG",)) as image:
            if image.width * image.height > MAX_PIXELS:
                return None
            small = image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    small.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    data = io.BytesIO()
    small.save(data, "WEBP", quality=80)
    return f"data:image/webp;base64,{base64.b64encode(data.getvalue()).decode()}"


def _sample_files(run: Run) -> dict[str, Path]:
    files = sorted(RunDirectory(run.path).samples.glob("*.png"))
    return {file.stem: file for file in files if FILE_NAMES.fullmatch(file.stem)}


def _is_step(name: str) -> bool:
    return name.startswith("step-")


def _is_shared(moment: Moment) -> bool:
    missing = sum(grid.uri is None or bool(grid.remark) for grid in moment.grids)
    return 2 * missing <= len(moment.grids)
