"""Find the user's config files that Hydra ignores, misreads or never finishes reading.

This module must not import torch.
"""

import codecs
import re
from collections.abc import Sequence
from pathlib import Path

import yaml

from ganexp.config.yaml_limits import refuse_extreme_yaml
from ganexp.console import short_path
from ganexp.errors import UserError

MARKS = {
    codecs.BOM_UTF8: "UTF-8 with a byte order mark (BOM)",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def explain_encoding(folders: Sequence[Path]) -> str:
    """Return a message that names the user's first config file with a wrong encoding, and the fix; else an empty text.

    With a byte order mark at the beginning of a file, Hydra does not recognise `# @package _global_` in the first line.

    Args:
        folders: the directories of config files: ganexp's own first, then the user's.
    """
    for folder in folders[1:]:
        for file in sorted(folder.rglob("*.yaml")):
            if encoding := _wrong_encoding(file):
                return (
                    f"{short_path(file)}: the encoding is {encoding}. Save the file as UTF-8 without a byte order mark."
                )
    return ""


def refuse_extreme_files(folders: Sequence[Path]) -> None:
    """Check the user's config files before Hydra reads them.

    Hydra would never finish reading a file with too many values.

    Args:
        folders: the directories of config files: ganexp's own first, then the user's.

    Raises:
        UserError: a file is nested too deeply, has an alias that contains itself, or has too many values when its
            aliases are replaced.
    """
    for folder in folders[1:]:
        for file in sorted(folder.rglob("*.yaml")):
            try:
                refuse_extreme_yaml(file.read_text(encoding="utf-8") if file.is_file() else "")
            except (OSError, UnicodeDecodeError):
                continue
            except ValueError as error:
                raise UserError(f"{short_path(file)}: {error}.") from None


def refuse_hidden_files(folders: Sequence[Path]) -> None:
    """Check that no config file of the user has the name of a file of ganexp, which Hydra would use instead.

    A copy with the same content is allowed.

    Args:
        folders: the directories of config files: ganexp's own first, then the user's.

    Raises:
        UserError: Hydra would ignore a file.
    """
    for folder in folders[1:]:
        for file in sorted(folder.rglob("*.yaml")):
            used = folders[0] / file.relative_to(folder)
            if used.is_file() and file.read_bytes() != used.read_bytes():
                raise UserError(
                    f"{short_path(file)}: ganexp has a file of this name, which would be used instead. "
                    "Rename your file."
                )


def explain_package(error: Exception, folders: Sequence[Path]) -> str:
    """Return which line must come first in the user's file that Hydra refuses; empty if the error has another reason.

    The line, such as `# @package loss`, says to which part of the config the settings of the file belong.

    Args:
        error: the error that Hydra raised when it composed the config.
        folders: the directories of config files: ganexp's own first, then the user's.
    """
    match = re.match(r"In '([\w./-]+)': ConfigKeyError", str(error))
    if not match:
        return ""
    group = folders[0] / Path(match[1]).parent
    while not group.is_dir():  # a directory of experiments that only the user has
        group = group.parent
    packages = {_package(file) for file in group.rglob("*.yaml")}
    for file in (folder / f"{match[1]}.yaml" for folder in folders[1:]):
        if file.is_file() and not _package(file) and len(packages) == 1 and (package := packages.pop()):
            return f"{short_path(file)}: the first line must be\n{package}"
    return ""


def _package(file: Path) -> str:
    """Return the line `# @package …`, if it is the first line of a config file; Hydra ignores it after other lines."""
    first = file.read_text(encoding="utf-8").lstrip().partition("\n")[0]
    return first if re.match(r"#\s*@package\s", first) else ""


def explain_content(folders: Sequence[Path]) -> str:
    """Return a message about the user's first config file that holds no settings; empty if there is no such file."""
    for folder in folders[1:]:
        for file in sorted(folder.rglob("*.yaml")):
            try:
                values = yaml.safe_load(file.read_text(encoding="utf-8"))
            except (OSError, ValueError, yaml.YAMLError):
                continue
            if not isinstance(values, (dict, type(None))):
                return f"{short_path(file)}: the file holds no settings. Write one KEY: VALUE in each line."
    return ""


def _wrong_encoding(file: Path) -> str:
    try:
        content = file.read_bytes()
    except OSError:
        return ""
    for mark, encoding in MARKS.items():
        if content.startswith(mark):
            is_harmless = encoding.startswith("UTF-8") and not content[len(mark) :].lstrip().startswith(b"# @package")
            return "" if is_harmless else encoding
    if b"\0" in content:
        return "UTF-16"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return "not UTF-8"
    return ""
