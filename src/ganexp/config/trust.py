"""Check the `_target_`s in the config of a checkpoint, so that a downloaded run cannot run untrusted code."""

import inspect
import os
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ganexp.config import schema
from ganexp.config.yaml_limits import refuse_extreme_yaml
from ganexp.errors import UserError, first_line
from ganexp.runs.links import refuse_links

# Modules and classes that are trusted. A class of Lightning is listed only if it cannot call code from a config.
CLASSES = (
    "ganexp.augment.",
    "ganexp.callbacks.",
    "ganexp.loggers.",
    "ganexp.losses.",
    "ganexp.metrics.",
    "ganexp.models.",
    "ganexp.training.schedules.",
    "ganexp.training.updates.",
    "pytorch_lightning.callbacks.early_stopping.EarlyStopping",
    "pytorch_lightning.callbacks.lr_monitor.LearningRateMonitor",
    "torch.optim.",
)
ADDRESS_KEY = "tracking_uri"  # key for the address of a server to which MLflow sends the user's password
FUNCTIONS = ("ganexp.data.sets.", "ganexp.metrics.extractors.classifier.train_classifier")


def load(path: str | os.PathLike[str], without: Iterable[str] = ()) -> DictConfig:
    """Return the resolved config in `path`, after checking that all of its targets are trusted.

    Args:
        path: the config.yaml of a run directory.
        without: keys of mappings that are not needed, such as callbacks. The entries of these mappings are removed
            without a check.

    Raises:
        UserError: the file does not exist or is not the config of a run; it has an interpolation, a `_target_` that is
            not trusted, or the address of a server that is not the user's; or the run directory has links to other
            places.
    """
    if Path(path).exists():
        refuse_links(Path(path).parent)
    values = _read(path)
    for name in without:
        values[name] = {}
    for key, value in leaves(values):
        if isinstance(value, str) and "${" in value:
            raise UserError(f"{path}: {key} is not resolved ({value}).")
        if key.endswith("_target_") and not trusted(value):
            raise UserError(
                f"{path}: {key}={value} is not part of ganexp, and is safe to run only if you know its author.\n"
                f"If you know the author: {_packages_in_front(values)}ganexp …"
            )
        if key.endswith(f".{ADDRESS_KEY}") and not is_own_address(value):
            raise UserError(
                f"{path}: {key}={value}: this server is not the one in MLFLOW_TRACKING_URI, and the results and your "
                "MLflow password would go to this server.\n"
                f"If the server is yours: MLFLOW_TRACKING_URI={value} ganexp …"
            )
    try:
        return schema.resolve(cast(DictConfig, OmegaConf.merge(OmegaConf.structured(schema.Train), values)))
    except (OmegaConfBaseException, UserError) as error:
        raise UserError(f"{path} is not the config of a run: {first_line(error)}") from None


def _read(path: str | os.PathLike[str]) -> dict[str, Any]:
    try:
        refuse_extreme_yaml(Path(path).read_text(encoding="utf-8"))
        values: Any = OmegaConf.to_container(OmegaConf.load(Path(path)), resolve=False)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file. A checkpoint needs the config.yaml of its run directory.") from None
    except Exception as error:  # the YAML reader raises errors of many kinds
        raise UserError(f"{path} is not a config: {error}") from None
    if not isinstance(values, dict):
        raise UserError(f"{path} is not the config of a run: it is a list")
    return values


def trusted(target: Any) -> bool:
    """Return whether calling `target`, a dotted path, runs only trusted code.

    Trusted code is in `CLASSES`, in `FUNCTIONS`, or in the packages that the environment variable GANEXP_TRUST lists,
    separated by commas. For `CLASSES` and `FUNCTIONS`, the module that defines the target is decisive, not
    the path by which the config names the target.
    """
    return str(target).startswith(_own_packages()) or _is_known(target)


def _is_known(target: Any) -> bool:
    """Return whether `target` is in `CLASSES` or `FUNCTIONS`."""
    if not str(target).startswith(("ganexp.", "pytorch_lightning.", "torch.optim.")):
        return False  # the target is not imported
    try:
        known = get_object(target)
    except Exception:
        return False
    home = f"{getattr(known, '__module__', '')}.{getattr(known, '__qualname__', '')}"
    if inspect.isclass(known):
        return home.startswith(CLASSES)
    return inspect.isfunction(known) and home.startswith(FUNCTIONS) and not known.__name__.startswith("_")


def in_front_of_command(cfg: DictConfig, without: Iterable[str] = ()) -> str:
    """Return `GANEXP_TRUST=PACKAGES `, with which a command can load this config; "" if it needs no package of others.

    The targets of the mappings in `without` are left out, as `load` does. Packages that this process trusts already are
    named, too, because the command may be typed in another shell, and its value replaces that of the shell.
    """
    return _packages_in_front(cast(dict[str, Any], OmegaConf.to_container(cfg)) | dict.fromkeys(without))


def _packages_in_front(values: dict[str, Any]) -> str:
    targets = [value for key, value in leaves(values) if key.endswith("_target_") and not _is_known(value)]
    packages = dict.fromkeys(str(target).split(".")[0] for target in targets)
    return f"GANEXP_TRUST={shlex.quote(','.join(packages))} " if packages else ""


def is_own_address(value: Any) -> bool:
    """Return whether an address is null, a local database, or the server in the user's MLFLOW_TRACKING_URI."""
    return value is None or str(value).startswith("sqlite:///") or value == os.environ.get("MLFLOW_TRACKING_URI")


def _own_packages() -> tuple[str, ...]:
    packages = os.environ.get("GANEXP_TRUST", "").split(",")
    return tuple(f"{package.strip()}." for package in packages if package.strip())


def leaves(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value below `node` that is neither a mapping nor a list, after its full key, such as `a.b.0`."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else None
    if items is None:
        yield key, node
        return
    for name, value in items:
        yield from leaves(value, f"{key}.{name}" if key else str(name))
