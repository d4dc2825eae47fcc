"""The scores of `ganexp evaluate` in the report and in the model card."""

import math
import re
import zipfile

import pytest
from helpers.runs import make_run, save_evaluated, template

from ganexp.commands.report import report
from ganexp.report.bundle import bundle
from ganexp.report.collect import collect
from ganexp.report.finding import finding
from ganexp.report.report import Report
from ganexp.report.run import read_run
from ganexp.report.tables import as_csv, as_markdown
from ganexp.report.terminal import score_table, verdict_lines


@pytest.fixture
def evaluated(outputs):
    """Add scores of `ganexp evaluate` to runs of two losses, so that WGAN-GP is best; return the runs' directory."""
    for loss, fid in (("hinge", 50.0), ("wgan_gp", 10.0)):
        for seed in range(3):
            save_evaluated(outputs / loss / f"seed-{seed}", fid + 0.1 * seed + 0.02 * seed**2)
    return outputs


def content_of(directory):
    return Report.from_runs(collect([directory]))


def titles(columns):
    return [column.title for column in columns]


def test_evaluated_columns_are_before_those_of_training(evaluated):
    content = content_of(evaluated)
    assert [title for title in titles(content.columns) if title.startswith("fid")] == [
        "fid_classifier evaluated",
        "fid_classifier last",
        "fid_classifier_test evaluated",
        "fid_classifier best",
    ]
    means = {column.title: summary.mean for column, summary in content.rows[0].cells.items()}
    assert means["fid_classifier evaluated"] == pytest.approx(10 + 0.4 / 3)
    assert means["fid_classifier best"] == pytest.approx(30 + 0.4 / 3)
    assert "fid_classifier_test_evaluated_mean" in as_csv(content).splitlines()[0]
    assert '"Evaluated" are the scores' in as_markdown(content)


def test_comparison_prefers_evaluated_scores(evaluated):
    content = content_of(evaluated)
    verdicts = {each.column.title: each.verdict for each in content.comparisons}
    assert verdicts == {
        "fid_classifier evaluated": "first is better",  # `first` is WGAN-GP, which has the worse FID in training
        "fid_classifier_test evaluated": "first is better",
        "is_classifier last": "second is better",
    }
    assert "fid_classifier evaluated: loss=wgan_gp against loss=hinge: first is better" in verdict_lines(content)
    heads = [" ".join(str(column.header).split()) for column in score_table(content, 200).columns]
    assert "fid_classifier evaluated" in heads
    assert not {"fid_classifier last", "fid_classifier best"} & set(heads)


def test_terminal_shows_scores_that_most_configurations_have(evaluated):
    for seed in range(3):
        (evaluated / "hinge" / f"seed-{seed}" / "scores.json").unlink()
    heads = [" ".join(str(column.header).split()) for column in score_table(content_of(evaluated), 60).columns]
    assert heads[2] == "fid_classifier last"


def test_scores_of_training_stay_if_a_run_is_not_evaluated(evaluated):
    (evaluated / "hinge" / "seed-1" / "scores.json").unlink()
    content = content_of(evaluated)
    assert {"fid_classifier best", "fid_classifier last", "fid_classifier evaluated"} <= set(titles(content.preferred))
    cells = {row.configuration.label: row.cells for row in content.rows}["loss=hinge"]
    assert [cell.n for column, cell in cells.items() if column.title == "fid_classifier evaluated"] == [2]


@pytest.mark.parametrize("missing", [(["hinge"], 1), (["wgan_gp"], 2), (["hinge", "wgan_gp"], 2)])
def test_chosen_seeds_do_not_decide_the_main_score(evaluated, missing):
    """WGAN-GP has better evaluated scores, but some runs lack these scores. Hinge has better scores in training."""
    losses, count = missing
    for loss in losses:
        for seed in range(count):
            (evaluated / loss / f"seed-{seed}" / "scores.json").unlink()
    content = content_of(evaluated)
    assert content.main.title == "fid_classifier last"
    assert content.rows[0].configuration.label == "loss=hinge"
    assert "By the mean fid_classifier (last evaluation), loss=hinge is better" in finding(content)
    (tests,) = {each.tests for each in content.comparisons if each.column.is_evaluated}
    assert tests > 1  # this score is not the main score, so its p values are corrected for more tests
    heads = [" ".join(str(column.header).split()) for column in score_table(content, 200).columns]
    assert heads[2] == "fid_classifier last"


def test_evaluations_of_two_protocols_share_no_column(evaluated):
    run = evaluated / "hinge" / "seed-0"
    save_evaluated(run, 5.0, protocol={"extractor": "classifier", "samples": 100, "id": "few"})
    content = content_of(evaluated)
    assert content.letters == {"evaluated": "A", "few": "B"}
    notes = {note.letter: note.values for note in content.protocol_notes()}
    assert notes == {"A": {"samples": "5000"}, "B": {"samples": "100"}}
    assert {"fid_classifier [A] evaluated", "fid_classifier [B] evaluated", "fid_classifier best"} <= set(
        titles(content.columns)
    )


def test_evaluated_score_that_is_not_finite_has_a_warning(evaluated):
    run = evaluated / "wgan_gp" / "seed-0"
    save_evaluated(run, float("nan"))
    assert (
        "not finite in scores.json, so not included in means: fid_classifier, fid_classifier_test"
        in read_run(run, "run").warnings
    )
    verdicts = {each.column.title: each.verdict for each in content_of(evaluated).comparisons}
    assert {text for title, text in verdicts.items() if title.endswith("evaluated")} <= {
        f"no verdict: of {place}, 1 of 3 seeds had no finite score" for place in ("first", "second")
    }


