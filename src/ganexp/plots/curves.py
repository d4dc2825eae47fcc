"""Plot the losses, the discriminator's mean logits and the scores of a run against the step."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator
from numpy.typing import ArrayLike

from ganexp import log_keys

NETWORK_COLOURS = {"discriminator": "tab:blue", "generator": "tab:orange"}
IMAGE_COLOURS = {"fake": "tab:blue", "train": "tab:orange", "test": "tab:green"}
SCORE_COLOUR = "tab:green"
PANEL_SIZE = (3.65, 2.3)  # inches, without the texts; fixed, because a layout engine would draw each figure twice
LEFT, RIGHT, ABOVE, BELOW = 0.65, 0.2, 0.8, 0.5  # inches beside a panel, for the texts of its axes
TITLE_HEIGHT = 0.35  # inches
PANELS_IN_A_ROW = 3  # so that the texts are readable if the figure fits the width of a screen
# On the axes of steps and epochs: maximum number of ticks, and possible leading digits of the distance between ticks.
TICKS, ROUND = 6, [1, 2, 5, 10]
FEWEST_SMOOTHED = 20  # number of values; fewer values are not smoothed

Points = Sequence[Mapping[str, Any]]
ScoreInfo = Mapping[str, Mapping[str, Any]]


def plot_curves(points: Points, score_info: ScoreInfo, title: str) -> Figure:
    """Return a figure with a panel for the losses, a panel for the mean logits, and a panel for each score.

    A second axis above each panel shows epochs, if the points have epochs.

    Args:
        points: logged points, as in metrics.jsonl.
        score_info: for each score, whether higher values are better, and the plot scale, as in run.json. The best point
            is marked if it is known which values are better. A score has no panel if it is the standard deviation or an
            interval limit of another score.
        title: title of the figure.
    """
    keys = {key for point in points for key in point}
    logit_keys = sorted(key for key in keys if key.startswith(log_keys.LOGIT))
    names = [name for name in score_info if _has_panel(name, score_info, keys)]
    figure = panels(1 + bool(logit_keys) + len(names), title)
    axes = list(figure.axes)
    plot_losses(axes.pop(0), points)
    if logit_keys:
        plot_logits(axes.pop(0), points, logit_keys)
    for panel, name in zip(axes, names, strict=True):
        plot_score(panel, points, name, score_info[name])
    for panel in figure.axes:
        panel.set_xlabel("step")
        panel.xaxis.set_major_locator(MaxNLocator(TICKS, integer=True, steps=ROUND))
        panel.grid(alpha=0.3)
        add_epochs(panel, points)
    return figure


def panels(count: int, title: str, above: float = ABOVE) -> Figure:
    """Return a figure with `count` empty panels in rows of at most `PANELS_IN_A_ROW`.

    There are `above` inches of free space above each panel.
    """
    rows = math.ceil(count / PANELS_IN_A_ROW)
    columns = math.ceil(count / rows)
    width = columns * (LEFT + PANEL_SIZE[0] + RIGHT)
    height = TITLE_HEIGHT + rows * (above + PANEL_SIZE[1] + BELOW)
    figure = Figure(figsize=(width, height), dpi=110)
    figure.suptitle(title, y=1 - 0.1 / height, va="top")
    places = {"left": LEFT / width, "right": 1 - RIGHT / width, "wspace": (LEFT + RIGHT) / PANEL_SIZE[0]}
    places |= {"bottom": BELOW / height, "top": 1 - (TITLE_HEIGHT + above) / height}
    places |= {"hspace": (above + BELOW) / PANEL_SIZE[1]}
    for unused in figure.subplots(rows, columns, squeeze=False, gridspec_kw=places).flat[count:]:
        unused.remove()
    return figure


def plot_losses(axes: Axes, points: Points) -> None:
    """Plot both networks' losses, as means since the last logged point.

    If there are many values, the curves are smoothed, and faint lines behind them show the values before smoothing.
    """
    is_smoothed = False
    for network, colour in NETWORK_COLOURS.items():
        steps, values = series(points, log_keys.mean_key(network))
        if len(values) >= FEWEST_SMOOTHED:
            is_smoothed = True
            axes.plot(steps, values, colour, alpha=0.25, linewidth=0.8)
            values = smoothed(values)
        axes.plot(steps, values, colour, label=network, linewidth=1.2, marker="." if len(steps) == 1 else None)
    axes.set_title("loss (smoothed)" if is_smoothed else "loss")
    axes.legend()


def smoothed(values: Sequence[float]) -> list[float]:
    """Return exponential moving means of values, corrected for their initial bias (Kingma and Ba 2015, section 3).

    Each mean depends mainly on the latest values, which are about a twentieth of all values. Values that are not finite
    are left out of the means.
    """
    weight = 1 - 1 / max(len(values) / 20, 2)
    mean, correction, means = 0.0, 0.0, []
    for value in values:
        if math.isfinite(value):
            mean, correction = weight * mean + (1 - weight) * value, weight * correction + 1 - weight
        means.append(mean / correction if correction else math.nan)
    return means


def add_epochs(axes: Axes, points: Points) -> None:
    """Add an axis with epochs above a panel, if the points have epochs that increase."""
    steps, epochs = series(points, log_keys.EPOCHS)
    pairs = sorted(dict(zip(steps, epochs, strict=True)).items())
    if len(pairs) < 2 or pairs[-1][1] <= pairs[0][1]:
        return
    at, passed = (np.array(values, dtype=float) for values in zip(*pairs, strict=True))
    passed = np.maximum.accumulate(passed) + 1e-9 * np.arange(len(passed))  # strictly increasing, to be invertible

    def to_epochs(x: ArrayLike) -> np.ndarray:
        return _extrapolated(x, at, passed)

    def to_steps(x: ArrayLike) -> np.ndarray:
        return _extrapolated(x, passed, at)

    above = axes.secondary_xaxis("top", functions=(to_epochs, to_steps))
    above.set_xlabel("epoch", fontsize="small")
    above.xaxis.set_major_locator(MaxNLocator(TICKS, steps=ROUND))


def _extrapolated(x: ArrayLike, xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
    """Interpolate linearly between the points (xs, ys), and extrapolate beyond them with the mean slope."""
    x = np.asarray(x, dtype=float)
    slope = (ys[-1] - ys[0]) / (xs[-1] - xs[0])
    below, above = np.minimum(x - xs[0], 0), np.maximum(x - xs[-1], 0)
    return np.interp(x, xs, ys) + slope * (below + above)


def plot_logits(axes: Axes, points: Points, keys: Sequence[str]) -> None:
    """Plot the discriminator's mean logit on each kind of image."""
    for key in keys:
        kind = key.removeprefix(log_keys.LOGIT)
        axes.plot(*series(points, key), marker=".", color=IMAGE_COLOURS.get(kind), label=kind)
    axes.set_title("D's mean logit")
    axes.legend()


