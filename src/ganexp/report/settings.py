"""Read the settings of a run from its config.yaml without executing code, because the file may be untrusted."""

import re
from dataclasses import MISSING, Field, asdict, fields, is_dataclass
from functools import cache, lru_cache
from pathlib import PurePath
from typing import Any

import omegaconf
import yaml

from ganexp.config import schema
from ganexp.config.yaml_limits import MAX_DEPTH, refuse_extreme_yaml
from ganexp.report.values import flatten

MAX_CHARACTERS = 1_000_000  # characters of a config file

# Keys that belong to the run or to its machine, or that only concern the observation of training. Runs that differ
# only in these keys have the same configuration.
NOT_SETTINGS = frozenset(
    {
        *("seed", "name", "tags", "data.root", "metrics.cache", "metrics.weights", "metrics.extractor.weights"),
        # the training depends on these keys only through schedule.steps and schedule.evaluate_every, which are settings
        *("data.images", "schedule.epochs", "schedule.evaluate_every_epochs", "schedule.keep_at"),
        *(
            "metrics.interpolate",
            "data.changed",
            "data.classes",
            "trainer.accelerator",
            "trainer.threads",
            "trainer.log_every",
            "trainer.on_oom",
        ),
        *("debug.dry_run", "debug.keep_files", "debug.keep_scores"),
        *("trainer.max_time", "trainer.profiler", "trainer.enable_model_summary", "trainer.detect_anomaly"),
    }
)
# The chosen option of callbacks is not a setting. The settings of the callbacks are, because early stopping or a user's
# callback, for example, may change the training or end it. The OBSERVERS are exceptions: they only show or save
# something.
NOT_SETTING_GROUPS = frozenset({"callbacks", "logger"})
OBSERVERS = ("curves", "discriminator_logits", "interpolations", "progress", "resources", "sample_grids")

# Only the last part of a path to images is a setting, because two machines may keep the same images in different
# places. If paths with the same last part lead to different images, training_images.py distinguishes them.
IMAGE_PATHS = ("data.path", "data.source.path")

# The lines that usually are the only difference between the configs of a sweep over seeds.
RUN_LINES = re.compile(r"^(?:seed: \d+|name: [\w.+/-]+)\n(?!\s)", re.MULTILINE)


def is_setting(key: str) -> bool:
    """Return whether runs with different values of the config key `key` have different configurations."""
    group, *names = key.split(".")
    if group == "callbacks" and names:
        return names[0] not in OBSERVERS
    return key not in NOT_SETTINGS and group not in NOT_SETTING_GROUPS


def read_config(text: str) -> dict[str, Any]:
    """Return the values of a config.yaml with their dotted keys, without values that are None.

    Keys of the schema that are missing in the config get the default of the schema.

    Raises:
        ValueError: the config is too long, or has YAML aliases.
        yaml.YAMLError: the config is not valid YAML, or has tags for Python objects.
        RecursionError: the config is nested too deeply.
    """
    run_values = dict(flatten(_parse("".join(RUN_LINES.findall(text)))))
    return _read_shared_part(RUN_LINES.sub("", text)) | run_values


def select_settings(config: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a flat config by which runs are grouped into configurations."""
    settings = {key: value for key, value in config.items() if is_setting(key)}
    for key in IMAGE_PATHS:
        if key in settings:
            settings[key] = PurePath(str(settings[key])).name
    return settings


def setting_name(key: str) -> str:
    """Return the displayed name of a setting, such as loss.adversarial for loss.adversarial._target_."""
    return key.removesuffix("._target_")


def setting_text(key: str, value: Any) -> str:
    """Return the displayed value of a setting, such as Hinge for ganexp.losses.adversarial.Hinge."""
    if value is None:
        return ""
    if key.endswith("._target_"):
        return str(value).rsplit(".", 1)[-1]
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


@lru_cache(maxsize=32)
def _read_shared_part(text: str) -> dict[str, Any]:
    """Parse the lines of a config that do not depend on the run.

    The runs of a sweep over seeds share these lines. Because of the cache, the lines are parsed only once.
    """
    config = dict(flatten(_parse(text)))
    for key, default in _schema_defaults().items():
        if key not in config:
            config[key] = _resolve(default, config)
    return {key: value for key, value in config.items() if value is not None}


def _parse(text: str) -> Any:
    """Parse YAML as plain data without aliases, because a few lines with aliases can expand to fill the memory."""
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"config.yaml has more than {MAX_CHARACTERS:,} characters")
    if "&" in text and any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, yaml.CSafeLoader)):
        raise ValueError("config.yaml has YAML aliases, which ganexp never writes")
    if max(map(text.count, ("[", "{", "- ", "? "))) > MAX_DEPTH:
        refuse_extreme_yaml(text)
    return yaml.load(text, yaml.CSafeLoader)


@cache
def _schema_defaults() -> dict[str, Any]:
    groups = {group.name: group.type for group in fields(schema.Train) if is_dataclass(group.type)}
    defaults = {
        name: {field.name: _default(field) for field in fields(group_type)} for name, group_type in groups.items()
    }
    return dict(flatten(defaults))


def _default(field: Field) -> Any:
    value = field.default if field.default_factory is MISSING else field.default_factory()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return None if value in (MISSING, omegaconf.MISSING) else value


def _resolve(default: Any, config: dict[str, Any]) -> Any:
    """Replace references to other keys, such as ${data.split}, with their values in `config`."""
    if not isinstance(default, str):
        return default
    return re.sub(r"\$\{([\w.]+)\}", lambda reference: str(config.get(reference[1])), default)
