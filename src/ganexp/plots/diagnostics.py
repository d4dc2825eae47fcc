"""What `ganexp evaluate` shows of a generator beside its scores: classes, D's logits, the nearest training images."""

from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ganexp.callbacks.curves import COLOURS
from ganexp.metrics.reference import Reference
from ganexp.metrics.scores import to_uint8
from ganexp.plots import grids


def nearest(samples: Tensor, extractor: Any, reference: Reference, count: int = 9) -> Tensor:
    """Numbers (N, count) of the images nearest to samples (N, C, H, W) in [-1, 1] by their features, nearest first.

    Of the images whose features the reference has kept.
    """
    features = extractor(to_uint8(samples))[0]
    distance = torch.cdist(features, reference.features, compute_mode="donot_use_mm_for_euclid_dist")  # (N, kept)
    return reference.selected[distance.topk(min(count, distance.shape[1]), largest=False).indices.cpu()]


def nearest_picture(samples: Tensor, neighbours: Tensor) -> Tensor:
    """A sample a row (N, C, H, W), and right of it its neighbours uint8 (N, count, C, H, W): uint8 (3, H', W')."""
    rows = grids.grid((neighbours.flatten(0, 1).float() / 127.5 - 1), neighbours.shape[1])
    column = grids.grid(samples, 1)
    gap = column.new_full((3, column.shape[1], 8), 80)
    return grids.beside(column, gap, rows)


def prefers(one: Tensor, other: Tensor) -> float:
    """The chance that a number of `one` (N,) is above one of `other` (M,), ties half: ½ where they are alike (AUC)."""
    above = (one[:, None] > other[None]).double() + 0.5 * (one[:, None] == other[None])
    return above.mean().item()


def draw_watches(logits: dict[str, Tensor], by_class: dict[str, list[float]], classes: list[str]) -> Figure:
    """A histogram of D's logits by kind of image, and a panel of bars for each thing known of the classes."""
    count = bool(logits) + len(by_class)
    figure = Figure(figsize=(5 * count, 3.6), layout="constrained", dpi=110)
    panels = list(figure.subplots(1, count, squeeze=False)[0])
    if logits:
        panel = panels.pop(0)
        for kind, values in logits.items():
            panel.hist(values.numpy(), bins=40, histtype="step", density=True, color=COLOURS[kind], label=kind)
        panel.set(title="D's logits", xlabel="logit", ylabel="density")
        panel.legend()
    titles = {"share": "share of samples", "accuracy": "accuracy", "fid": "FID"}
    for panel, (name, values) in zip(panels, by_class.items(), strict=True):
        panel.bar(range(len(values)), values, color="tab:green")
        panel.set(title=f"{titles[name]} by class", xlabel="class")
        if name == "share":
            panel.axhline(1 / len(values), color="grey", linestyle="--", linewidth=1)
        if len(classes) == len(values) <= 20:
            panel.set_xticks(range(len(values)), classes, rotation=45 if max(map(len, classes)) > 2 else 0, ha="center")
    return figure
