"""Stops a sweep's point that the others have left behind."""

import statistics

from pytorch_lightning import Callback, Trainer

from ganexp.runs.run_directory import RunFolder
from ganexp.training.gan import GAN


class Pruning(Callback):
    """Ends a run when its best score so far is worse than the median of the other points' best up to the same step.

    The median stopping rule (Golovin et al. 2017, section 3.2.2). The others are the run folders beside this one; it
    needs no sweeper that prunes.

    Args:
        monitor: the score, as in `fid_classifier`.
        mode: min or max, what is better.
        warm_up: other points that must be finished first.
    """

    def __init__(self, folder: RunFolder, monitor: str, mode: str, warm_up: int = 3) -> None:
        self.folder, self.warm_up = folder, warm_up
        self.score, self.better = f"score/{monitor}", {"min": min, "max": max}[mode]
        self.stopped = False

    def on_train_epoch_end(self, trainer: Trainer, gan: GAN) -> None:
        if gan.step >= gan.steps:
            return  # nothing is left to save
        others = [RunFolder(file.parent) for file in self.folder.path.parent.glob("*/run.json")]
        others = [other for other in others if other.path != self.folder.path]
        if sum(other.facts().get("status") == "finished" for other in others) < self.warm_up:
            return
        theirs = [best for other in others if (best := self._best(other, gan.step)) is not None]
        ours = self._best(self.folder, gan.step)
        if len(theirs) < self.warm_up or ours is None:
            return
        median = statistics.median(theirs)
        if ours != median and self.better(ours, median) == median:
            self.stopped = trainer.should_stop = True
            name = self.score.removeprefix("score/")
            print(
                f"pruned at step {gan.step:,}: {name} {ours:.4g} at best, median of {len(theirs)} others {median:.4g}"
            )

    def _best(self, folder: RunFolder, step: int) -> float | None:
        """Of a trained network's scores up to `step`; None if it was not scored at `step` itself."""
        scored = {
            row["step"]: row[self.score] for row in folder.rows() if self.score in row and 0 < row["step"] <= step
        }
        return self.better(scored.values()) if step in scored else None
