"""Read the comments in config files and schemas, because the help shows the comment on each setting.

This module must not import torch.
"""

import ast
import inspect
import io
import re
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from textwrap import dedent, wrap
from typing import get_args, get_type_hints

LINE_LENGTH = 120
SETTING = re.compile(r"""(?P<indent> *)(?P<name>["']?[\w/]+["']?):(?P<value>.*)""")
COMMENT = re.compile(r"(?:^|\s)# (?P<text>.*)")
PACKAGE = re.compile(r"# @package ([\w.]+)")
HEADER_PART = re.compile(r"(?P<name>[A-Z][a-z]+): (?P<text>.*)")
SENTENCE = re.compile(r".*?(?<!\bal)\.(?= [A-Z]|$)")
PARENT = re.compile(
    r"^ *- (\w+)$|^defaults: \[([\w, ]+)\]", re.MULTILINE
)  # options of the same group that a file includes


def file_comments(group: str, options: Sequence[str], folders: Sequence[Path]) -> dict[str, str]:
    """Return the comments on settings in the files of `options`; the keys are the dotted keys of the settings.

    Args:
        group: name of the group, such as schedule/updates.
        options: names of options of the group. Options that their files include are read too.
        folders: the directories of config files.
    """
    comments: dict[str, str] = {}
    for option in options:
        file = next((path for folder in folders if (path := folder / group / f"{option}.yaml").exists()), None)
        if file is None:
            continue
        text = file.read_text(encoding="utf-8")
        header = PACKAGE.match(text)
        package = header[1] if header else group.replace("/", ".")
        prefix = "" if package == "_global_" else f"{package}."
        own = {f"{prefix}{key}": comment for key, comment in yaml_comments(text)}
        included = re.findall(r"\w+", " ".join(map("".join, PARENT.findall(text))))
        parents = [name for name in included if name not in (option, "_self_")]
        comments = file_comments(group, parents, folders) | own | comments
    return comments


def yaml_comments(text: str) -> Iterator[tuple[str, str]]:
    """Yield the key and the comment of each setting with a comment in a YAML text.

    A comment is after the value of its setting or above the line of its setting.
    """
    path: list[str] = []
    above: list[str] = []
    for line in text.splitlines():
        setting = SETTING.match(line)
        comment = COMMENT.search(line)
        if setting is None:
            above = [*above, comment["text"]] if comment and line.lstrip().startswith("#") else []
            continue
        depth = len(setting["indent"]) // 2
        is_first = not path
        path[depth:] = [setting["name"].strip("'\"")]
        if comment := COMMENT.search(setting["value"]):
            yield ".".join(path), comment["text"]
        elif above and not is_first:  # the comment above the first setting describes the file
            yield ".".join(path), " ".join(above)
        above = []


def file_header(text: str) -> dict[str, str]:
    """Return the parts of the first comment in a YAML text. This comment says what the file is.

    Returns:
        The paragraphs. The key of a paragraph is the word that introduces the paragraph, such as Source, Command or
        Published. The description, which comes before these paragraphs, has the key "".
    """
    parts: dict[str, list[str]] = {"": []}
    name = ""
    for line in text.splitlines():
        if PACKAGE.match(line):
            continue
        if not line.startswith("#"):
            break
        content = line.removeprefix("#").strip()
        if part := HEADER_PART.fullmatch(content):
            name, content = part["name"], part["text"]
        parts.setdefault(name, []).append(content)
    return {name: " ".join(lines) for name, lines in parts.items()}


def first_sentence(text: str) -> str:
    """Return the first sentence of a text, in one line.

    Example:
        >>> first_sentence("Hinge loss (Lim and Ye 2017; Miyato et al. 2018). Use it with care.")
        'Hinge loss (Lim and Ye 2017; Miyato et al. 2018).'
    """
    line = " ".join(text.split())
    sentence = SENTENCE.match(line)
    return sentence[0] if sentence else line


def schema_comments(schema: type, prefix: str = "") -> dict[str, str]:
    """Return the comments of fields and nested fields of a schema; the keys are the keys of the fields in the config.

    The comment is on the line of the field or on the lines above it, as in `config/sections.py`.

    Args:
        schema: a dataclass.
        prefix: key of the schema itself, followed by a dot; empty for the root.
    """
    comments: dict[str, str] = {}
    for parent in reversed(schema.__mro__):
        if is_dataclass(parent):
            comments |= {f"{prefix}{name}": comment for name, comment in _own_comments(parent)}
    for name, annotation in get_type_hints(schema).items():
        nested = next((member for member in (annotation, *get_args(annotation)) if is_dataclass(member)), None)
        if isinstance(nested, type):
            comments |= schema_comments(nested, f"{prefix}{name}.")
    return comments


def _own_comments(schema: type) -> Iterator[tuple[str, str]]:
    """Yield the names and comments of the fields that `schema` declares, without inherited fields."""
    source = dedent(inspect.getsource(schema))
    (definition,) = ast.parse(source).body
    assert isinstance(definition, ast.ClassDef)
    beside, above = _python_comments(source)
    for field in definition.body:
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            comment = beside.get(field.end_lineno or field.lineno) or above.get(field.lineno)
            if comment:
                yield field.target.id, comment


def _python_comments(source: str) -> tuple[dict[int, str], dict[int, str]]:
    """Return the comments after code, and the comments above code; the keys are the line numbers of the code."""
    beside: dict[int, str] = {}
    above: dict[int, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        line, text = token.start[0], token.string.lstrip("# ")
        if token.line.lstrip().startswith("#"):
            earlier = above.pop(line, "")
            above[line + 1] = f"{earlier} {text}".strip()
        else:
            beside[line] = text
    return beside, above


def with_comments(text: str, comments: Mapping[str, str]) -> str:
    """Return a YAML text with the comment of each key in `comments` added after its value or above its line."""
    lines: list[str] = []
    path: list[str] = []
    for line in text.splitlines():
        if setting := SETTING.match(line):
            name = setting["name"].strip("'\"")  # OmegaConf quotes keys such as "n", which could mean false
            path[len(setting["indent"]) // 2 :] = [name]
            line = f"{setting['indent']}{name}:{setting['value']}"
            comment = comments.get(".".join(path), "")
            if comment and len(line) + len(comment) + 4 <= LINE_LENGTH:
                line = f"{line}  # {comment}"
            elif comment:
                start = f"{setting['indent']}# "
                lines += wrap(comment, LINE_LENGTH, initial_indent=start, subsequent_indent=start)
        lines.append(line)
    return "\n".join(lines)
