"""Check the arguments of the scores, even if they are not computed. `checks.py` lists this rule."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from ganexp.config.instantiate import check, to_plain
from ganexp.errors import UserError

if TYPE_CHECKING:
    from ganexp.training.gan import GAN


def arguments_of_scores_are_allowed(cfg: DictConfig, gan: "GAN") -> Iterator[str]:
    """Check the arguments of every score against the signature of its class."""
    for name, node in cfg.metrics.scores.items():
        if node is None:
            continue
        try:
            check(to_plain(node), f"metrics.scores.{name}", given={"context": None})
        except UserError as error:
            yield str(error)


RULES = (arguments_of_scores_are_allowed,)