@pytest.mark.parametrize("file", ["scores-classifier.json", "scores-x.json"])  # both are read before scores.json
@pytest.mark.parametrize("day", ["01", "03"])  # before and after the day of scores.json
@pytest.mark.parametrize("value", [7.0, float("nan")])
def test_files_of_one_protocol_share_their_columns(evaluated, file, day, value):
    """The other file has one more score than scores.json, and another value for a score that both files have."""
    info = {name: {"higher_is_better": False} for name in ("fid_classifier", "kid_classifier")}
    for run in evaluated.glob("*/seed-*"):
        scores = {"fid_classifier": value, "kid_classifier": 1.0}
        save_evaluated(run, 0.0, file, scores=scores, score_info=info, time=f"2026-01-{day}T00:00:00+00:00")
    content = content_of(evaluated)
    cells = {column.title: summary for column, summary in content.rows[0].cells.items()}
    names = ("fid_classifier", "fid_classifier_test", "kid_classifier")
    newest = 10 + 0.4 / 3 if day == "01" else None if math.isnan(value) else value
    means = [cells[f"{name} evaluated"].mean if f"{name} evaluated" in cells else None for name in names]
    assert means == [pytest.approx(newest), pytest.approx(12 + 0.4 / 3), 1.0]


def test_another_extractor_needs_no_letters(evaluated):
    for run in evaluated.glob("*/seed-*"):
        protocol = {"extractor": "inception", "id": "inception"}
        save_evaluated(run, 1.0, "scores-inception.json", scores={"fid_inception": 1.0}, protocol=protocol)
    content = content_of(evaluated)
    assert content.letters == {}
    assert "fid_inception evaluated" in titles(content.columns)


def test_last_checkpoint_has_a_column_of_its_own(evaluated):
    save_evaluated(evaluated / "hinge" / "seed-0", 5.0, checkpoint="run/checkpoints/last.ckpt")
    assert "fid_classifier evaluated last" in titles(content_of(evaluated).columns)


def test_scores_from_before_a_resume_are_not_shown(tmp_path, hinge):
    run = make_run(tmp_path / "run", hinge, ended="2026-01-01T00:00:00+00:00")
    save_evaluated(run, 5.0)
    assert [each.scores["fid_classifier"] for each in read_run(run, "run").evaluated] == [5.0]
    make_run(tmp_path / "resumed", hinge, ended="2026-01-03T00:00:00+00:00")
    save_evaluated(tmp_path / "resumed", 5.0)
    resumed = read_run(tmp_path / "resumed", "resumed")
    assert resumed.evaluated == []
    assert any("scores.json is older than the end of the training" in warning for warning in resumed.warnings)


@pytest.mark.parametrize("content", [b"", b"[1", b"\xff", b"[" * 100_000])
def test_damaged_scores_are_named_and_left_out(tmp_path, hinge, content):
    run = make_run(tmp_path / "run", hinge)
    (run / "scores.json").write_bytes(content)
    read = read_run(run, "run")
    assert (read.status, read.evaluated) == ("finished", [])
    assert any(warning.startswith("scores.json cannot be read") for warning in read.warnings)


@pytest.mark.parametrize(
    "content", ["3", "{}", '{"scores": [1]}', '{"scores": {"fid": NaN}, "protocol": 1, "time": 2}']
)
def test_scores_of_wrong_types_are_left_out(tmp_path, hinge, content):
    run = make_run(tmp_path / "run", hinge)
    (run / "scores.json").write_text(content)
    assert read_run(run, "run").evaluated == []


def test_page_shows_evaluations_and_links_pictures(tmp_path):
    run = make_run(tmp_path / "a b#c", template("loss=hinge"))
    save_evaluated(run, 12.5)
    for name in ("nearest.png", "diagnostics.png"):
        (run / name).touch()
    page = report([str(tmp_path)], images=False)
    text = page.read_text()
    assert "evaluated (scores.json, step 1,000, 5,000 samples)" in text
    links = re.findall(r'<a href="([^"]*png)">', text)
    assert links == ["../a%20b%23c/nearest.png", "../a%20b%23c/diagnostics.png"]
    save_evaluated(run, 13.5, "scores-last.json", checkpoint="checkpoints/last.ckpt")
    (run / "nearest-last.png").touch()
    text = report([str(tmp_path)], images=False).read_text()
    assert "evaluated last (scores-last.json, step 1,000, 5,000 samples)" in text
    assert "../a%20b%23c/nearest-last.png" in re.findall(r'<a href="([^"]*png)">', text)
    (run / "nearest.png").unlink()
    assert "nearest.png" not in report([str(tmp_path)], images=False).read_text()


def test_model_card_has_evaluated_scores_first(tmp_path, hinge):
    run = make_run(tmp_path / "run", hinge)
    save_evaluated(run, 12.5)
    with zipfile.ZipFile(bundle(run)) as archive:
        card = archive.read("run/MODEL_CARD.md").decode()
    assert "| fid_classifier_test | lower | 14.5 |" in card
    assert "samples = 5000; id = evaluated" in card
    assert (
        card.index("of `ganexp evaluate`:")
        < card.index("During training:")
        < card.index("| fid_classifier | lower | 21 | 20 |")
    )
