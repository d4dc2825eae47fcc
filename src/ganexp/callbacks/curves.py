"""curves.png: losses and scores by step, drawn from metrics.jsonl."""

from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from pytorch_lightning import Callback, LightningModule, Trainer

from ganexp.runs.run_directory import RunFolder

COLOURS = {"fake": "tab:blue", "train": "tab:orange", "test": "tab:green"}  # of D's logits by kind of image


def draw_curves(rows: list[dict[str, Any]], title: str) -> Figure:
    """A panel of the two losses, one of D's logits, then one a score with its best point marked."""
    judged = sorted({key for row in rows for key in row if key.startswith("d_logit/")})
    names = sorted({key for row in rows for key in row if key.startswith("score/") and not key.endswith("_std")})
    count = 1 + bool(judged) + len(names)
    figure = Figure(figsize=(4.5 * count, 3.6), layout="constrained", dpi=110)
    figure.suptitle(title)
    losses, *panels = figure.subplots(1, count, squeeze=False)[0]
    for network, colour in (("discriminator", "tab:blue"), ("generator", "tab:orange")):
        steps, values = _series(rows, f"loss/{network}")
        losses.plot(steps, values, colour, label=network, linewidth=1, marker="." if len(steps) == 1 else None)
    losses.set(title="loss", xlabel="step")
    losses.legend()
    if judged:
        for name in judged:
            kind = name.removeprefix("d_logit/")
            panels[0].plot(*_series(rows, name), marker=".", color=COLOURS[kind], label=kind)
        panels[0].set(title="D's mean logit", xlabel="step")
        panels[0].legend()
    for panel, name in zip(panels[bool(judged) :], names, strict=True):
        steps, values = _series(rows, name)
        trained = [place for place, step in enumerate(steps) if step] or [0]
        best = (min if "/fid" in name else max)(trained, key=values.__getitem__)
        panel.plot(steps, values, "tab:green", marker=".")
        panel.plot(
            steps[best],
            values[best],
            "k*",
            markersize=11,
            label=f"best {values[best]:.4g} at {steps[best]:,}",
        )
        panel.set(title=name.removeprefix("score/"), xlabel="step")
        if "/fid" in name and min(values) > 0:
            panel.set_yscale("log")
            panel.yaxis.set_minor_locator(LogLocator(subs=(2, 5) if max(values) > 10 * min(values) else range(2, 10)))
            panel.yaxis.set_major_formatter("{x:g}")
            panel.yaxis.set_minor_formatter("{x:g}")
        panel.legend()
    for panel in (losses, *panels):
        panel.grid(alpha=0.3)
    return figure


def _series(rows: list[dict[str, Any]], name: str) -> tuple[list[int], list[float]]:
    points = [(row["step"], row[name]) for row in rows if name in row]
    return [step for step, _ in points], [value for _, value in points]


class Curves(Callback):
    """Draws the curves anew at the end of every period."""

    def __init__(self, folder: RunFolder, title: str) -> None:
        self.folder, self.title = folder, title

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        draw_curves(self.folder.rows(), self.title).savefig(self.folder.curves)
