"""Send the scores of `ganexp evaluate` to the loggers of the run."""

import math
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig

from ganexp import log_keys
from ganexp.config import trust
from ganexp.config.instantiate import locate, to_plain
from ganexp.console import say
from ganexp.errors import UserError
from ganexp.loggers.evaluated import Evaluated
from ganexp.runs.process import current_status
from ganexp.runs.run_directory import RunDirectory

RUNNING = "running"


def log_evaluated(run: RunDirectory, scores: Mapping[str, float], step: int, source: str) -> None:
    """Send scores, as evaluated/NAME, to those loggers of a run that have a class method `log_evaluated`.

    If the run is still training, or a logger cannot take the scores, only a message is printed, because the scores are
    also saved in the run directory.

    Args:
        run: the run directory.
        scores: the value of each score; the keys are the names of the scores. Values that are not finite are not sent.
        step: step of the checkpoint.
        source: name of the file with the scores, without suffix.
    """
    if current_status(run.metadata()) == RUNNING:
        say("the run is still training, so its loggers do not receive these scores")
        return
    values = {log_keys.evaluated_key(name): value for name, value in scores.items() if math.isfinite(value)}
    try:
        cfg = trust.load(run.config, without=["callbacks"])
    except UserError as error:
        say(f"the loggers of the run do not receive these scores: {error}")
        return
    for name, node in cfg.logger.items():
        if node is None:
            continue
        try:
            logger = locate(to_plain(node), f"logger.{name}").func
            if hasattr(logger, "log_evaluated"):
                logger.log_evaluated(Evaluated(run, values, step, source, _settings(cfg, node)))
        except UserError as error:
            say(f"the logger {name} does not receive these scores: {error}")


def _settings(cfg: DictConfig, node: DictConfig) -> dict[str, Any]:
    """Return the settings of a logger, with the name and the tags of the run."""
    own = {key: value for key, value in to_plain(node).items() if key != "_target_"}
    return {"name": cfg.name, "tags": list(cfg.get("tags") or [])} | own
