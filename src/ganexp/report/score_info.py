"""Read the information about scores in run.json, such as which direction is better, and which values are deviations."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ganexp.report.values import as_dict, plain


@dataclass(frozen=True)
class ScoreInfo:
    """The information about one score, from `score_info` in run.json.

    Attributes:
        higher_is_better: whether higher values are better; None if the direction is unknown.
        log_scale: whether to plot the score on a logarithmic axis.
        spread_of: the score to which this value belongs as a deviation or an interval limit; None for other values.
        fewest_images: number of images below which the score has a bias; None if there is no such number.
        samples: number of samples of the score if it differs from the number in the score's protocol; otherwise None.
    """

    higher_is_better: bool | None = None
    log_scale: bool = False
    spread_of: str | None = None
    # Runs may differ in the next two fields, and still agree about the score.
    fewest_images: int | None = field(default=None, compare=False)
    samples: int | None = field(default=None, compare=False)

    @property
    def direction(self) -> str:
        """Return which values are better: "lower", "higher", or "" if the direction is unknown."""
        if self.higher_is_better is None:
            return ""
        return "higher" if self.higher_is_better else "lower"


UNKNOWN = ScoreInfo()


def read_score_info(node: Any) -> dict[str, ScoreInfo]:
    """Return the valid entry of `score_info` for each score, in the order of the file.

    Args:
        node: the value of `score_info` in run.json, which may be missing or invalid. An entry that is not a dictionary
            is ignored, and a field with an unexpected type counts as missing.
    """
    entries = {plain(name): entry for name, entry in as_dict(node).items() if isinstance(entry, dict)}
    return {name: _read_entry(name, entry) for name, entry in entries.items()}


def merge_score_info(infos: Iterable[dict[str, ScoreInfo]]) -> dict[str, ScoreInfo]:
    """Return one entry for each score of several runs, in the order of first appearance.

    Runs without an entry are ignored. If the other runs contradict each other, the entry is UNKNOWN.
    """
    merged: dict[str, ScoreInfo] = {}
    for info in infos:
        for name, entry in info.items():
            merged[name] = entry if merged.get(name, entry) == entry else UNKNOWN
    return merged


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _read_entry(name: str, entry: dict[Any, Any]) -> ScoreInfo:
    direction, spread_of = entry.get("higher_is_better"), entry.get("spread_of")
    is_spread = isinstance(spread_of, str) and spread_of != name
    return ScoreInfo(
        higher_is_better=direction if isinstance(direction, bool) else None,
        log_scale=entry.get("plot_scale") == "log",
        spread_of=plain(spread_of) if is_spread else None,
        fewest_images=_number(entry.get("fewest_images")),
        samples=_number(entry.get("samples")),
    )
