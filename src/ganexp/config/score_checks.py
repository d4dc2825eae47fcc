"""Check the arguments of the scores, even if no scores are computed, and the value of metrics.best_by."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, get_type_hints

import torch
from omegaconf import DictConfig

from ganexp.config.instantiate import SPECIAL, check, instantiate, locate, to_plain
from ganexp.config.set_sizes import too_few_samples
from ganexp.errors import UserError
from ganexp.metrics.reference import Reference
from ganexp.metrics.score import Minimum, ScoreContext

if TYPE_CHECKING:
    from ganexp.training.gan import GAN


def is_trained_extractor(extractor: Mapping[str, Any]) -> bool:
    """Return whether a feature extractor is trained to classify the dataset.

    The config of such an extractor has the key `network`.
    """
    return "network" in extractor


def minimum_images(node: DictConfig, name: str) -> Minimum:
    """Return the minimum numbers of images that a score of `metrics.scores` needs.

    Raises:
        UserError: an argument of the score is not allowed.
    """
    plain, key = to_plain(node), f"metrics.scores.{name}"
    check(plain, key, given={"context": None})
    settings = {argument: value for argument, value in plain.items() if argument not in SPECIAL}
    minimum = getattr(locate(plain, key).func, "minimum", None)
    return Minimum() if minimum is None else minimum(**settings)


def arguments_of_scores_are_allowed(cfg: DictConfig, gan: "GAN") -> Iterator[str]:
    """Check the arguments of every score against the signature of its class, and that there are enough samples."""
    for name, node in cfg.metrics.scores.items():
        if node is None:
            continue
        try:
            minimum = minimum_images(node, name)
        except UserError as error:
            yield str(error)
            continue
        if cfg.metrics.extractor:
            yield from too_few_samples(name, minimum, cfg.metrics.samples)


def check_best_by(cfg: DictConfig, num_classes: int) -> None:
    """Check that metrics.best_by names a score, before a classifier is trained for the scores.

    Raises:
        UserError: metrics.best_by names no computed score, or a score whose better direction (higher or lower) is
            unknown.
    """
    info = expected_info(cfg, num_classes, "x") or {}  # if the info is not known yet, build_scores checks best_by later
    if directions := directions_of(info, "x"):
        best_direction(cfg.metrics.best_by, directions)


def expected_info(cfg: DictConfig, num_classes: int, extractor: str) -> dict[str, dict[str, Any]] | None:
    """Predict the result of `Scores.info` without computing a score; `extractor` is the feature extractor's name.

    The result is None if a score cannot be created without real images or the extractor.
    """
    info: dict[str, dict[str, Any]] = {}
    for name, node in cfg.metrics.scores.items():
        if node is None:
            continue
        try:
            score = instantiate(node, f"metrics.scores.{name}", context=_placeholder(cfg, num_classes, extractor))
            info |= score.value_info()
        except Exception:
            return None
    return info


def extractor_name(extractor: Mapping[str, Any]) -> str | None:
    """Return the name of a feature extractor before it is built; None if its class does not declare the name."""
    made = locate(to_plain(extractor), "metrics.extractor").func
    kind = made if isinstance(made, type) else get_type_hints(made).get("return")
    name = getattr(kind, "name", None)
    return name if isinstance(name, str) else None


def directions_of(info: Mapping[str, Mapping[str, Any]], extractor: str) -> dict[str, bool]:
    """Return whether higher values are better, for each allowed value of metrics.best_by.

    Args:
        info: how to interpret each value of the scores, see `Score.value_info`.
        extractor: name of the feature extractor. metrics.best_by can choose only values whose names end in this
            name.
    """
    ending = f"_{extractor}"
    known = {name: facts.get("higher_is_better") for name, facts in info.items() if name.endswith(ending)}
    return {name.removesuffix(ending): higher for name, higher in known.items() if higher is not None}


def best_direction(best_by: str, directions: Mapping[str, bool]) -> bool:
    """Return whether higher values of the score `best_by` are better.

    Raises:
        UserError: `best_by` is not in `directions`.
    """
    if best_by not in directions:
        allowed = f"must be one of {', '.join(directions)}" if directions else "there is no score to choose from"
        raise UserError(
            f"metrics.best_by={best_by}: {allowed}. A score can be chosen if it is computed, if it is known whether "
            "higher values are better, and if its full name ends in the name of the feature extractor. To compute "
            "another score, add it to metrics/score"
        )
    return directions[best_by]


def _placeholder(cfg: DictConfig, num_classes: int, extractor: str) -> ScoreContext:
    """Return a context that suffices to create the scores and to read the names of their values.

    In this context, the references have no images, and the real images are black.
    """
    none = Reference("", 0, torch.zeros(2), torch.zeros(2, 2), torch.zeros(0, 2))
    references = dict.fromkeys(cfg.metrics.references, none)
    of_class: Any = (lambda index: None) if num_classes else None
    data, cpu = cfg.data, torch.device("cpu")

    def black(_split: str, indices: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(indices), data.channels, data.resolution, data.resolution, dtype=torch.uint8)

    samples = cfg.metrics.samples
    return ScoreContext(extractor, 2, 2, True, references, samples, cpu, num_classes, of_class, real_images=black)


RULES = (arguments_of_scores_are_allowed,)
