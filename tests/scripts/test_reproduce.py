"""The table of an article: published numbers beside those of runs, which are made once, collected, and gone on with."""

import json
import sys
from pathlib import Path

import pytest
import reproduce
import torch
from helpers.cli import ganexp
from matplotlib.image import imread

from ganexp.plots import grids

SMALL = (
    "textbook", "--cases", "gan", "--steps-fraction", "0.0001", "--output", "out",
    "data=digits", "schedule.batch_size=8", "metrics.samples=40", "metrics.extractor.updates=5", "trainer=cpu",
)  # fmt: skip


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder, and the words of every ganexp that was started in it."""
    started = []

    def in_process(*words):
        started.append(words)
        return ganexp(*words, cwd=tmp_path, check=False).returncode

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(reproduce, "ganexp", in_process)
    return started


def run(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["reproduce.py", *words])
    reproduce.main()
    return Path("out/table.md").read_text()


def cells(text, case, form, score):
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {case} | {form} | {score} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_runs_once_and_shows_what_was_measured(here, monkeypatch):
    text = run(monkeypatch, *SMALL)
    assert len(here) == 2
    for form in ("corrected", "published"):
        facts = json.loads(Path(f"out/gan/{form}-seed-0/run.json").read_text())
        assert facts["groups"]["as_published"] == ("textbook" if form == "published" else "none")
        row = cells(text, "gan", form, "fid_classifier")
        assert row[3] == ""  # nothing was published
        measured = [f"{facts['scores'][which]['fid_classifier']:.4g}" for which in ("best", "last")]
        assert row[4:] == [measured[0], "5", measured[1], "40", "1", "10"]
    picture = imread("out/picture.png")  # one case: a curve and two grids
    assert picture.shape == (420, 1300, 4)
    assert picture[:, 900:].std() > 0.1
    assert run(monkeypatch, *SMALL) == text
    assert len(here) == 2  # nothing is run again

    facts = json.loads(Path("out/gan/corrected-seed-0/run.json").read_text())
    Path("out/gan/corrected-seed-0/run.json").write_text(json.dumps(facts | {"status": "interrupted"}))
    assert cells(run(monkeypatch, *SMALL, "--collect"), "gan", "corrected", "")[4:7] == ["not run", "", "not run"]
    run(monkeypatch, *SMALL)
    assert here[2][0] == "resume"


def test_mean_and_spread_over_seeds(here, monkeypatch):
    for seed, (best, last) in enumerate([(6.0, 3.0), (7.0, 4.0)]):
        folder = Path(f"out/cifar10_2/published-seed-{seed}")
        grids.save_picture(torch.zeros(3, 8, 8, dtype=torch.uint8), folder / "samples" / "step-0001950.png")
        scores = {
            "best": {"step": 975, "is_inception_torchvision": best},
            "last": {"step": 1950, "is_inception_torchvision": last},
        }
        (folder / "run.json").write_text(json.dumps({"status": "finished", "scores": scores}))
        rows = [
            {"step": row["step"], "score/is_inception_torchvision": row["is_inception_torchvision"]}
            for row in scores.values()
        ]
        (folder / "config.yaml").write_text("metrics: {samples: 5000}")
        (folder / "metrics.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    text = run(monkeypatch, "sagan", "--collect", "--output", "out")
    row = cells(text, "cifar10_2", "published", "is_inception_torchvision")
    assert row[3:] == ["6.53 best, 3.43 last", "6.5 ± 0.71", "2", "3.5 ± 0.71", "5,000", "2", "1,950"]
    assert cells(text, "cifar10_2", "corrected", "is_inception_torchvision")[4:] == [
        "not run",
        "",
        "not run",
        "",
        "0",
        "",
    ]
    assert cells(text, "anime_face", "corrected", "")[3:7] == ["", "not run", "", "not run"]
    assert here == []


def test_a_failed_run_is_reported_at_the_end(here, monkeypatch):
    with pytest.raises(SystemExit, match="2 runs failed"):
        run(monkeypatch, *SMALL, "optimizer.generator.lr=-1")
    assert "not run" in Path("out/table.md").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["textbok"], "There is no article 'textbok': use one of .*textbook"),
        (["textbook", "--cases", "gan,vae"], "--cases vae: textbook has cgan, gan, wgan_gp"),
        (["textbook", "--steps-fraction", "0"], "2"),
        (["textbook", "--seeds", "0"], "2"),
        (["textbook", "seed=3"], "2"),
        (["textbook", "as_published=textbook"], "2"),
        (["textbook", "metrics=none"], "2"),
        (["textbook", "--output", __file__], "2"),
    ],
)
def test_wrong_words_are_refused(here, monkeypatch, words, message):
    with pytest.raises(SystemExit, match=message):
        run(monkeypatch, *words)


def test_every_published_number_belongs_to_a_case():
    for article, rows in reproduce.PUBLISHED.items():
        if article == "protocols":
            continue
        cases = {path.stem for path in (reproduce.CONF / "experiment" / article).glob("*.yaml")}
        assert set(rows) - {"note"} <= cases
        for row in (row for row in rows.values() if isinstance(row, dict)):
            assert set(row) <= {"forms", "scores"}
            assert set(row.get("forms", ())) <= {"corrected", "published"}
            for known in row.get("scores", ()):
                assert {"score", "protocol", "source"} < set(known)
                assert set(known) <= {"score", "protocol", "source", "best", "last", "reported"}
                assert all(isinstance(known[key], str) for key in ("score", "protocol", "source"))


def test_several_published_scores_of_a_case(here, monkeypatch):
    text = run(monkeypatch, "dcgan", "--collect", "--output", "out", "--cases", "cifar10")
    assert cells(text, "cifar10", "corrected", "fid_inception")[3] == "42.72"
    assert cells(text, "cifar10", "corrected", "is_inception")[3] == "6.01"


def test_runs_of_other_words_are_not_taken_for_these(here, monkeypatch, capsys):
    run(monkeypatch, *SMALL)
    longer = [word if word != "0.0001" else "0.0002" for word in SMALL]
    with pytest.raises(SystemExit, match="2 runs failed"):
        run(monkeypatch, *longer)
    assert "schedule.steps: 10, asked for 20" in capsys.readouterr().err
    assert len(here) == 2
    text = run(monkeypatch, *(word if word != "gan" else "wgan_gp" for word in SMALL), "--collect")
    assert cells(text, "gan", "corrected", "fid_classifier")[8] == "1"  # the table has all cases of the article


def test_other_folders_are_passed_over(here, monkeypatch):
    for name in ("corrected-seed-0.bak", "corrected-seed-0-2", "corrected-seed-x"):
        Path("out/gan", name).mkdir(parents=True)
    assert cells(run(monkeypatch, *SMALL, "--collect"), "gan", "corrected", "")[4] == "not run"


def test_lengths_are_cut_in_proportion(monkeypatch):
    arguments = reproduce.parse(["sagan", "--steps-fraction", "0.1"])
    assert reproduce.shortened(arguments, ["experiment=sagan/cifar10_3"]) == [
        "schedule.steps=3900", "schedule.evaluate_every=780", "schedule.max_d_steps=3900",
    ]  # fmt: skip
