"""Compare published scores with the scores of runs, and write a table and a picture.

    ganexp sweep=textbook seed=0,1,2 hydra.sweep.dir=outputs/textbook
    python scripts/reproduce.py outputs/textbook

The script reads the finished runs that were trained with experiment=ARTICLE/CASE, and ignores all other runs.
Measured scores are means ± standard deviations over the seeds of runs with the same settings, length and protocol. The
table is printed, and written to table.md in the directory OUTPUT. The file picture.png in this directory shows the
curves and the last samples.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread
from omegaconf import OmegaConf

from ganexp.errors import UserError
from ganexp.log_keys import score_key
from ganexp.report.collect import collect
from ganexp.report.columns import is_score
from ganexp.report.grouping import group_runs
from ganexp.report.run import Run
from ganexp.report.statistics import summarize
from ganexp.runs.run_directory import RunDirectory

PUBLISHED: Any = OmegaConf.to_container(OmegaConf.load(Path(__file__).with_name("published.yaml")))
COLOURS = {"corrected": "tab:blue", "published": "tab:orange"}  # the colour of each form of a case
COLUMNS = ("case", "form", "score", "published", "best", "evaluations", "last", "n", "steps", "protocol")
EXPLANATION = (
    "best and last: mean ± standard deviation over n seeds. The best checkpoint is chosen among all evaluations by "
    "metrics.best_by. Scores of different protocols cannot be compared: FID, for example, decreases with more samples."
)


@dataclass
class Measurement:
    """The finished runs of one case in one form (corrected or as published), which differ only in their seed."""

    case: str
    form: str
    runs: list[Run]

    def published(self) -> dict[str, dict[str, Any]]:
        """Return the published values of the case; the keys are the names of the scores."""
        article, _, name = self.case.partition("/")
        entry = PUBLISHED.get(article, {}).get(name, {})
        return {published["score"]: published for published in entry.get("scores", [])}


def main() -> None:
    """Read the runs, and write the table and the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directories", nargs="+", type=Path, metavar="DIRECTORY")
    parser.add_argument("--output", type=Path, help="directory for table and picture; default: the first DIRECTORY")
    arguments = parser.parse_args()
    output = arguments.output or arguments.directories[0]
    measurements = measure(collect(arguments.directories))
    text = table(measurements)
    output.mkdir(parents=True, exist_ok=True)
    (output / "table.md").write_text(text, encoding="utf-8")
    draw(measurements).savefig(output / "picture.png")
    print(f"{text}\n{output / 'table.md'}\n{output / 'picture.png'}")


def measure(runs: Iterable[Run]) -> list[Measurement]:
    """Return the finished runs of cases, grouped so that each group can be averaged.

    Raises:
        UserError: no finished run of a case has scores.
    """
    of_cases = sorted((run for run in runs if "/" in case_and_form(run)[0]), key=case_and_form)
    measurements = []
    for (case, form), same_form in groupby(of_cases, case_and_form):
        for group in group_runs(same_form):
            scored = sorted((run for run in group.counted if run.scores["last"]), key=protocol_and_length)
            measurements += [Measurement(case, form, list(same)) for _, same in groupby(scored, protocol_and_length)]
    if not measurements:
        raise UserError("No finished run of experiment=ARTICLE/CASE has scores.")
    return measurements


def case_and_form(run: Run) -> tuple[str, str]:
    """Return the option of `experiment`, such as sagan/cifar10_2, and the form: "corrected" or "published"."""
    groups = run.metadata.get("groups", {})
    is_corrected = groups.get("as_published") in (None, "none")
    return str(groups.get("experiment")), "corrected" if is_corrected else "published"


def protocol_and_length(run: Run) -> tuple[str, float]:
    """Return the id of the protocol under which the run was scored, and the step of the last scores."""
    return run.protocol_id, run.scores["last"]["step"]


def table(measurements: list[Measurement]) -> str:
    """Return a Markdown table with a row for each score of each case and form, and the notes below the table."""
    lines = [COLUMNS, ("---",) * len(COLUMNS), *(cells for part in measurements for cells in rows(part))]
    sources = {
        f"Published {name}: {entry['protocol']}; {entry['source']}."
        for part in measurements
        for name, entry in part.published().items()
    }
    articles = sorted({part.case.split("/")[0] for part in measurements})
    notes = [f"{article}: {note}" for article in articles if (note := PUBLISHED.get(article, {}).get("note"))]
    markdown = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return "\n\n".join([markdown, *sorted(sources), *notes, EXPLANATION]) + "\n"


