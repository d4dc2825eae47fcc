"""Refuse networks that contradict the size of images or latents, or the number of classes. See `checks.py`.

The options of `model=` take these sizes from the dataset and the latent. An override of an argument of one network
can contradict these sizes.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf

if TYPE_CHECKING:
    from ganexp.training.gan import GAN

SIZES = {"resolution": "data.resolution", "channels": "data.channels", "latent_dim": "model.latent.dim"}


def networks_have_the_sizes_of_the_data(cfg: DictConfig, gan: "GAN") -> Iterator[str]:
    """Check those arguments of ganexp's own networks that must equal a setting of the dataset or of the latent."""
    for key, node in _own_networks(cfg):
        for argument, source in SIZES.items():
            expected = OmegaConf.select(cfg, source)
            if argument in node and node[argument] != expected:
                yield (
                    f"{key}.{argument}={node[argument]}: must be equal to {source}={expected}: leave it out, "
                    "or change both"
                )
        yield from _wrong_classes(key, node, cfg)
        yield from _wrong_class_logits(key, node, cfg)


def _own_networks(cfg: DictConfig) -> Iterator[tuple[str, DictConfig]]:
    """Yield the keys and nodes of the networks whose classes are part of ganexp."""
    model = cfg.model
    nodes = {"model.generator": model.generator, "model.discriminator": model.discriminator}
    nodes |= {f"model.auxiliary.{name}": node for name, node in model.auxiliary.items()}
    for key, node in nodes.items():
        if node is not None and str(node.get("_target_")).startswith("ganexp."):
            yield key, node


def _wrong_classes(key: str, node: DictConfig, cfg: DictConfig) -> Iterator[str]:
    given, classes = node.get("num_classes"), cfg.data.num_classes
    if given is None:
        return
    if key.startswith("model.auxiliary."):
        allowed = [classes]
    elif key == "model.generator":
        allowed = [classes if cfg.model.conditional else 0]
    else:  # a discriminator may ignore the labels
        allowed = [classes if cfg.model.conditional else 0, 0]
    if given not in allowed:
        is_labelled = cfg.model.conditional or key.startswith("model.auxiliary.")
        fix = "leave it out" if is_labelled else "leave it out, or use model.conditional=true"
        yield f"{key}.num_classes={given}: must be {allowed[0]} with data.num_classes={classes}: {fix}"


def _wrong_class_logits(key: str, node: DictConfig, cfg: DictConfig) -> Iterator[str]:
    """Yield an error line if an auxiliary network does not have one logit for each class."""
    given, classes = node.get("logits"), cfg.data.num_classes
    if key.startswith("model.auxiliary.") and given not in (None, classes):
        yield f"{key}.logits={given}: must be {classes}, one for each class of the dataset: leave it out"


RULES = (networks_have_the_sizes_of_the_data,)
