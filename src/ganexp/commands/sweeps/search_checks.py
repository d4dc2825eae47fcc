"""Check the settings of a hyperparameter search before its first job.

This module must not import torch at import time.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ganexp.commands.sweeps.overrides import SEED
from ganexp.errors import UserError


def is_search(config: DictConfig) -> bool:
    """Return whether a sampler chooses the jobs of a sweep."""
    return OmegaConf.select(config, "hydra.sweeper.sampler") is not None


def check_sampler(config: DictConfig) -> None:
    """Check Hydra's own settings for a search: the storage, the direction and the sampler's seed.

    Raises:
        UserError: a storage is set, the search maximises, or its sampler has no seed.
    """
    sweeper = config.hydra.sweeper
    if (storage := sweeper.get("storage")) is not None:
        raise UserError(
            f"hydra.sweeper.storage={storage}: Hydra's Optuna plugin needs Optuna 2, which cannot open a storage with "
            "SQLAlchemy 2.\nLeave the storage out: ganexp resume DIRECTORY resumes a stopped sweep without a storage."
        )
    direction: Any = sweeper.get("direction", "minimize")
    if (name := getattr(direction, "name", direction)) != "minimize":
        raise UserError(
            f"hydra.sweeper.direction={name}: leave it out. A search minimises the score metrics.best_by, negated if "
            "higher values of this score are better."
        )
    if sweeper.sampler.get("seed", 0) is None:
        raise UserError(
            f"A search needs a seed, so that it has the same jobs if it is resumed. Add, for example, {SEED}=0"
        )


def check_objective(jobs: Sequence[DictConfig]) -> None:
    """Check that the jobs of a search have the score metrics.best_by, and all compute it in the same way.

    Args:
        jobs: the configs of a few jobs. Together, they have every swept value that may change how scores are computed.

    Raises:
        UserError: a job has no such score, or computes it in another way than the first job.
    """
    from ganexp.config.score_checks import check_best_by

    for cfg in jobs:
        if OmegaConf.select(cfg, "metrics.extractor") is None:
            raise UserError(
                "A search minimises the score metrics.best_by, but metrics=none has no scores: use metrics=classifier"
            )
        if not cfg.debug.keep_scores:
            raise UserError("debug.keep_scores=false: a search needs the scores of its jobs. Set it to true.")
        with suppress(OmegaConfBaseException):  # if an interpolation cannot be resolved, the job reports it
            check_best_by(cfg, cfg.data.num_classes if cfg.model.conditional else 0)
    first, *others = (OmegaConf.to_container(cfg.metrics, resolve=False) for cfg in jobs)
    if any(metrics != first for metrics in others):
        raise UserError(
            "A search can compare only jobs with the same settings metrics.*, but the settings of this search differ. "
            "Do not vary metrics, settings metrics.*, or options that change these settings."
        )
