"""Let Hydra read each config file of the package, and parse each interpolation, only once in a test process.

Tests compose thousands of configs from the same files. Separate processes, and a user's own directories, are not cached.
"""

import functools
import pickle
import sys
from collections.abc import Callable
from typing import Any

from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra._internal.core_plugins.importlib_resources_config_source import ImportlibResourcesConfigSource
from omegaconf import grammar_parser

from ganexp.config.composition import CONF


def install() -> None:
    """Replace Hydra's functions by functions that remember their results. A result is copied before it is returned."""
    for source in (FileConfigSource, ImportlibResourcesConfigSource):
        source.load_config = _remembered(source.load_config)
    parse = grammar_parser.parse
    remembered = functools.lru_cache(maxsize=None)(parse)
    for module in list(sys.modules.values()):
        if module.__name__.startswith("omegaconf") and getattr(module, "parse", None) is parse:
            module.parse = remembered


def _remembered(load_config: Callable[..., Any]) -> Callable[..., Any]:
    results: dict[tuple[str, str], bytes] = {}

    @functools.wraps(load_config)
    def load(source: Any, config_path: str) -> Any:
        if source.scheme() == "file" and source.path != str(CONF):
            return load_config(source, config_path)
        key = (source.full_path(), config_path)
        if key not in results:
            results[key] = pickle.dumps(load_config(source, config_path))
        return pickle.loads(results[key])

    return load
