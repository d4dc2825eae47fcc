"""Every YAML file in conf begins with an explanation, and every published case names its source."""

import re

import pytest
import yaml
from helpers.options import options

from ganexp.cli import CONF

ROOT = CONF.parent
FILES = [str(file.relative_to(CONF)) for file in sorted(CONF.rglob("*.yaml"))]
EXPERIMENTS = options("experiment")
CASES = [name for name in EXPERIMENTS if "/base/" not in name]
BASES = [name for name in EXPERIMENTS if "/base/" in name]
PARTS = ("Source", "Command", "Published", "Deviations")  # cases with a measurement also have Measured
PUBLISHED = yaml.safe_load((ROOT / "scripts" / "published.yaml").read_text())
NUMBER = re.compile(r"\d[\d,]*\.\d+")


def header(file):
    """Return the comment lines at the top of a YAML file, without the `@package` line."""
    lines = (CONF / file).read_text().splitlines()
    comments = lines[: next(place for place, line in enumerate([*lines, ""]) if not line.startswith("#"))]
    return [line[2:] for line in comments if not line.startswith("# @package")]


def parts(name):
    """Return the text of each named part in an experiment's header, and the text before these parts as `Title`."""
    found, part = {"Title": ""}, "Title"
    for line in header(f"experiment/{name}.yaml"):
        start = re.match(r"([A-Z][a-z]+): ", line)
        part = start[1] if start else part
        text = line[start.end() :] if start else line
        found[part] = f"{found.get(part, '')} {text}".strip()
    return found


def test_config_files_begin_with_a_comment():
    assert len(FILES) > 200
    assert not [file for file in FILES if len(" ".join(header(file))) <= 20]


def test_config_files_have_no_long_line():
    lines = [(file, line) for file in FILES for line in (CONF / file).read_text().splitlines()]
    assert not [(file, line) for file, line in lines if len(line) > 120]


@pytest.mark.parametrize("name", CASES)
def test_header_of_a_case_has_every_part(name):
    texts = parts(name)
    assert set(texts) - {"Measured"} == {"Title", *PARTS}
    assert all(texts.values())
    assert texts["Command"].startswith(f"ganexp experiment={name}")


@pytest.mark.parametrize("name", CASES)
def test_header_of_a_case_has_the_published_scores(name):
    article, _, case = name.partition("/")
    entry = PUBLISHED.get(article, {}).get(case, {"scores": []})
    scores = {score[key] for score in entry["scores"] for key in ("best", "last", "reported") if key in score}
    text = parts(name)["Published"]
    assert {float(number) for number in NUMBER.findall(text)} == scores
    assert text.startswith("none") == (not scores)


@pytest.mark.parametrize("name", [name for name in CASES if "Measured" in parts(name)])
def test_measured_scores_of_a_header_are_in_the_results(name):
    results = (ROOT / "docs" / "results.md").read_text()
    scores = NUMBER.findall(re.sub(r"\w+(\.\w+)*=\S+", "", parts(name)["Measured"]))
    assert scores
    assert [score for score in scores if score not in results] == []


@pytest.mark.parametrize("name", BASES)
def test_header_of_a_base_names_its_source(name):
    texts = parts(name)
    assert "not a case itself" in texts["Title"].lower()
    assert texts["Source"]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiment_extends_a_base_of_its_article_or_nothing(name):
    defaults = yaml.safe_load((CONF / f"experiment/{name}.yaml").read_text())["defaults"]
    extended = [entry for entry in defaults if isinstance(entry, str) and entry.startswith("/")]
    assert len(extended) <= (name in CASES)
    assert all(entry.startswith(f"/experiment/{name.split('/')[0]}/base/") for entry in extended)
    assert all(entry.removeprefix("/experiment/") in BASES for entry in extended)
