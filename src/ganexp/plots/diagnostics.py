"""Plot diagnostics of a generator in addition to its scores: discriminator logits, classes, nearest training images."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from ganexp.pixels import from_uint8
from ganexp.plots.curves import IMAGE_COLOURS
from ganexp.plots.grids import GREY, image_grid, side_by_side

CLASS_TITLES = {"share": "share of samples", "accuracy": "accuracy", "fid": "FID"}
CLASS_FACTS = ("classes", "expected_share")  # beside the values of scores in Scores.by_class
MAX_NAMED_CLASSES = 20  # more names would overlap


def plot_diagnostics(
    logits: Mapping[str, Tensor], by_class: Mapping[str, Sequence[Any]], classes: Sequence[str]
) -> Figure:
    """Return a figure with a histogram of the logits, and a bar chart for each quantity with values by class.

    Args:
        logits: the discriminator's logits (N,) by kind of image.
        by_class: lists of a value or None for each class, by quantity (share, accuracy, fid); see `Scores.by_class`.
        classes: names of the classes.
    """
    quantities = {name: values for name, values in by_class.items() if name not in CLASS_FACTS}
    count = bool(logits) + len(quantities)
    figure = Figure(figsize=(5 * count, 3.6), layout="constrained", dpi=110)
    axes = list(figure.subplots(1, count, squeeze=False)[0])
    if logits:
        plot_logit_histogram(axes.pop(0), logits)
    for panel, (quantity, values) in zip(axes, quantities.items(), strict=True):
        expected = by_class.get("expected_share", ()) if quantity == "share" else ()
        plot_class_values(panel, quantity, values, classes, expected)
    return figure


def plot_logit_histogram(axes: Axes, logits: Mapping[str, Tensor]) -> None:
    """Plot the distribution of the logits on each kind of image."""
    for kind, values in logits.items():
        axes.hist(values.numpy(), bins=40, histtype="step", density=True, color=IMAGE_COLOURS.get(kind), label=kind)
    axes.set(title="D's logits", xlabel="logit", ylabel="density")
    axes.legend()


def plot_class_values(
    axes: Axes,
    quantity: str,
    values: Sequence[float | None],
    classes: Sequence[str],
    expected: Sequence[float] = (),
) -> None:
    """Plot a bar for each class that has a value.

    Args:
        axes: axes to plot on.
        quantity: name of the quantity.
        values: a value or None for each class.
        classes: names of the classes.
        expected: expected value for each class, which is drawn as a line across its bar.
    """
    heights = [math.nan if value is None else value for value in values]
    axes.bar(range(len(values)), heights, color="tab:green")
    axes.set(title=f"{CLASS_TITLES.get(quantity, quantity)} by class", xlabel="class")
    if len(expected) == len(values):
        edges = [place - 0.5 for place in range(len(values))]
        axes.hlines(expected, edges, [edge + 1 for edge in edges], color="grey", linestyle="--", linewidth=1)
    if len(classes) == len(values) <= MAX_NAMED_CLASSES:
        rotation = 45 if max(map(len, classes)) > 2 else 0
        axes.set_xticks(range(len(values)), classes, rotation=rotation, ha="center")


def nearest_picture(samples: Tensor, neighbours: Tensor) -> Tensor:
    """Return a picture, uint8 (3, H', W'), with a row for each sample: the sample, a bar, and its neighbours.

    Args:
        samples: generated images (N, C, H, W) in [-1, 1].
        neighbours: training images, uint8 (N, count, C, H, W), nearest first.
    """
    rows = image_grid(from_uint8(neighbours.flatten(0, 1)), neighbours.shape[1])
    column = image_grid(samples, 1)
    bar = column.new_full((3, column.shape[1], 8), GREY)
    return side_by_side(column, bar, rows)
