"""Comments of config files and schemas, as the help shows them."""

from dataclasses import dataclass, field

import pytest
from helpers.config import CONF

from ganexp.config import schema
from ganexp.config.comments import file_comments, file_header, schema_comments, with_comments, yaml_comments

YAML = """# What the file is for.
# Its second line.
steps: 3 # generator updates
plain: 1
# size of both networks,
# in bytes
size: 2
ema: # an average
  decay: null # null: none
  list: [1, 2]
  - # of an entry
last: '#1' # a number
"""


@dataclass
class Inner:
    """A part."""

    size: int = 1  # size in pixels


@dataclass
class Parent:
    """A schema."""

    name: str = "#1"  # name of the run
    plain: int = 0
    # numbers of the runs,
    # counted from 0
    index: list[int] = field(default_factory=list)
    inner: Inner = field(default_factory=Inner)
    other: Inner | None = None  # this part may be missing


@dataclass
class Child(Parent):
    """A schema with more fields."""

    extra: list[int] = field(
        default_factory=list,
    )  # this comment is behind the last line


def test_yaml_comments_stand_behind_or_above_a_key():
    assert dict(yaml_comments(YAML)) == {
        "steps": "generator updates",
        "size": "size of both networks, in bytes",
        "ema": "an average",
        "ema.decay": "null: none",
        "last": "a number",
    }


def test_schema_comments_include_parents_and_parts():
    assert schema_comments(Child) == {
        "name": "name of the run",
        "index": "numbers of the runs, counted from 0",
        "inner.size": "size in pixels",
        "other": "this part may be missing",
        "other.size": "size in pixels",
        "extra": "this comment is behind the last line",
    }


def test_schemas_of_ganexp_have_comments():
    comments = schema_comments(schema.Describe)
    assert comments["estimate"].startswith("time a few steps")
    assert "schedule.max_d_steps" in comments
    assert comments["sweep.prune"].startswith("stop a job")


@pytest.mark.parametrize(
    ("group", "option", "key"),
    [
        ("schedule", "default", "schedule.steps"),
        ("schedule", "standard", "schedule.max_d_steps"),  # a key of default.yaml, which standard.yaml includes
        ("trainer", "cpu", "trainer.log_every"),
        ("schedule/updates", "fixed_ratio", "schedule.updates.order"),  # this option's file sets its own package
        ("loss/penalty", "gradient_penalty", "loss.penalties.gradient_penalty.center"),
    ],
)
def test_comments_of_an_option_have_its_keys(group, option, key):
    assert key in file_comments(group, [option], [CONF])


def test_comments_of_own_options_are_read(tmp_path):
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "mine.yaml").write_text("# Mine.\nn_critic: 3 # a few\n")
    assert file_comments("loss", ["mine", "missing"], [CONF, tmp_path]) == {"loss.n_critic": "a few"}


def test_comments_are_written_behind_keys_or_above():
    text = "a:\n  b: 1\n  c:\n  - x\n'n': 2\n"
    long = "word " * 40
    lines = with_comments(text, {"a.b": "short", "a.c": long, "n": "count"}).splitlines()
    assert lines[:2] == ["a:", "  b: 1  # short"]
    assert lines[2].startswith("  # word word")
    assert lines[3].startswith("  # word")
    assert lines[4:] == ["  c:", "  - x", "n: 2  # count"]
    assert all(len(line) <= 120 for line in lines)


def test_header_has_its_parts_by_name():
    lines = ("# @package _global_", "# A case,", "# in short. More.", "# Source: a paper; code.", "# Published: none.")
    text = "\n".join([*lines, "key: 1 # Not: it"])
    assert file_header(text) == {"": "A case, in short. More.", "Source": "a paper; code.", "Published": "none."}
    assert file_header("key: 1") == {"": ""}
