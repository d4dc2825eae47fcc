"""Find the user's config files that Hydra misreads or never finishes reading. This module must not import torch."""

import codecs
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
