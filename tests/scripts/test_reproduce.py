"""The script that writes the table of published and measured scores."""

import sys

import pytest
import reproduce
from helpers.cli import ganexp
from helpers.runs import make_run, template
from matplotlib.image import imread

from ganexp.cli import CONF
from ganexp.errors import UserError

pytestmark = pytest.mark.slow

PROTOCOL = {"id": "a", "extractor": "classifier", "samples": 5000, "references": {"train": {"images": 60000}}}


def groups(case, overlay="none"):
    return {"experiment": case, "as_published": overlay}


def make_case(path, *overrides, seed=0, fid=20.0, case="sagan/cifar10_2", overlay="none", **more):
    return make_run(
        path, template(*overrides), seed, fid, groups=groups(case, overlay), **{"protocol": PROTOCOL} | more
    )


def write(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["reproduce.py", *map(str, arguments)])
    reproduce.main()


def lines_of(directory, case, form, score):
    """Find the lines of table.md that begin with case, form and score, and return the other cells of each line."""
    start = f"| {case} | {form} | {score} |"
    lines = (directory / "table.md").read_text().splitlines()
    return [[cell.strip() for cell in line[len(start) : -1].split("|")] for line in lines if line.startswith(start)]


def test_table_has_mean_and_deviation_over_seeds(tmp_path, monkeypatch, capsys):
    for seed, fid in enumerate((20.0, 22.0)):
        make_case(tmp_path / f"a{seed}", seed=seed, fid=fid)
    make_case(tmp_path / "b", "seed=7", fid=30.0, overlay="sagan")
    write(monkeypatch, tmp_path)
    protocol = "classifier, 5,000 samples against train"
    (corrected,) = lines_of(tmp_path, "sagan/cifar10_2", "corrected", "fid_classifier")
    assert corrected == ["", "21 ± 1.4", "10", "22 ± 1.4", "2", "1,000", protocol]
    (published,) = lines_of(tmp_path, "sagan/cifar10_2", "published", "fid_classifier")
    assert published == ["", "30", "10", "31", "1", "1,000", protocol]
    assert lines_of(tmp_path, "sagan/cifar10_2", "corrected", "is_classifier_std") == []
    assert (tmp_path / "table.md").read_text() in capsys.readouterr().out


def test_published_score_stands_beside_the_measured_one(tmp_path, monkeypatch):
    make_case(tmp_path / "run", extra_scores={"is_inception_torchvision": 5.0})
    write(monkeypatch, tmp_path)
    (cells,) = lines_of(tmp_path, "sagan/cifar10_2", "corrected", "is_inception_torchvision")
    assert cells[:4] == ["6.53 best, 3.43 last", "5", "0", "5"]
    assert "Published is_inception_torchvision: one split of 10,000 samples" in (tmp_path / "table.md").read_text()


def test_published_score_that_was_not_measured_is_listed(tmp_path, monkeypatch):
    make_case(tmp_path / "run", case="dcgan/cifar10")
    write(monkeypatch, tmp_path)
    (cells,) = lines_of(tmp_path, "dcgan/cifar10", "corrected", "fid_inception")
    assert cells[:5] == ["42.72", "not measured", "", "not measured", "0"]
    assert "dcgan: The article shows pictures" in (tmp_path / "table.md").read_text()


@pytest.mark.parametrize(
    ("overrides", "protocol"), [(("schedule.batch_size=32",), PROTOCOL), ((), PROTOCOL | {"id": "b"})]
)
def test_runs_that_cannot_be_compared_have_lines_of_their_own(tmp_path, monkeypatch, overrides, protocol):
    make_case(tmp_path / "a", seed=0)
    make_case(tmp_path / "b", *overrides, seed=1, fid=40.0, protocol=protocol)
    write(monkeypatch, tmp_path)
    lines = lines_of(tmp_path, "sagan/cifar10_2", "corrected", "fid_classifier")
    assert sorted((cells[1], cells[4]) for cells in lines) == [("20", "1"), ("40", "1")]


def test_other_runs_are_ignored(tmp_path, monkeypatch):
    make_case(tmp_path / "case")
    make_run(tmp_path / "plain", template(), seed=1, fid=50.0)
    make_case(tmp_path / "stopped", seed=2, fid=50.0, status="interrupted")
    make_case(tmp_path / "without-scores", seed=3, scores={})
    write(monkeypatch, tmp_path)
    (cells,) = lines_of(tmp_path, "sagan/cifar10_2", "corrected", "fid_classifier")
    assert (cells[1], cells[4]) == ("20", "1")


def test_runs_of_no_case_are_an_error(tmp_path, monkeypatch):
    make_run(tmp_path / "plain", template())
    with pytest.raises(UserError, match="No finished run of experiment=ARTICLE/CASE"):
        write(monkeypatch, tmp_path)


def test_picture_has_curves_and_samples_of_both_forms(tmp_path, monkeypatch):
    make_case(tmp_path / "a", pictures=True)
    make_case(tmp_path / "b", seed=7, overlay="sagan", pictures=True)
    make_case(tmp_path / "c", case="textbook/gan")
    write(monkeypatch, tmp_path, "--output", tmp_path / "new")
    picture = imread(tmp_path / "new" / "picture.png")
    assert picture.shape == (840, 1300, 4)  # a row for each case
    columns = [picture[:420, start : start + 400, :3] for start in (20, 450, 880)]
    assert all(column.std() > 0.1 for column in columns)
    assert picture[420:, 470:, :3].std() == 0  # there are no samples of the second case


def test_table_of_a_real_sweep(tmp_path, monkeypatch):
    small = ("schedule.steps=4", "schedule.evaluate_every=2", "schedule.batch_size=8", "metrics.samples=40")
    small += ("metrics.extractor.updates=5", "data=digits", "trainer=cpu", "callbacks=none", "hydra.sweep.dir=out")
    ganexp("-m", "experiment=textbook/gan", "as_published=none,textbook", *small, cwd=tmp_path)
    write(monkeypatch, tmp_path / "out")
    for form in ("corrected", "published"):
        ((_, best, evaluations, _, *rest),) = lines_of(tmp_path / "out", "textbook/gan", form, "fid_classifier")
        assert float(best) > 0
        assert [evaluations, *rest] == ["2", "1", "4", "classifier, 40 samples against train"]


def test_published_numbers_belong_to_cases():
    for article, entries in reproduce.PUBLISHED.items():
        cases = {path.stem for path in (CONF / "experiment" / article).glob("*.yaml")}
        if article != "protocols":
            assert set(entries) - {"note"} <= cases
            scores = [score for case, entry in entries.items() if case != "note" for score in entry["scores"]]
            for score in scores:
                assert {"score", "protocol", "source"} < set(score)
                assert set(score) <= {"score", "protocol", "source", "best", "last", "reported"}
                assert all(isinstance(score[key], str) for key in ("score", "protocol", "source"))
