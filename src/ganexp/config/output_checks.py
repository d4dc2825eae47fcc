"""Refuse a discriminator that does not suit the loss, an auxiliary term or a penalty. `checks.py` runs these checks.

A discriminator declares what kind of output it returns, and a loss declares what kind of output it needs; see
`losses/adversarial.py`.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from omegaconf import DictConfig

if TYPE_CHECKING:
    from ganexp.training.gan import GAN

LOGITS = "logits"  # what discriminators return and losses take by default


def outputs_suit_the_loss(cfg: DictConfig, gan: "GAN") -> Iterator[str]:
    """Check that the discriminator returns the kind of output that the loss needs."""
    loss, discriminator = gan.objective.adversarial, gan.discriminator
    taken, returned = getattr(loss, "takes", LOGITS), getattr(discriminator, "returns", LOGITS)
    if taken != returned:
        fix = " or ".join(f"use {part.suits}" for part in (loss, discriminator) if hasattr(part, "suits"))
        fix = fix or "use another loss, or another discriminator"
        yield f"this loss takes {taken} from the discriminator, but this discriminator returns {returned}: {fix}"


def penalties_get_logits(cfg: DictConfig, gan: "GAN") -> Iterator[str]:
    """Check that the discriminator returns logits if a penalty needs them."""
    taken = getattr(gan.objective.adversarial, "takes", LOGITS)
    for name, penalty in gan.objective.penalties.items():
        if getattr(penalty, "needs_logits", False) and taken != LOGITS:
            yield (
                f"loss.penalties.{name} needs logits of the discriminator, but this loss takes {taken} from it: use "
                "another loss, or leave this penalty out"
            )


def features_are_there(cfg: DictConfig, gan: "GAN") -> Iterator[str]:
    """Check that the discriminator has a method `features` if an auxiliary term calls it."""
    for name, term in gan.objective.auxiliary.items():
        if getattr(term, "needs_features", False) and not hasattr(gan.discriminator, "features"):
            yield f"loss.auxiliary.{name} needs features, which this discriminator does not have: use model=dfm"


def augmentations_get_feedback(cfg: DictConfig, gan: "GAN") -> Iterator[str]:
    """Check that the discriminator classifies images if an augmentation adapts to its accuracy."""
    adaptive = [getattr(each, "needs_feedback", False) for each in gan.objective.augmentations]
    if any(adaptive) and not classifies_images(cfg, gan.objective.adversarial):
        names = [str(name) for name, node in cfg.augment.items() if node is not None]
        yield (
            f"augment.{names[adaptive.index(True)]} adapts to the share of images that the discriminator classifies "
            "correctly, but with this loss the discriminator does not classify images: use another loss, or an "
            "augmentation that does not adapt, such as augment=diff_augment, or ADA with augment.ada.target=null"
        )


def classifies_images(cfg: DictConfig, loss: object) -> bool:
    """Return whether the discriminator classifies images as real or generated if it is trained with this loss."""
    has_logit = cfg.loss.logits == 1 or hasattr(loss, "logit")
    return has_logit and getattr(loss, "boundary", 0.0) is not None


def penalties_see_single_samples(cfg: DictConfig, gan: "GAN") -> Iterator[str]:
    """Check that nothing mixes samples if a penalty or an auxiliary term needs the gradient of each sample."""
    layers = gan.discriminator.named_modules()
    mixing = [f"{type(layer).__name__} ({name or 'the discriminator'})" for name, layer in layers if _mixes(layer)]
    mixing += [f"{type(each).__name__} (augment)" for each in gan.objective.augmentations if _mixes(each)]
    if mixing and (keys := keys_with_gradients(gan)):
        yield (
            f"{', '.join(keys)}: needs a separate gradient for each sample, but {mixing[0]} mixes the samples of a "
            "batch: leave out one of the two. To leave out ganexp's minibatch layer: model.discriminator.minibatch=none"
        )


def keys_with_gradients(gan: "GAN") -> list[str]:
    """Return the keys of the penalties and auxiliary terms that need a separate gradient for each sample."""
    penalties, terms = gan.objective.penalties.items(), gan.objective.auxiliary.items()
    return [
        *(f"loss.penalties.{name}" for name, penalty in penalties if getattr(penalty, "needs_gradient", True)),
        *(f"loss.auxiliary.{name}" for name, term in terms if getattr(term, "needs_gradient", False)),
    ]


def _mixes(part: object) -> bool:
    return bool(getattr(part, "mixes_samples", False))


RULES = (
    outputs_suit_the_loss,
    penalties_get_logits,
    features_are_there,
    augmentations_get_feedback,
    penalties_see_single_samples,
)
