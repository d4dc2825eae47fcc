"""Let Hydra compose the configs of ganexp faster, with the same result: the tests compose thousands of configs.

Within a test process, every config file of ganexp is read only once, the files for the same choice of options are
found and merged only once, and every interpolation and every override is parsed only once. `omegaconf_speed` does the
rest. Separate processes that do not call `install`, and the files in a user's own config directories, are not affected.
"""

import copy
import functools
import pickle
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import hydra
import omegaconf
import pytest
from hydra._internal import config_loader_impl, defaults_list
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository, ConfigRepository
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.default_element import InputDefault, ResultDefault
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from omegaconf import DictConfig, grammar_parser

from ganexp.config.composition import CONF
from helpers import omegaconf_speed

PATCHES = pytest.MonkeyPatch()
STEP = 6  # the merges of the first STEP, 2 STEP, 3 STEP, … files are remembered


@dataclass
class _Merged:
    """The merge of several config files. It takes the place of these files in Hydra's list of defaults."""

    config: DictConfig
    config_path: str = "several files"


def install() -> None:
    """Replace functions of Hydra by functions that remember their results.

    These functions are private. With other releases than 1.3 of Hydra and 2.3 of OmegaConf, nothing is replaced.
    """
    if not (hydra.__version__.startswith("1.3.") and omegaconf.__version__.startswith("2.3.")):
        return
    Plugins.instance()  # fills Hydra's registry of sources
    for scheme in ("file", "pkg"):
        source: Any = SourcesRegistry.instance().resolve(scheme)
        PATCHES.setattr(source, "load_config", _remembered(source.load_config, _file_of_the_package))
    PATCHES.setattr(ConfigRepository, "load_config", _shared(ConfigRepository.load_config))
    load = _remembered(ConfigLoaderImpl._load_single_config, _default_of_the_package)
    PATCHES.setattr(ConfigLoaderImpl, "_load_single_config", _unless_merged(load))
    compose = _from_a_head(ConfigLoaderImpl._compose_config_from_defaults_list)
    PATCHES.setattr(ConfigLoaderImpl, "_compose_config_from_defaults_list", compose)
    parse_override = _remembered(OverridesParser.parse_rule, _override_without_function)
    PATCHES.setattr(OverridesParser, "parse_rule", parse_override)
    create = _of_chosen_options(config_loader_impl.create_defaults_list)
    PATCHES.setattr(config_loader_impl, "create_defaults_list", create)
    create_map = _only_if_needed(defaults_list._create_interpolation_map)
    PATCHES.setattr(defaults_list, "_create_interpolation_map", create_map)
    PATCHES.setattr(CachingConfigRepository, "__init__", _keep_sources)
    parse = grammar_parser.parse
    remembered = functools.lru_cache(maxsize=None)(parse)
    for module in list(sys.modules.values()):
        if module.__name__.startswith("omegaconf") and getattr(module, "parse", None) is parse:
            PATCHES.setattr(module, "parse", remembered)
    omegaconf_speed.install(PATCHES)


def uninstall() -> None:
    """Undo `install`."""
    PATCHES.undo()


