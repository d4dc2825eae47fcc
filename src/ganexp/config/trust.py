"""What a config that came with a checkpoint may name. Its author may be a stranger: it must run none of their code."""

import inspect
import os
from collections.abc import Iterator
from typing import Any

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ganexp.config import schema
from ganexp.errors import UserError

CLASSES = ("ganexp.losses.", "ganexp.models.", "ganexp.training.updates", "ganexp.metrics.extractors", "torch.optim.")
FUNCTIONS = ("ganexp.data.sets", "ganexp.metrics.extractors.train_classifier")


def load(path: str | os.PathLike[str]) -> DictConfig:
    """The config in `path`, if everything it would build is ganexp's own, a torch optimizer, or under GANEXP_TRUST.

    GANEXP_TRUST is a comma-separated list of your own packages.

    Raises:
        UserError: no such file, no config, or a `_target_` that is not trusted.
    """
    try:
        cfg = OmegaConf.load(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file. A checkpoint is read with the config.yaml of its run folder.") from None
    except Exception as error:  # whatever the YAML reader makes of the text
        raise UserError(f"{path} is no config: {error}") from None
    for key, value in _leaves(OmegaConf.to_container(cfg, resolve=False)):
        if isinstance(value, str) and "${" in value:
            raise UserError(f"{path}: {key} is not resolved ({value}).")
        if key.endswith("_target_") and not trusted(value):
            raise UserError(
                f"{path}: {key}={value} is not part of ganexp, and running it is not safe unless you know its author.\n"
                f"If you do: GANEXP_TRUST={str(value).split('.')[0]} ganexp …"
            )
    known = OmegaConf.structured(schema.Train)  # its defaults, for keys that an older version had not
    try:
        return schema.resolve(OmegaConf.merge(known, cfg))
    except OmegaConfBaseException as error:
        raise UserError(f"{path} is no config of a run: {str(error).splitlines()[0]}") from None


def trusted(target: Any) -> bool:
    """Whether instantiating `target`, a dotted path, runs nothing but known code."""
    own = tuple(f"{package.strip()}." for package in os.environ.get("GANEXP_TRUST", "").split(",") if package.strip())
    if own and str(target).startswith(own):
        return True
    if not str(target).startswith(("ganexp.", "torch.optim.")):
        return False
    try:
        found = get_object(target)
    except Exception:
        return False
    home = f"{getattr(found, '__module__', '')}.{getattr(found, '__qualname__', '')}"  # where it is defined, not named
    if inspect.isclass(found):
        return home.startswith(CLASSES)
    return inspect.isfunction(found) and home.startswith(FUNCTIONS) and not found.__name__.startswith("_")


def _leaves(node: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else None
    if items is None:
        yield at, node
        return
    for key, value in items:
        yield from _leaves(value, f"{at}.{key}" if at else str(key))
