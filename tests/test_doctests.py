"""The examples in docstrings give the output that they show."""

import doctest
import importlib
import inspect
from pathlib import Path

import pytest

from ganexp import losses

SOURCE = Path(__file__).resolve().parents[1] / "src"
FILES = sorted(path for path in SOURCE.rglob("*.py") if ">>> " in path.read_text())
FORMULAS = [
    getattr(losses, name) for name in losses.__all__ if name not in ("Objective", "ClassHead", "SeparateClassifier")
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_examples_in_docstrings_are_correct(path):
    name = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("formula", FORMULAS)
def test_every_loss_and_penalty_has_an_example(formula):
    assert ">>> " in inspect.getdoc(formula)
