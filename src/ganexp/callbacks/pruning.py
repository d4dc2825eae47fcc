"""Stop a job of a sweep if it is worse than the other jobs."""

import math
import statistics
from typing import Any

from pytorch_lightning import Callback, Trainer

from ganexp import log_keys
from ganexp.console import say
from ganexp.runs.run_directory import RunDirectory, sweep_above
from ganexp.training.gan import GAN


class Pruning(Callback):
    """End a run when its best score so far is worse than the median of the other jobs' best scores up to this step.

    This is a variant of the median stopping rule (Golovin et al. 2017, section 3.2.2), which compares a run with the
    running averages of other runs. The scores of the other jobs are read from their run directories in the same sweep,
    so Hydra's sweeper itself need not support pruning. Jobs whose scores have another protocol do not count.

    Args:
        run_directory: directory of this run. A run that is not in the directory of a sweep is never pruned.
        monitor: name of the score, such as fid_classifier.
        mode: `min` if lower scores are better, `max` if higher scores are better.
        warm_up: number of other jobs with this run's protocol that must finish before this run can be pruned.
    """

    def __init__(self, run_directory: RunDirectory, monitor: str, mode: str, warm_up: int = 3) -> None:
        self.run_directory, self.monitor, self.warm_up = run_directory, monitor, warm_up
        self.best_of = {"min": min, "max": max}[mode]
        self.sweep = sweep_above(run_directory.path)
        self.stopped = False

    def on_train_epoch_end(self, trainer: Trainer, pl_module: GAN) -> None:
        """Compare this run with the other jobs after an evaluation."""
        if pl_module.is_done or self.sweep is None:
            return  # stopping would save nothing, or there are no other jobs
        siblings = [RunDirectory(file.parent) for file in self.sweep.rglob("run.json")]
        protocol = _protocol(self.run_directory)
        others = [run for run in siblings if run.path != self.run_directory.path and _protocol(run) == protocol]
        if sum(run.metadata().get("status") == "finished" for run in others) < self.warm_up:
            return
        step = pl_module.step
        their_best = [best for run in others if (best := self._best_score(run, step)) is not None]
        our_best = self._best_score(self.run_directory, step)
        if len(their_best) < self.warm_up or our_best is None:
            return
        median = statistics.median(their_best)
        if our_best != median and self.best_of(our_best, median) == median:
            self.stopped = trainer.should_stop = True
            say(
                f"pruned at step {step:,}: {self.monitor} {our_best:.4g} is worse than "
                f"{median:.4g}, the median of {len(their_best)} other jobs"
            )

    def state_dict(self) -> dict[str, Any]:
        """Return whether this run was pruned, for a checkpoint."""
        return {"stopped": self.stopped}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore whether this run was pruned."""
        self.stopped = state["stopped"]

    def _best_score(self, run: RunDirectory, step: int) -> float | None:
        """Return the best score after step 0 and up to `step`; None if the run was not scored at `step` itself."""
        key = log_keys.score_key(self.monitor)
        points = [point for point in run.points() if key in point and 0 < point["step"] <= step]
        scores = {point["step"]: point[key] for point in points if math.isfinite(point[key])}
        return self.best_of(scores.values()) if step in scores else None


def _protocol(run: RunDirectory) -> str | None:
    """Return the identifier of the protocol of a run's scores; None if the run has not recorded a protocol."""
    return (run.metadata().get("protocol") or {}).get("id")
