"""What Hydra calls around the points of a sweep."""

import logging
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import CompactHydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

log = logging.getLogger(__name__)


class ReportFailures(Callback):
    """Names every failing point of a sweep, with its reason; Hydra itself tells of the first one only."""

    def __init__(self) -> None:
        self.sweeping = False

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        self.sweeping = True

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        if not self.sweeping or job_return.status != JobStatus.FAILED:
            return
        error = job_return._return_value
        known = isinstance(error, CompactHydraException)
        log.error(
            "point failed: %s\n%s",
            " ".join(job_return.overrides or []),
            error,
            exc_info=None if known else error,
        )