def _remembered(function: Callable[..., Any], key_of: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` with a cache of pickled results. A result whose key is None is not kept."""
    results: dict[Any, bytes] = {}

    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        key = key_of(*arguments, **named)
        if key is None:
            return function(*arguments, **named)
        if key not in results:
            results[key] = pickle.dumps(function(*arguments, **named))
        return pickle.loads(results[key])

    return call


def _from_a_head(merge: Callable[..., DictConfig]) -> Callable[..., DictConfig]:
    """Return a function that merges files, and remembers the merges of the first STEP, 2 STEP, 3 STEP, … files.

    Merging a file into a config takes a millisecond, because all nodes of the config are visited.
    """

    def compose(loader: ConfigLoaderImpl, defaults: Sequence[Any], repo: Any) -> DictConfig:
        head = (len(defaults) - 1) // STEP * STEP
        if head and _choices_of_the_package(loader, defaults, repo):
            merged = remembered(loader, defaults[:head], repo)
            defaults = [_Merged(merged), *defaults[head:]]
        return merge(loader, defaults, repo)

    remembered = _remembered(compose, _choices_of_the_package)
    return remembered


def _unless_merged(load: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that loads an entry of Hydra's list of defaults, or returns the entry if it is a `_Merged`."""

    def call(loader: ConfigLoaderImpl, default: Any, repo: Any) -> Any:
        return default if isinstance(default, _Merged) else load(loader, default, repo)

    return call


def _of_chosen_options(create: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that lists the files of a config, and remembers the list for each choice of options."""

    def choices(repo: Any, config_name: str, overrides_list: Any, **modes: bool) -> tuple[Any, ...] | None:
        if not all(_is_of_the_package(source) for source in repo.get_sources()):
            return None
        chosen = defaults_list.Overrides(repo, overrides_list)
        groups = (chosen.override_choices, chosen.override_metadata, chosen.append_group_defaults, chosen.deletions)
        return config_name, repr(groups), *modes.values()

    @functools.wraps(create)
    def call(repo: Any, config_name: str, overrides_list: Any, **modes: bool) -> Any:
        result = remembered(repo, config_name, overrides_list, **modes)
        result.config_overrides = defaults_list.Overrides(repo, overrides_list).config_overrides
        return result

    remembered = _remembered(create, choices)
    return call


def _override_without_function(_parser: Any, text: str, rule: str) -> tuple[str, str] | None:
    return None if "(" in text else (text, rule)


def _shared(load: Callable[..., Any]) -> Callable[..., Any]:
    """Return `load` with a cache of results. The results are not copied, because Hydra only reads them."""
    results: dict[str, Any] = {}

    def call(repository: ConfigRepository, config_path: str) -> Any:
        if not _are_of_the_package([config_path], repository):
            return load(repository, config_path)
        if config_path not in results:
            results[config_path] = load(repository, config_path)
        return results[config_path]

    return call


def _is_of_the_package(source: Any) -> bool:
    return source.scheme() != "file" or source.path == str(CONF)


def _file_of_the_package(source: Any, config_path: str) -> tuple[str, str] | None:
    return (source.full_path(), config_path) if _is_of_the_package(source) else None


def _are_of_the_package(paths: Sequence[str | None], repository: Any) -> bool:
    """Return whether none of the given config files is in a user's own config directory."""
    own = [source for source in repository.get_sources() if not _is_of_the_package(source)]
    return not any(source.is_config(path) for source in own for path in paths if path)


def _default_of_the_package(_loader: Any, default: ResultDefault, repo: Any) -> tuple[Any, ...] | None:
    if not _are_of_the_package([default.config_path], repo):
        return None
    return default.config_path, default.package, default.primary


def _choices_of_the_package(_loader: Any, defaults: Sequence[ResultDefault], repo: Any) -> tuple[Any, ...] | None:
    if not _are_of_the_package([default.config_path for default in defaults], repo):
        return None
    return tuple((default.config_path, default.package, default.primary) for default in defaults)


def _only_if_needed(create_map: Callable[..., DictConfig]) -> Callable[..., DictConfig]:
    """Return a function that lists what interpolations can refer to; without interpolations, the list is empty."""

    def create(overrides: Any, items: Sequence[InputDefault], self_added: bool) -> DictConfig:
        is_needed = any(item.is_interpolation() for item in items)
        return create_map(overrides, items, self_added) if is_needed else DictConfig({})

    return create


def _keep_sources(repository: CachingConfigRepository, delegate: Any) -> None:
    """Initialise a repository, but do not copy its sources of configs, because Hydra never changes the sources."""
    repository.delegate, repository.cache = copy.copy(delegate), {}
