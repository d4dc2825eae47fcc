"""Stop a run when a score has not improved for some evaluations."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from omegaconf import DictConfig
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import EarlyStopping as LightningEarlyStopping
from pytorch_lightning.callbacks.early_stopping import EarlyStoppingReason

from ganexp.config.score_checks import expected_info, extractor_name
from ganexp.console import count
from ganexp.metrics.collection import Scores
from ganexp.training.gan import GAN
from ganexp.types import FiniteFloat, NonNegativeFloat, PositiveInt

Mode = Literal["min", "max"]


class EarlyStopping(LightningEarlyStopping):
    """End a run when a score has not improved at several evaluations in a row.

    Args:
        scores: the scores of the run.
        monitor: name of a score, as in metrics.jsonl but without the prefix score/. The name of the feature extractor
            at the end of the score's name can be left out.
        mode: whether a low (`min`) or a high (`max`) score is better. None means the direction that the score declares;
            if the score declares no direction, `min` or `max` is needed.
        patience: number of evaluations in a row without improvement, after which the run ends.
        min_delta: smallest difference that counts as an improvement.
        stopping_threshold: the run ends as soon as the score is better than this number.
        divergence_threshold: the run ends as soon as the score is worse than this number.
        check_finite: whether a score that is NaN or infinite ends the run.

    Raises:
        ValueError: There is no such score, or `mode` does not suit it.
    """

    in_every_process = True  # the processes decide together whether the run ends

    def __init__(
        self,
        scores: Scores | None,
        monitor: str,
        mode: Mode | None = None,
        patience: PositiveInt = 5,
        min_delta: NonNegativeFloat = 0.0,
        stopping_threshold: FiniteFloat | None = None,
        divergence_threshold: FiniteFloat | None = None,
        check_finite: bool = True,
    ) -> None:
        info, extractor = ({}, "") if scores is None else (scores.info(), scores.extractor.name)
        name, mode = find_score(monitor, mode, info, extractor)
        super().__init__(
            name,
            min_delta,
            patience,
            mode=mode,
            check_finite=check_finite,
            stopping_threshold=stopping_threshold,
            divergence_threshold=divergence_threshold,
        )

    @staticmethod
    def complaints(cfg: DictConfig, gan: GAN, monitor: str, mode: Mode | None = None, **settings: Any) -> Iterator[str]:
        """Yield a line if the run does not have the score, or if `mode` does not suit it."""
        if not cfg.metrics.extractor:
            yield f"monitor={monitor}: metrics=none has no scores: use another option of metrics, or no early stopping"
            return
        if gan.scores is not None:
            info, extractor = gan.scores.info(), gan.scores.extractor.name
        else:
            extractor = extractor_name(cfg.metrics.extractor) or ""
            info = expected_info(cfg, gan.num_classes, extractor) or {}
            is_checked_elsewhere = monitor == cfg.metrics.best_by and mode is None
            if is_checked_elsewhere or not extractor or not info:
                return
        try:
            find_score(monitor, mode, info, extractor)
        except ValueError as error:
            yield str(error)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: GAN) -> None:
        """Compare the score with its best value, after an evaluation."""
        self.stopping_reason_message = None  # Lightning sets it if this evaluation ends the run
        super().on_train_epoch_end(trainer, pl_module)
        if self.stopping_reason_message is not None and not pl_module.is_done:
            pl_module.stop(f"because {self._reason(trainer.callback_metrics[self.monitor].item())}")

    def _reason(self, value: float) -> str:
        reasons = {
            EarlyStoppingReason.NON_FINITE_METRIC: f"{self.monitor} is {value}, which is not a finite number",
            EarlyStoppingReason.STOPPING_THRESHOLD: (
                f"{self.monitor}, now {value:.4g}, is better than stopping_threshold={self.stopping_threshold}"
            ),
            EarlyStoppingReason.DIVERGENCE_THRESHOLD: (
                f"{self.monitor}, now {value:.4g}, is worse than divergence_threshold={self.divergence_threshold}"
            ),
        }
        without_improvement = (
            f"{self.monitor}, now {value:.4g}, was not better than {self.best_score:.4g}, its best value, at "
            f"{count(self.wait_count, 'evaluation')} in a row"
        )
        return reasons.get(self.stopping_reason, without_improvement)


def find_score(
    monitor: str, mode: Mode | None, info: Mapping[str, Mapping[str, Any]], extractor: str
) -> tuple[str, Mode]:
    """Return the full name of a score, and whether low (`min`) or high (`max`) values of it are better.

    Args:
        monitor: the name of the score; the name of the extractor at the end can be left out.
        mode: which values are better; None means the direction of the score.
        info: how to interpret each score, see `Scores.info`.
        extractor: name of the feature extractor.

    Raises:
        ValueError: There is no such score, its direction is unknown, or `mode` contradicts its direction.
    """
    name = monitor if monitor in info else f"{monitor}_{extractor}"
    if name not in info:
        usable = ", ".join(key for key, facts in info.items() if facts.get("higher_is_better") is not None)
        raise ValueError(f"monitor={monitor}: there is no such score. With mode=null, it can be one of {usable}")
    modes: dict[bool | None, Mode | None] = {True: "max", False: "min", None: mode}
    better = modes[info[name].get("higher_is_better")]
    if better is None:
        raise ValueError(f"mode=null: it is unknown which values of {name} are better. Set it to min or max")
    if mode not in (None, better):
        which = "higher" if better == "max" else "lower"
        raise ValueError(f"mode={mode}: {which} values of {name} are better. Set it to {better}, or to null")
    return name, better
