"""Send the hyperparameters and the final scores of a run to the loggers."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from pytorch_lightning.loggers import Logger


@contextmanager
def closing(loggers: list[Logger]) -> Iterator[list[Logger]]:
    """Yield the list `loggers`, which the block may extend; after the block, close each logger that can be closed."""
    try:
        yield loggers
    except BaseException:
        for logger in loggers:
            with suppress(OSError):  # a full disk, for example; the first error is raised below
                _close(logger)
        raise
    for logger in loggers:
        _close(logger)


def _close(logger: Logger) -> None:
    if hasattr(logger, "close"):
        logger.close()


def log_hyperparameters(loggers: Iterable[Logger], settings: Mapping[str, Any]) -> None:
    """Log the settings of a run when it starts or resumes.

    Args:
        loggers: all loggers of the run.
        settings: the settings, under their dotted keys; the values are numbers, Booleans and strings.
    """
    for logger in loggers:
        logger.log_hyperparams(dict(settings))


def log_result(loggers: Iterable[Logger], settings: Mapping[str, Any], scores: Mapping[str, float], step: int) -> None:
    """Log the result once, at the end of a run.

    Args:
        loggers: all loggers of the run. If a logger has no method `log_result`, it gets metrics named final/*.
        settings: the settings, under their dotted keys; a logger may show them together with the scores.
        scores: the final scores, under their names.
        step: the last step.
    """
    for logger in loggers:
        if hasattr(logger, "log_result"):
            logger.log_result(dict(settings), dict(scores), step)
        else:
            logger.log_metrics(final_metrics(scores), step)


def final_metrics(scores: Mapping[str, float]) -> dict[str, float]:
    """Return final scores under the keys with which they are logged, such as final/best/fid_classifier."""
    return {f"final/{name}": value for name, value in scores.items()}
