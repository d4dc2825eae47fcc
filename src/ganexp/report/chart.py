"""The data for the learning curves, which the script of the page draws."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from ganexp.report.columns import is_score, with_letter
from ganexp.report.curves import KINDS, Curve
from ganexp.report.precision_recall import precision_recall
from ganexp.report.report import Report
from ganexp.report.run import Run
from ganexp.report.score_info import UNKNOWN
from ganexp.report.statistics import t_quantiles

AXIS_TITLES = {
    "step": "step (generator updates)",
    "epochs": "epoch",
    "images": "real images",
    "seconds": "seconds of training",
    "d_steps": "discriminator updates",
}
KIND_TITLES = {
    "score": "score",
    "loss": "loss",
    "logit": "D's mean logit",
    "probability": "D's mean probability",
    "accuracy": "D's accuracy",
    "gradient": "gradient norm",
}
MARKED = ("score", "logit", "probability")  # kinds with few points, only one for each evaluation


@dataclass(frozen=True)
class Quantity:
    """A quantity whose curves can be drawn.

    Attributes:
        kind: a key of KINDS.
        name: the log key without the prefix of its kind.
        letter: the letter of the protocol, for scores in a report with several protocols; "" otherwise.
        log_scale: whether the axis of the quantity is logarithmic at first.
    """

    kind: str
    name: str
    letter: str = ""
    log_scale: bool = False

    @property
    def key(self) -> str:
        """Return the identifier of the quantity: its log key, and the letter of the protocol if there is one."""
        return with_letter(KINDS[self.kind] + self.name, self.letter)

    def description(self) -> dict[str, Any]:
        """Return the description of the quantity for the script."""
        return {
            "kind": KIND_TITLES[self.kind],
            "name": with_letter(self.name, self.letter),
            "markers": self.kind in MARKED,
            "log": self.log_scale,
        }


def chart_data(report: Report) -> dict[str, Any]:
    """Return the data for curves.js and scatter.js.

    axes        the title of each axis
    quantities  for each quantity, in the order of the menu: its description, and the scores of real images as its
                baselines; the keys are the identifiers of the quantities
    configurations  the labels of the configurations
    runs        for each run, its label, its seed, the index of its configuration, whether means include it, and its
                curves. A curve has the positions of its points for each axis, and their values for each quantity.
    scatters    pairs of precision and recall, see precision_recall.py
    t           the quantiles of Student's t for the intervals of means over 0, 1, 2, … runs
    """
    runs = []
    for index, configuration in enumerate(report.configurations):
        for run in configuration.runs:
            seed = run.label if run.seed is None else f"seed {run.seed}"
            curves = [_curve(report, run, curve) for curve in run.curves]
            counts = any(run is counted for counted in configuration.counted)
            runs.append({"configuration": index, "label": run.label, "seed": seed, "counts": counts, "curves": curves})
    return {
        "axes": AXIS_TITLES,
        "quantities": {
            quantity.key: quantity.description() | {"baselines": _baselines(report, quantity)}
            for quantity in _sorted_quantities(report)
        },
        "configurations": [configuration.label for configuration in report.configurations],
        "runs": runs,
        "scatters": precision_recall(report),
        "t": t_quantiles(max((len(configuration.counted) for configuration in report.configurations), default=0)),
    }


def _curve(report: Report, run: Run, curve: Curve) -> dict[str, Any]:
    quantities = _quantities(report, run, curve)
    values = {quantity.key: curve.values[log_key] for log_key, quantity in quantities.items()}
    return {"axes": curve.axes, "values": values}


def _quantities(report: Report, run: Run, curve: Curve) -> dict[str, Quantity]:
    """Return the quantity of each log key in a curve, without deviations and interval limits."""
    names = {log_key: log_key.removeprefix(KINDS[curve.kind]) for log_key in curve.values}
    if curve.kind != "score":
        return {log_key: Quantity(curve.kind, name) for log_key, name in names.items()}
    letter = report.letters.get(run.protocol_id, "")
    return {
        log_key: Quantity(curve.kind, name, letter, report.score_info.get(name, UNKNOWN).log_scale)
        for log_key, name in names.items()
        if is_score(name, report.score_info)
    }


def _baselines(report: Report, quantity: Quantity) -> list[dict[str, Any]]:
    """Return the title and value of each baseline that is comparable with the curves of `quantity`.

    The result is empty if the quantity is not a score.
    """
    if quantity.kind != "score":
        return []
    protocols = [run.protocol for run in report.runs if report.letters.get(run.protocol_id, "") == quantity.letter]
    return [
        {"title": baseline.title, "value": baseline.scores[quantity.name]}
        for baseline in report.baselines
        if quantity.name in baseline.scores and any(map(baseline.suits, protocols))
    ]


def _sorted_quantities(report: Report) -> list[Quantity]:
    """Return all quantities, sorted by kind, then by the order of `score_info`, then by decreasing number of runs."""
    counts = Counter(
        quantity
        for configuration in report.configurations
        for run in configuration.runs
        for curve in run.curves
        for quantity in _quantities(report, run, curve).values()
    )
    kinds = list(KINDS)
    places = {score: place for place, score in enumerate(report.score_info)}

    def order(quantity: Quantity) -> tuple[int, int, int, str]:
        place = places.get(quantity.name, len(places))
        return kinds.index(quantity.kind), place, -counts[quantity], quantity.key

    return sorted(counts, key=order)
