"""The rules of the code's structure: the layout, sizes, private names, and one place for each fact.

import-linter checks the directions of imports, and ruff checks complexity and docstrings (`make lint`).
"""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "ganexp"
MAX_FILE_LINES, MAX_FUNCTION_LINES = 300, 60

LAYOUT = """
src/ganexp/          cli.py __main__.py errors.py console.py pixels.py build.py checkpoint.py sampling.py
src/ganexp/commands/ train.py resume.py evaluate.py sample.py describe.py report.py list.py help.py
src/ganexp/commands/ evaluation estimation sweeps launching
src/ganexp/config/   schema.py checks.py suggestions.py trust.py instantiate.py
src/ganexp/training/ gan.py updates.py schedules.py ema.py trainer.py
src/ganexp/losses/   objective.py
src/ganexp/augment/  __init__.py
src/ganexp/models/   __init__.py
src/ganexp/data/     sets.py images.py listing.py stream.py datamodule.py download.py
src/ganexp/metrics/  collection.py reference.py extractors
src/ganexp/callbacks/ __init__.py
src/ganexp/loggers/  metrics_file.py tensorboard.py csv.py wandb.py mlflow.py
src/ganexp/plots/    __init__.py
src/ganexp/runs/     atomic.py
src/ganexp/report/   __init__.py
conf/                data model loss augment schedule optimizer metrics trainer callbacks logger experiment as_published
conf/                sweep hydra
tests/               helpers
./                   README.md CONTRIBUTING.md CHANGELOG.md Makefile pyproject.toml docs scripts outputs
"""
SOURCES = sorted(PACKAGE.rglob("*.py"))
CODE = [*SOURCES, *sorted((ROOT / "scripts").glob("*.py"))]


def relative(path):
    return str(path.relative_to(ROOT))


@cache
def nodes(path):
    """Return all nodes of a file's syntax tree."""
    return list(ast.walk(ast.parse(path.read_text())))


def test_layout_is_the_documented_one():
    wanted = [(place, name) for place, *names in map(str.split, LAYOUT.strip().splitlines()) for name in names]
    missing = [f"{place}{name}" for place, name in wanted if not (ROOT / place / name).exists()]
    assert not missing
    flat = {path.name for path in PACKAGE.glob("*.py")}
    documented = re.findall(r"^\s+(\w+\.py)", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert flat - {"__init__.py", "__main__.py"} <= set(documented)
    packages = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert packages == {place.split("/")[2] for place, _ in wanted if place.count("/") == 3}


PACKAGES = sorted({str(path.parent.relative_to(PACKAGE)) for path in SOURCES} - {"metrics/extractors"})


@pytest.mark.parametrize("package", PACKAGES)
def test_tests_mirror_the_package(package):
    assert (ROOT / "tests" / package).is_dir()


def test_files_and_functions_are_short():
    texts = {relative(path): path.read_text() for path in CODE}
    assert not [name for name, text in texts.items() if len(text.splitlines()) > MAX_FILE_LINES]
    assert not [name for name, text in texts.items() if re.search("fmt: (skip|off)", text)]
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    functions = [(relative(path), node) for path in CODE for node in nodes(path) if isinstance(node, kinds)]
    long = [(path, node.name) for path, node in functions if node.end_lineno - node.lineno >= MAX_FUNCTION_LINES]
    assert not long


def test_no_private_name_of_another_module_is_imported():
    imports = [(path, node) for path in CODE for node in nodes(path) if isinstance(node, ast.ImportFrom)]
    own = [(path, node) for path, node in imports if (node.module or "").startswith("ganexp")]
    names = [(relative(path), alias.name) for path, node in own for alias in node.names]
    assert len(names) > 1000
    assert not [(path, name) for path, name in names if re.match("_(?!_)", name)]


def test_no_module_is_a_heap():
    assert not [relative(path) for path in SOURCES if path.stem in ("utils", "helpers", "common", "misc")]


HOMES = {
    "pixels.py": r"127\.5",
    "log_keys.py": r"""["'](score|d_logit|axis)/|["']loss/(["'{]|generator|discriminator)""",
    "training/trainer.py": r"pl\.Trainer\(",
    "console.py": r"(import track|isatty\(\)|relative_to\(Path\.cwd\(\)\))",
}


@pytest.mark.parametrize(("home", "pattern"), HOMES.items(), ids=HOMES)
def test_each_fact_has_one_home(home, pattern):
    found = {str(path.relative_to(PACKAGE)) for path in SOURCES if re.search(pattern, path.read_text())}
    assert found == {home}


def test_paths_in_printed_commands_are_quoted_for_a_shell():
    """The option that `ganexp list {name}` names is not a path."""
    pattern = r"(?:ganexp (?!list )\w+|tensorboard --logdir) (?:\w+=)?\{([^}]*)\}"
    values = [(relative(path), value) for path in SOURCES for value in re.findall(pattern, path.read_text())]
    assert len(values) > 5
    assert not [(path, value) for path, value in values if not value.startswith(("shell_path(", "shlex.quote("))]


def test_score_directions_are_declared_by_metrics_only():
    pattern = r"higher_is_better(: [\w| ]+)? = (True|False)"
    found = {path.parent.name for path in SOURCES if re.search(pattern, path.read_text())}
    assert found == {"metrics"}
