"""Send the hyperparameters and the final scores of a run to the loggers."""

from collections.abc import Iterable, Mapping
from typing import Any

from pytorch_lightning.loggers import Logger


def log_hyperparameters(loggers: Iterable[Logger], settings: Mapping[str, Any]) -> None:
    """Log the settings of a run when it starts or resumes.

    Args:
        loggers: all of them.
        settings: numbers, Booleans and texts by dotted key.
    """
    for logger in loggers:
        logger.log_hyperparams(dict(settings))


def log_result(loggers: Iterable[Logger], settings: Mapping[str, Any], scores: Mapping[str, float], step: int) -> None:
    """Log the result once, at the end of a run.

    Args:
        loggers: those with a method `log_result` use it; the others get metrics named final/*.
        settings: as for `log_hyperparameters`; a logger may show them beside the scores.
        scores: final scores by name.
        step: the last step.
    """
    for logger in loggers:
        if hasattr(logger, "log_result"):
            logger.log_result(dict(settings), dict(scores), step)
        else:
            logger.log_metrics(final_metrics(scores), step)


def final_metrics(scores: Mapping[str, float]) -> dict[str, float]:
    """Return final scores by the keys under which they are logged: final/best/fid_classifier."""
    return {f"final/{name}": value for name, value in scores.items()}
