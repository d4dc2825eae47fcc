"""Write docs/methods.md, the list of all methods, from the config files and the docstrings of the code.

`make docs` runs this script. A test fails if the page differs from what the script writes.
"""

import ast
import inspect
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby
from textwrap import fill
from typing import Any

import yaml
from hydra.utils import get_object

from ganexp.commands.options import EXPERIMENTS, groups, header, layers, option_file
from ganexp.config.choices import chosen_options
from ganexp.config.comments import first_sentence
from ganexp.config.composition import CONF, PACKAGE

PAGE = PACKAGE.parents[1] / "docs" / "methods.md"
LINE_LENGTH = 120
# Config groups and their titles. Each option of a group has a section of its own (DETAILED) or a table row (LISTED).
DETAILED = {
    "loss": "Losses",
    "loss/penalty": "Penalties",
    "loss/auxiliary": "Auxiliary terms",
    "loss/modifier": "Modifiers of the losses",
    "augment": "Augmentations",
    "schedule/updates": "Update rules",
    "schedule/lr_decay": "Decay of the learning rates",
    "schedule/growth": "Growth of the networks",
}
LISTED = {"model": "Models", "data": "Datasets", "optimizer": "Optimizers", "metrics/score": "Scores"}
INTRODUCTION = """# Methods

`make docs` generates this page from the comments in `conf/` and the docstrings in `src/ganexp/`. To change the page,
edit these comments and docstrings. `ganexp list losses` prints the same options in the terminal. D is the
discriminator, G the generator.

The "published cases" of a method are the experiments whose corrected form uses this method;
`ganexp experiment=NAME` trains such a case.
"""
SECTION = re.compile(r"^(Args|Attributes|Raises|Returns|Yields|Example|Examples|Values):", re.MULTILINE)


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)


def page() -> str:
    """Return the page in Markdown."""
    options = groups([CONF])
    parts = [INTRODUCTION]
    for group, title in DETAILED.items():
        parts.append(f"## {title}\n\nChoose with `{group}=NAME`.\n")
        parts += [_method(group, name) for name in options[group] if targets(group, name)]
    parts.append(_layers())
    for group, title in LISTED.items():
        rows = [(f"`{name}`", _whole(group, name), _cases(group, name)) for name in options[group]]
        parts.append(f"## {title}\n\n{_table((f'`{group}=`', 'description', 'published cases'), rows)}")
    parts.append(_experiments(options[EXPERIMENTS]))
    return "\n".join(parts)


def targets(group: str, name: str) -> list[str]:
    """Return the classes and functions of ganexp that an option names, except networks."""
    content = yaml.safe_load(option_file(group, name, [CONF]).read_text(encoding="utf-8"))
    return [target for target in _targets(content) if target.startswith("ganexp.") and ".models." not in target]


