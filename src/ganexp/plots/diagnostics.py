"""Plot what explains a generator's scores: logits of the discriminator, features, classes, and nearest real images."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from ganexp.pixels import from_uint8
from ganexp.plots.captions import GREY, shortened
from ganexp.plots.curves import IMAGE_COLOURS, panels
from ganexp.plots.grids import image_grid, side_by_side

CLASS_TITLES = {"share": "share of samples", "accuracy": "accuracy", "fid": "FID"}
CLASS_FACTS = ("classes", "expected_share")  # keys of Scores.by_class that get no bar chart of their own
MAX_NAMED_CLASSES = 20  # more names would overlap
BAR = 8  # pixels between a sample and its neighbours


def plot_diagnostics(
    logits: Mapping[str, Tensor],
    by_class: Mapping[str, Sequence[Any]],
    classes: Sequence[str],
    features: tuple[Tensor, Tensor] | None = None,
    title: str = "",
) -> Figure:
    """Return a figure with a histogram of the logits, a plot of the features, and bar charts of values by class.

    Args:
        logits: for each kind of image, the discriminator's logits (N,).
        by_class: for each quantity, a list with a value or None for each class; see `Scores.by_class`.
        classes: names of the classes.
        features: features (N, d) of real images and (M, d) of samples; None leaves them out.
        title: title of the figure.
    """
    quantities = {name: values for name, values in by_class.items() if name not in CLASS_FACTS}
    count = bool(logits) + (features is not None) + len(quantities)
    figure = panels(count, title, above=0.4)
    axes = list(figure.axes)
    if logits:
        plot_logit_histogram(axes.pop(0), logits)
    if features is not None:
        plot_feature_projection(axes.pop(0), *features)
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
        expected: expected value for each class; a line across the bar of the class shows it.
    """
    heights = [math.nan if value is None else value for value in values]
    axes.bar(range(len(values)), heights, color=IMAGE_COLOURS["fake"])
    axes.set(title=f"{CLASS_TITLES.get(quantity, quantity)} by class", xlabel="class")
    if len(expected) == len(values):
        edges = [place - 0.5 for place in range(len(values))]
        ends = [edge + 1 for edge in edges]
        axes.hlines(expected, edges, ends, color="black", linestyle="--", linewidth=1, label="expected")
        axes.margins(y=0.2)  # for the legend
        axes.legend(loc="upper left")
    if len(classes) == len(values) <= MAX_NAMED_CLASSES:
        is_long = max(map(len, classes)) > 2
        axes.set_xticks(range(len(values)), [shortened(name) for name in classes], fontsize="small")
        if is_long:  # long names are rotated, and end below their bars
            axes.tick_params(axis="x", rotation=45)
            for label in axes.get_xticklabels():
                label.set(ha="right", rotation_mode="anchor")


def plot_feature_projection(axes: Axes, real: Tensor, generated: Tensor) -> None:
    """Plot features along the two directions in which the features of the real images vary most.

    Args:
        axes: axes to plot on.
        real: features (N, d) of real images, where N and d are at least 2.
        generated: features (M, d) of samples.
    """
    mean = real.double().mean(0)
    centred = real.double() - mean
    _, scales, directions = torch.linalg.svd(centred, full_matrices=False)
    shares = scales.square() / scales.square().sum().clamp_min(1e-30)
    for kind, features in (("train", real), ("fake", generated)):
        x, y = ((features.double() - mean) @ directions[:2].T).T.numpy()
        label = "real" if kind == "train" else kind
        axes.scatter(x, y, s=6, alpha=0.5, linewidths=0, color=IMAGE_COLOURS[kind], label=label)
    axes.set(
        title="features along the principal components of real ones",
        xlabel=f"component 1 ({shares[0]:.0%} of the variance)",
        ylabel=f"component 2 ({shares[1]:.0%})",
    )
    axes.legend(markerscale=3)


def nearest_picture(samples: Tensor, neighbours: Tensor, distances: Tensor) -> Tensor:
    """Return a picture, uint8 (3, H', W'), with a row for each sample: the sample, a bar, and its neighbours.

    Args:
        samples: generated images (N, C, H, W) in [-1, 1].
        neighbours: real images, uint8 (N, count, C, H, W), nearest first.
        distances: distance (N, count) of each neighbour to its sample; it is written below the neighbour.
    """
    count = neighbours.shape[1]
    texts = [f"{distance:.3g}" for distance in distances.flatten().tolist()]
    heads = ["nearest", *(f"{place}." for place in range(2, count + 1))]
    rows = image_grid(from_uint8(neighbours.flatten(0, 1)), count, heads=heads, captions=texts)
    column = image_grid(samples, 1, heads=["sample"], captions=[" "] * len(samples))
    bar = column.new_full((3, column.shape[1], BAR), GREY)
    return side_by_side(column, bar, rows)
