"""Send the settings and final scores of a run to the loggers."""

from collections.abc import Iterable
from typing import Any

from pytorch_lightning.loggers import Logger


def log_result(loggers: Iterable[Logger], settings: dict[str, Any], scores: dict[str, float], step: int) -> None:
    """Log the result once, at the end of a run.

    Args:
        loggers: those with a method `log_result` use it; the others get hyperparameters, and metrics named final/*.
        settings: what tells this run from others, flat.
        scores: final scores by name.
        step: the last step.
    """
    for logger in loggers:
        if hasattr(logger, "log_result"):
            logger.log_result(settings, scores, step)
        else:
            logger.log_hyperparams(settings)
            logger.log_metrics({f"final/{name}": value for name, value in scores.items()}, step)
