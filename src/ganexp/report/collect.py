"""Finds run folders and reads them. Whoever made them, nothing in them is run: YAML and JSON are read as data."""

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, is_dataclass
from functools import cache, lru_cache
from pathlib import Path, PurePath
from typing import Any

import omegaconf
import yaml

from ganexp.config import schema
from ganexp.errors import UserError
from ganexp.report.curves import Curve, read_curves
from ganexp.report.values import is_number, plain
from ganexp.runs.run_directory import RunFolder

# The run's own, or its machine's.
NO_SETTINGS = ("seed", "name", "data.root", "metrics.cache", "metrics.weights", "metrics.extractor.weights")
BY_NAME = ("data.path", "data.source.path")  # where the images lie matters not, what the folder is called does
OWN = re.compile(r"^(?:seed: \d+|name: [\w.+/-]+)\n(?!\s)", re.MULTILINE)  # lines that alone differ between seeds
LARGEST = 1_000_000  # characters of a config


@dataclass
class Run:
    """One run folder, as data.

    settings: the config, flat, without the seed, the name and places. scores: by "best", "last", "untrained", by name.
    protocol: what the scores were measured with, flat. curves: of losses and of scores.
    """

    path: Path
    label: str
    name: str = ""
    status: str = "unreadable"
    seed: int | str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    protocol: dict[str, Any] = field(default_factory=dict)
    curves: list[Curve] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def last_step(self) -> int:
        """The last step that was logged."""
        return max((curve["axes"]["step"][-1] for curve in self.curves), default=0)

    @property
    def scored(self) -> bool:
        """Whether it has scores, be they of the way only."""
        return any(self.scores.values()) or any(
            name.startswith("score/") for curve in self.curves for name in curve["values"]
        )

    @property
    def protocol_id(self) -> str:
        """What scores must share to be compared; "?" for runs that do not say."""
        return str(self.protocol.get("id", "?"))


def collect(folders: Sequence[str | Path]) -> list[Run]:
    """Every run at or below `folders`, by path.

    Raises:
        UserError: a folder that is not there, or no run in any.
    """
    found: set[Path] = set()
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder. Give folders with runs in them, for instance: outputs")
        for path, names, files in os.walk(folder.resolve()):
            if "config.yaml" in files and "run.json" in files:
                found.add(Path(path))
                names[:] = [name for name in names if name not in ("samples", "checkpoints")]
    if not found:
        where = ", ".join(map(str, folders))
        raise UserError(f"{where}: no runs here. A run is a folder with config.yaml and run.json, as ganexp leaves it.")
    top = Path(os.path.commonpath([path.parent for path in found]))
    return [read(path, plain(path.relative_to(top))) for path in sorted(found)]


def read(path: Path, label: str) -> Run:
    """The run in `path`; what cannot be read of it stands among its warnings."""
    folder, run = RunFolder(path), Run(path, label, name=label)
    try:
        facts = json.loads(folder.run.read_text() or "{}")
        text = folder.config.read_text()
        own = dict(_leaves(_yaml("".join(OWN.findall(text)))))
        config = _config(OWN.sub("", text)) | own
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        run.warnings.append(f"not readable: {plain(str(error) or type(error).__name__)}")
        return run
    run.facts = _mapping(facts)
    run.name, run.status = plain(run.facts.get("name") or label), plain(run.facts.get("status") or "unknown")
    run.seed = config.get("seed")
    run.settings = {key: value for key, value in config.items() if key not in NO_SETTINGS}
    for key in BY_NAME:
        if key in run.settings:
            run.settings[key] = PurePath(str(run.settings[key])).name
    scores = _mapping(run.facts.get("scores"))
    run.scores = {which: _numbers(scores.get(which)) for which in ("best", "last", "untrained")}
    run.protocol = {key: value for key, value in _leaves(run.facts.get("protocol")) if value is not None}
    run.curves, problems = read_curves(folder.metrics)
    run.warnings += problems
    _warn(run)
    return run


@lru_cache(maxsize=32)
def _config(text: str) -> dict[str, Any]:
    """Flat settings, with the schema's defaults for keys that an older version had not; None is left out."""
    config = dict(_leaves(_yaml(text)))
    missing = {key: _resolved(value, config) for key, value in _defaults().items() if key not in config}
    return {key: value for key, value in (config | missing).items() if value is not None}


def _yaml(text: str) -> Any:
    """Plain data. Aliases are refused: a few lines of them can stand for more than a memory holds."""
    if len(text) > LARGEST:
        raise ValueError(f"config.yaml has more than {LARGEST:,} characters")
    if "&" in text and any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, yaml.CSafeLoader)):
        raise ValueError("config.yaml has aliases, which ganexp never writes")
    return yaml.load(text, yaml.CSafeLoader)


def _leaves(node: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Flat settings; an empty list is None."""
    for key, value in _mapping(node).items():
        name = plain(f"{at}.{key}" if at else key)
        if isinstance(value, dict):
            yield from _leaves(value, name)
        elif isinstance(value, bool) or is_number(value):
            yield name, value
        elif value in (None, []):
            yield name, None
        else:
            yield name, plain(json.dumps(value, default=str) if isinstance(value, list) else value)


@cache
def _defaults() -> dict[str, Any]:
    groups = {group.name: group.type for group in fields(schema.Train) if is_dataclass(group.type)}
    return dict(_leaves({name: {one.name: _default(one) for one in fields(kind)} for name, kind in groups.items()}))


def _default(one: Field) -> Any:
    value = one.default if one.default_factory is MISSING else one.default_factory()
    if is_dataclass(value):
        return asdict(value)
    return None if value in (MISSING, omegaconf.MISSING) else value


def _resolved(value: Any, config: dict[str, Any]) -> Any:
    return re.sub(r"\$\{([\w.]+)\}", lambda key: str(config.get(key[1])), value) if isinstance(value, str) else value


def _mapping(node: Any) -> dict[Any, Any]:
    return node if isinstance(node, dict) else {}


def _numbers(node: Any) -> dict[str, float]:
    return {plain(name): value for name, value in _mapping(node).items() if is_number(value)}


def _warn(run: Run) -> None:
    error = plain(run.facts.get("error") or "no reason recorded")
    steps = run.settings.get("schedule.steps")
    reasons = {
        "failed": f"failed: {error}",
        "interrupted": f"interrupted at step {run.last_step} of {steps}",
        "running": f"not finished: running, or killed, at step {run.last_step} of {steps}",
    }
    if run.status in reasons:
        run.warnings.append(reasons[run.status])
    elif run.status == "finished" and run.curves and is_number(steps) and run.last_step < steps:
        run.warnings.append(f"shorter than planned: step {run.last_step} of {steps}")
    if run.facts.get("git_dirty"):
        run.warnings.append("git tree was dirty: the commit does not tell all of the code")