def plot_score(axes: Axes, points: Points, name: str, info: Mapping[str, Any]) -> None:
    """Plot one score, and mark its best value after step 0."""
    steps, values = series(points, log_keys.score_key(name))
    axes.plot(steps, values, SCORE_COLOUR, marker=".")
    axes.set_title(name)
    best = best_point(steps, values, info.get("higher_is_better"))
    if best is not None:
        label = f"best {values[best]:.4g} at {steps[best]:,}"
        axes.plot(steps[best], values[best], "k*", markersize=11, label=label)
        axes.legend()
    finite = [value for value in values if math.isfinite(value)]
    if info.get("plot_scale") == "log" and finite and min(finite) > 0:
        _set_log_scale(axes, finite)


def best_point(steps: Sequence[int], values: Sequence[float], higher_is_better: bool | None) -> int | None:
    """Return the index of the best finite value after step 0, or at step 0 if there is no later finite value.

    Return None if no value is finite, or if it is not known which direction is better.
    """
    finite = [index for index, value in enumerate(values) if math.isfinite(value)]
    if higher_is_better is None or not finite:
        return None
    trained = [index for index in finite if steps[index] > 0] or finite
    return (max if higher_is_better else min)(trained, key=lambda index: values[index])


def series(points: Points, key: str) -> tuple[list[int], list[float]]:
    """Return the steps and values of the points that have `key`."""
    chosen = [point for point in points if key in point]
    return [point["step"] for point in chosen], [point[key] for point in chosen]


def _has_panel(name: str, score_info: ScoreInfo, keys: set[str]) -> bool:
    return log_keys.score_key(name) in keys and "spread_of" not in score_info[name]


def _set_log_scale(axes: Axes, values: Sequence[float]) -> None:
    axes.set_yscale("log")
    wide = max(values) > 10 * min(values)
    axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5) if wide else range(2, 10)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
