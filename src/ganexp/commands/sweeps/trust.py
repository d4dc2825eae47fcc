"""Refuse overrides in a stranger's sweep.json that would use untrusted code, files or servers.

This module must not import torch at import time.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from hydra.errors import HydraException

from ganexp.commands.sweeps.settings import PARAMETERS, of_parameters
from ganexp.config import trust
from ganexp.config.texts import is_group
from ganexp.errors import UserError

# Hydra's own settings that decide what the jobs are, and what their directories are called.
SWEEPER_OVERRIDE = re.compile(r"\+*hydra([./]sweeper[./=]|\.sweep\.subdir=|\.job\.config\.override_dirname\.)")
CODE_IN_OVERRIDE = re.compile(r"(?:_target_|custom_search_space)(.*)", re.DOTALL)
DOTTED_NAME = re.compile(r"[^\W\d]\w*(?:\.\w+)+")
MADE_OF_TEXT = re.compile(r"\$\{\s*oc\.(?!env)")  # a resolver that makes settings from a text, or reads other settings
ADDRESS = re.compile(rf"{trust.ADDRESS_KEY}['\"]?\s*[=:](.*)", re.DOTALL)
SEPARATORS = re.compile(r"[/,:=()\[\]{}\s'\"\\]+")  # between options, and between the parts of paths


def refuse_unsafe(override: str, file: Path, folders: Sequence[Path]) -> None:
    """Check an override that is stored in `file`.

    Args:
        override: the override.
        file: the sweep.json that has the override.
        folders: the directories of config files: ganexp's own first, then the user's.

    Raises:
        UserError: the override is not for the jobs of a sweep, or it names something that is not trusted: a class or
            function, a config file outside of the directories of config files, or the address of a server.
    """
    _refuse_forms(override, file)
    for part in _parts(override, file):
        _refuse_forms(part, file)
        if _leaves_the_configs(part, folders):
            raise UserError(
                f"{file}: {override} is not a valid override of a stored sweep: it may name a file outside of the "
                "directories of config files."
            )
        if (address := ADDRESS.search(part)) and not trust.is_own_address(address[1].strip(" '\"")):
            raise UserError(
                f"{file}: {override}: this server is not the one in MLFLOW_TRACKING_URI, and the results and your "
                "MLflow password would go to this server.\n"
                f"If the server is yours: MLFLOW_TRACKING_URI={address[1]} ganexp …"
            )


def _refuse_forms(override: str, file: Path) -> None:
    """Refuse flags, untrusted targets, targets with ${…}, and Hydra's settings that SWEEPER_OVERRIDE does not match."""
    key = override.split("=")[0]
    if override.startswith("-") or ("hydra" in key and not SWEEPER_OVERRIDE.match(override)):
        raise UserError(
            f"{file}: {override} is not a valid override of a stored sweep: it is a flag or a setting of Hydra itself."
        )
    found = CODE_IN_OVERRIDE.search(override)
    if MADE_OF_TEXT.search(override) or (found and "$" in found[1]):
        raise UserError(
            f"{file}: {override} is not a valid override of a stored sweep: because of ${{…}}, its value is not known."
        )
    names = DOTTED_NAME.findall(found[1]) if found else []  # several names if the override has several values
    foreign = [name for name in names if not trust.trusted(name)]
    if found and (foreign or not names):
        what = foreign[0] if foreign else "its target"
        raise UserError(
            f"{file}: {override}: {what} is not part of ganexp. GANEXP_TRUST=PACKAGE allows your own package."
        )


def _parts(override: str, file: Path) -> list[str]:
    """Return an override and, if it sets parameters of Hydra's sweeper, an override for each of these parameters."""
    key, _, value = override.lstrip("+").partition("=")
    if key.startswith(f"{PARAMETERS}."):
        return [override, f"{key.removeprefix(f'{PARAMETERS}.')}={value}"]
    try:
        of_jobs = of_parameters(override)
    except HydraException:
        raise UserError(
            f"{file}: {override} is not a valid override of a stored sweep: its value cannot be parsed."
        ) from None
    if not of_jobs and re.search(r"hydra.*\bparams\b", override):
        raise UserError(f"{file}: {override} is not a valid override of a stored sweep: use +{PARAMETERS}={{…}}")
    return [override, *of_jobs]


def _leaves_the_configs(override: str, folders: Sequence[Path]) -> bool:
    """Return whether an override chooses a config file outside of the directories of config files."""
    key, _, value = override.lstrip("+~").partition("=")
    if not (is_group(key, folders) or "/" in key or "@" in key):  # a setting, such as data.path or init_from
        return False
    return ".." in SEPARATORS.split(f"{key.partition('@')[0]} {value}") or "${" in value