def rows(part: Measurement) -> Iterator[list[str]]:
    """Yield a row of cells for each score that is published or measured."""
    published, first = part.published(), part.runs[0]
    measured = {name for run in part.runs for name in run.scores["last"] if is_score(name, run.score_info)}
    for name in sorted(measured | set(published)):
        runs = [run for run in part.runs if name in run.scores["last"]]
        best, last = (mean_and_deviation([run.scores[which][name] for run in runs]) for which in ("best", "last"))
        evaluations = ", ".join(str(count) for count in sorted({len(score_curve(run, name)[0]) for run in runs}))
        steps = f"{first.scores['last']['step']:,}"
        cells = [published_text(published.get(name, {})), best, evaluations, last, str(len(runs)), steps]
        yield [part.case, part.form, name, *cells, protocol_text(first)]


def published_text(entry: dict[str, Any]) -> str:
    """Return published scores as text, such as: 6.53 best, 3.43 last."""
    labels = {"best": " best", "last": " last", "reported": ""}
    return ", ".join(f"{entry[key]:g}{label}" for key, label in labels.items() if key in entry)


def mean_and_deviation(values: list[float]) -> str:
    """Return "MEAN ± STANDARD DEVIATION"; for one value, only the mean; for no values, "not measured"."""
    summary = summarize(values)
    if summary.mean is None:
        return "not measured"
    return f"{summary.mean:.4g}" if summary.sd is None else f"{summary.mean:.4g} ± {summary.sd:.2g}"


def protocol_text(run: Run) -> str:
    """Return the extractor, the number of samples, and the reference splits as text, or "not recorded"."""
    if not run.protocol:
        return "not recorded"
    references = [key.removeprefix("references.").removesuffix(".images") for key in run.protocol if ".images" in key]
    return f"{run.protocol['extractor']}, {run.protocol['samples']:,} samples against {' and '.join(references)}"


def score_curve(run: Run, name: str) -> tuple[list[int], list[float]]:
    """Return the steps and the scores of all evaluations after step 0."""
    key = score_key(name)
    points = [point for point in RunDirectory(run.path).points() if point["step"] > 0 and key in point]
    return [point["step"] for point in points], [point[key] for point in points]


def draw(measurements: list[Measurement]) -> Figure:
    """Return a figure with a row for each case: the score of each run against the step, and samples of both forms."""
    by_case = [list(parts) for _, parts in groupby(measurements, lambda part: part.case)]
    figure = Figure(figsize=(13, 4.2 * len(by_case)), layout="constrained", dpi=100)
    for parts, (curves, *panels) in zip(by_case, figure.subplots(len(by_case), 3, squeeze=False), strict=True):
        draw_curves(curves, parts)
        for form, panel in zip(COLOURS, panels, strict=True):
            draw_samples(panel, [part for part in parts if part.form == form])
    return figure


def draw_curves(axes: Axes, parts: list[Measurement]) -> None:
    """Plot the first score that is both published and measured; if there is none, an FID or any other score."""
    measured = list(parts[0].runs[0].scores["last"])
    preferred = [*parts[0].published(), *(name for name in measured if name.startswith("fid_")), *measured]
    name = next(name for name in preferred if name in measured and name != "step")
    for part in parts:
        for run in part.runs:
            label = part.form if run is part.runs[0] else None
            axes.plot(*score_curve(run, name), COLOURS[part.form], marker=".", label=label)
    axes.set(title=parts[0].case, xlabel="step", ylabel=name)
    axes.grid(alpha=0.3)
    axes.legend()


def draw_samples(axes: Axes, parts: list[Measurement]) -> None:
    """Show the last grid of samples of the first run."""
    axes.set_axis_off()
    grids = sorted(RunDirectory(parts[0].runs[0].path).samples.glob("step-*.png")) if parts else []
    if grids:
        axes.imshow(imread(grids[-1]))
        axes.set_title(f"{parts[0].form}, {grids[-1].stem}")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
