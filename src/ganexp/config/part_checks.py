"""Refuse parts of the objective that lack a needed method, for example because the method's name is mistyped.

`checks.py` runs these checks.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from ganexp.losses.modifiers import METHODS

if TYPE_CHECKING:
    from ganexp.training.gan import GAN


def modifiers_have_a_method(cfg: DictConfig, gan: "GAN") -> Iterator[str]:
    """Check that every modifier changes something."""
    for name, modifier in gan.objective.modifiers.items():
        if not any(hasattr(modifier, method) for method in METHODS):
            yield (
                f"loss.modifiers.{name} changes nothing: {type(modifier).__name__} needs a method "
                f"{' or '.join(METHODS)}"
            )


def auxiliary_terms_have_a_method(cfg: DictConfig, gan: "GAN") -> Iterator[str]:
    """Check that every auxiliary term has a method for at least one network, and for each network in its `networks`."""
    for name, term in gan.objective.auxiliary.items():
        kind = type(term).__name__
        if not any(hasattr(term, network) for network in gan.networks):
            yield (
                f"loss.auxiliary.{name} adds nothing to a loss: {kind} needs a method with the name of one of the "
                f"networks {', '.join(gan.networks)}"
            )
        for network in getattr(term, "networks", ()):
            if not hasattr(term, network):
                yield (
                    f"loss.auxiliary.{name} does not train the {network}, which it lists in `networks`: {kind} needs a "
                    f"method {network}"
                )


def adaptive_augmentations_have_a_method(cfg: DictConfig, gan: "GAN") -> Iterator[str]:
    """Check that an augmentation that adapts to the discriminator's accuracy has a method to receive it."""
    names = [name for name, node in cfg.augment.items() if node is not None]
    for name, augmentation in zip(names, gan.objective.augmentations, strict=True):
        if getattr(augmentation, "needs_feedback", False) and not hasattr(augmentation, "observe"):
            yield f"augment.{name} cannot adapt: {type(augmentation).__name__} needs a method observe"


RULES = (modifiers_have_a_method, auxiliary_terms_have_a_method, adaptive_augmentations_have_a_method)