def _targets(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if "_target_" in node:
            yield node["_target_"]
        for child in node.values():
            yield from _targets(child)


def _method(group: str, name: str) -> str:
    """Return the section of an option: its comment, the docstrings of its classes, its YAML and its cases."""
    file = option_file(group, name, [CONF])
    content = "".join(line for line in _after_header(file.read_text(encoding="utf-8")))
    classes = [_class(target) for target in targets(group, name)]
    cases = f"Published cases: {_cases(group, name) or 'none'}."
    parts = [f"### {name}", _paragraph(_whole(group, name)), *classes, f"```yaml\n{content.strip()}\n```"]
    return "\n\n".join([*parts, _paragraph(cases)]) + "\n"


def _after_header(text: str) -> Iterator[str]:
    """Yield the lines after the first comment of a YAML file."""
    in_header = True
    for line in text.splitlines(keepends=True):
        in_header = in_header and line.startswith("#")
        if not in_header:
            yield line


def _class(target: str) -> str:
    """Return the name of a class and its docstring without the sections about arguments and examples."""
    text = inspect.getdoc(get_object(target)) or ""
    section = SECTION.search(text)
    prose = text[: section.start()].strip() if section else text
    first, *others = [_paragraph(part) for part in prose.split("\n\n")]
    return "\n\n".join([_paragraph(f"`{target}`: {first}"), *others])


def _whole(group: str, name: str) -> str:
    """Return the comment at the start of an option's file, in one line."""
    return " ".join(header(group, name)[""].split())


def _paragraph(text: str) -> str:
    """Return a text as a paragraph of Markdown, in which `<` and `*` stand for themselves."""
    return fill(_escape(" ".join(text.split())), LINE_LENGTH, break_long_words=False, break_on_hyphens=False)


def _escape(text: str) -> str:
    """Escape the characters of a text that Markdown interprets, except in code between backticks."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else part.replace("<", "&lt;").replace("*", "\\*") for part in parts)


@cache
def _cases_by_option() -> dict[tuple[str, str], list[str]]:
    """Return the experiments that choose each option; the keys are (group, option)."""
    cases = defaultdict(list)
    for experiment in groups([CONF])[EXPERIMENTS]:
        for group, options in chosen_options(experiment).items():
            for option in options:
                cases[group, option].append(experiment)
    return cases


def _cases(group: str, name: str) -> str:
    """Return the experiments that choose an option; ARTICLE/* stands for all experiments of an article."""
    everything, chosen = groups([CONF])[EXPERIMENTS], _cases_by_option()[group, name]
    names = []
    for article, members in groupby(chosen, lambda case: case.partition("/")[0]):
        own = list(members)
        of_article = [case for case in everything if case.startswith(f"{article}/")]
        names += [f"`{article}/*`"] if own == of_article and len(own) > 1 else [f"`{case}`" for case in own]
    return ", ".join(names)


def _layers() -> str:
    """Return the section on layers: what each layer computes, and the models that can have the layer."""
    users = _users_of_layers()
    rows = []
    for layer in layers():
        text = inspect.getdoc(get_object(f"ganexp.models.{layer.name}")) or ""
        section = SECTION.search(text)
        prose = " ".join((text[: section.start()] if section else text).split())
        models = ", ".join(f"`{name}`" for name in users[layer.name])
        rows.append((f"`{layer.name}`", prose, models))
    explanation = _paragraph(
        "The layers and blocks of networks in `ganexp.models`. The settings of a network, such as "
        "`model.discriminator.spectral_norm`, determine which of these layers it has. The published cases of the "
        "models are listed below."
    )
    return f"## Layers\n\n{explanation}\n\n{_table(('layer', 'what it computes', '`model=`'), rows)}"


def _users_of_layers() -> dict[str, list[str]]:
    """Return, for each layer (MODULE.CLASS), the options of `model` whose networks can have this layer."""
    references = dict(_references())
    users = defaultdict(list)
    for option in groups([CONF])["model"]:
        reached = {target.removeprefix("ganexp.models.") for target in _model_targets(option)}
        while (more := reached | {name for user in reached for name in references.get(user, ())}) != reached:
            reached = more
        if not _has_choice_of_head(option):
            reached -= {"heads.ClassHead"}
        for name in reached:
            users[name].append(option)
    return users


def _has_choice_of_head(option: str) -> bool:
    """Return whether one of the networks of model=OPTION has the argument `head`, which chooses the head of D."""
    return any("head" in inspect.signature(get_object(target)).parameters for target in _model_targets(option))


def _model_targets(option: str) -> list[str]:
    """Return the networks that are named in the file of model=OPTION, and in the option files that it includes."""
    content = yaml.safe_load(option_file("model", option, [CONF]).read_text(encoding="utf-8"))
    parents = [name for name in content.get("defaults", []) if isinstance(name, str) and name != "_self_"]
    return [*_targets(content), *(target for parent in parents for target in _model_targets(parent))]


def _references() -> Iterator[tuple[str, set[str]]]:
    """Yield, for each definition in `ganexp.models`, its MODULE.NAME and the names of the definitions that it uses."""
    for file in (PACKAGE / "models").glob("*.py"):
        nodes = ast.parse(file.read_text(encoding="utf-8")).body
        known: dict[str, str] = {}  # what each name in the module stands for
        for node in nodes:
            known |= {name: f"{file.stem}.{name}" for name in _defined(node)}
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ganexp.models."):
                module = (node.module or "").removeprefix("ganexp.models.")
                known |= {alias.asname or alias.name: f"{module}.{alias.name}" for alias in node.names}
        for node in nodes:
            mentioned = {known[part.id] for part in ast.walk(node) if isinstance(part, ast.Name) and part.id in known}
            yield from ((f"{file.stem}.{name}", mentioned) for name in _defined(node))


def _defined(node: ast.stmt) -> list[str]:
    """Return the names that a statement of a module defines."""
    if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _experiments(names: Sequence[str]) -> str:
    """Return a table of all cases with their published scores."""
    rows = []
    for name in names:
        parts, dataset = header(EXPERIMENTS, name), chosen_options(name)["data"][0]
        published = first_sentence(parts.get("Published", ""))
        rows.append((f"`{name}`", f"`{dataset}`", first_sentence(parts[""]), published))
    return f"## Experiments\n\n{_table(('`experiment=`', '`data=`', 'description', 'published'), rows)}"


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown, followed by a line break."""
    cells = [[_escape(cell).replace("|", "\\|") for cell in row] for row in rows]
    lines = [titles, ["---"] * len(titles), *cells]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
