"""The claims in the head of a report, the LaTeX table, and the labels with overrides that users typed."""

import json
import math

import pytest
from helpers.runs import make_run, save_evaluated, template

from ganexp.report.collect import collect
from ganexp.report.finding import MAX_SETTINGS, best_score, finding, other_differences, title
from ganexp.report.latex import as_latex
from ganexp.report.report import Report
from ganexp.report.tables import as_markdown


def content_of(directory):
    return Report.from_runs(collect([directory]))


def two_losses(directory, hinge, wgan_gp, fids):
    for (loss, text), values in zip((("hinge", hinge), ("wgan_gp", wgan_gp)), fids, strict=True):
        for seed, fid in enumerate(values):
            make_run(directory / loss / str(seed), text, seed, fid, groups={"loss": loss, "data": "digits"})
    return content_of(directory)


@pytest.mark.parametrize(
    ("fids", "claim"),
    [
        (
            ((20.0, 20.1, 20.3), (30.0, 30.2, 30.3)),
            "By the mean fid_classifier (last evaluation), loss=hinge is better than loss=wgan_gp",
        ),
        (((30.0, 30.1, 30.3), (20.0, 20.2, 20.3)), "loss=wgan_gp is better than loss=hinge"),
        (((20.0, 25.0, 22.0), (21.0, 22.0, 24.0)), "but its difference from loss=wgan_gp is not significant"),
        (((20.0,), (30.0,)), "but a test against loss=wgan_gp needs at least two seeds of both"),
    ],
)
def test_finding_claims_what_the_intervals_support(tmp_path, hinge, wgan_gp, fids, claim):
    content = two_losses(tmp_path, hinge, wgan_gp, fids)
    assert claim in finding(content)
    assert (" is better than " in claim) == (" is better than " in finding(content))


def test_finding_names_similar_and_untested_configurations(tmp_path, hinge, wgan_gp):
    two_losses(tmp_path, hinge, wgan_gp, ((20.0, 20.1, 20.3), (30.0, 30.2, 30.3)))
    further = [("wgan", 0, 19.0), ("wgan", 1, 22.0), ("wgan", 2, 25.0), ("least_squares", 0, 40.0)]
    for loss, seed, fid in further:
        path, groups = tmp_path / loss / str(seed), {"loss": loss, "data": "digits"}
        make_run(path, template(f"loss={loss}"), seed, fid, groups=groups)
    assert finding(content_of(tmp_path)) == (
        "By the mean fid_classifier (last evaluation), loss=hinge is better than loss=wgan_gp (paired t test "
        "over 3 seeds with Holm's correction, p < 0.05), but its difference from loss=wgan is not significant, and a "
        "test against loss=least_squares needs at least two seeds of both."
    )


def test_finding_names_the_test_of_different_seeds(tmp_path, hinge, wgan_gp):
    for loss, text, seeds, fids in (
        ("hinge", hinge, (0, 1, 2), (20.0, 20.1, 20.3)),
        ("wgan_gp", wgan_gp, (7, 8), (60, 61)),
    ):
        for seed, fid in zip(seeds, fids, strict=True):
            make_run(tmp_path / loss / str(seed), text, seed, fid, groups={"loss": loss, "data": "digits"})
    assert "(Welch's t test over at least 2 seeds with Holm's correction, p < 0.05)" in finding(content_of(tmp_path))
    for seed, fid in ((0, 90.0), (1, 90.1), (2, 90.3)):
        make_run(tmp_path / "wgan" / str(seed), template("loss=wgan"), seed, fid, groups={"loss": "wgan"})
    assert "(t tests over at least 2 seeds with Holm's correction, p < 0.05)" in finding(content_of(tmp_path))


@pytest.mark.parametrize("evaluated", [False, True])
def test_finding_never_contradicts_the_verdict(tmp_path, hinge, wgan_gp, evaluated):
    """One configuration has a further seed, which makes its mean worse, although it is better on all shared seeds."""
    for loss, text, fids in (
        ("hinge", hinge, {1: 10.0, 2: 12.1, 3: 11.2}),
        ("wgan_gp", wgan_gp, {1: 9.0, 2: 11.0, 3: 10.1, 4: 30.0}),
        ("wgan", template("loss=wgan"), {1: 90.0, 2: 92.0, 3: 91.0}),
    ):
        for seed, fid in fids.items():
            run = make_run(tmp_path / loss / str(seed), text, seed, fid, groups={"loss": loss})
            if evaluated:
                save_evaluated(run, fid)
    content = content_of(tmp_path)
    (verdict,) = [
        each.verdict
        for each in content.tested_by_main
        if (each.first.label, each.second.label) == ("loss=hinge", "loss=wgan_gp")
    ]
    assert verdict == "second is better"
    assert finding(content).endswith(
        "loss=hinge is better than loss=wgan (paired t test over 3 seeds with Holm's correction, p < 0.05), but on the "
        "seeds that both have, loss=wgan_gp is better (paired t test over 3 seeds with Holm's correction, p < 0.05)."
    )
    without_third = finding(Report.from_runs(collect([tmp_path / "hinge", tmp_path / "wgan_gp"])))
    assert without_third.startswith("loss=hinge has the best mean")
    assert ", but on the seeds that both have, loss=wgan_gp is better (paired t test over 3 seeds" in without_third


def losses_of_six_seeds(directory, hinge, wgan_gp, status):
    """Make six finished runs with hinge, and six with WGAN-GP: three are finished and better, three have `status`."""
    for seed in range(6):
        make_run(directory / "hinge" / str(seed), hinge, seed, 6.1 + 0.1 * seed, groups={"loss": "hinge"})
    for seed, fid in enumerate((5.0, 5.1, 5.25, 30.0, 31.0, 32.0)):
        how = "finished" if seed < 3 else status
        make_run(directory / "wgan_gp" / str(seed), wgan_gp, seed, fid, status=how, groups={"loss": "wgan_gp"})


@pytest.mark.parametrize("status", ["pruned", "failed", "died"])
@pytest.mark.parametrize("has_direction", [True, False])
def test_no_configuration_is_better_by_the_seeds_that_did_not_end_early(
    tmp_path, hinge, wgan_gp, status, has_direction
):
    losses_of_six_seeds(tmp_path, hinge, wgan_gp, status)
    if not has_direction:
        for file in tmp_path.rglob("run.json"):
            file.write_text(file.read_text().replace('"higher_is_better": false', '"higher_is_better": null'))
    content = content_of(tmp_path)
    column = next(column for column in content.columns if column.title == "fid_classifier last")
    (verdict,) = [each for each in content.tested if each.column == column]
    assert (verdict.is_significant, verdict.is_separable, verdict.better) == (True, False, None)
    place = "first" if verdict.first.label == "loss=wgan_gp" else "second"
    assert verdict.verdict == f"no verdict: of {place}, 3 of 6 seeds ended early"
    assert "3 of 6 seeds ended early in loss=wgan_gp (failed, died or pruned)." in finding(content)
    assert "loss=wgan_gp is better" not in as_markdown(content)
    assert any("3 of 6 seeds ended early" in configuration.warnings for configuration in content.configurations)
    if has_direction:
        assert finding(content).startswith(
            "loss=wgan_gp has the best mean fid_classifier (last evaluation) of its finished seeds, but there is no "
            "verdict on loss=hinge, because seeds ended early."
        )
        assert best_score(content).endswith("(95 % interval over 3 seeds, 3 of 6 seeds ended early), loss=wgan_gp")


@pytest.mark.parametrize("status", ["running", "interrupted"])
def test_unfinished_seeds_leave_the_verdict(tmp_path, hinge, wgan_gp, status):
    losses_of_six_seeds(tmp_path, hinge, wgan_gp, status)
    assert "loss=wgan_gp is better than loss=hinge" in finding(content_of(tmp_path))


def test_seed_that_was_trained_again_has_not_ended_early(tmp_path, hinge, wgan_gp):
    losses_of_six_seeds(tmp_path, hinge, wgan_gp, "failed")
    for seed in (3, 4, 5):
        make_run(tmp_path / "again" / str(seed), wgan_gp, seed, 5 + 0.1 * seed, groups={"loss": "wgan_gp"})
    assert "loss=wgan_gp is better than loss=hinge" in finding(content_of(tmp_path))
    assert "ended early" not in finding(content_of(tmp_path))


def test_configuration_that_is_worse_may_have_seeds_that_ended_early(tmp_path, hinge, wgan_gp):
    make_run(tmp_path / "failed", wgan_gp, 3, status="failed", groups={"loss": "wgan_gp", "data": "digits"})
    text = finding(two_losses(tmp_path, hinge, wgan_gp, ((20.0, 20.1, 20.3), (30.0, 30.2, 30.3))))
    assert "loss=hinge is better than loss=wgan_gp" in text
    assert text.endswith(" 1 of 4 seeds ended early in loss=wgan_gp (failed, died or pruned).")


@pytest.mark.parametrize("other", [None, "scores-inception.json"])  # a file without this score
def test_seed_without_evaluation_is_told_from_score_not_finite(tmp_path, hinge, wgan_gp, other):
    """Of eight runs that were trained without scores, one was not evaluated, and one has a score of NaN."""
    two_losses(tmp_path, hinge, wgan_gp, ((30.0, 30.1, 30.3, 30.2), (20.0, 20.2, 20.3, 20.1)))
    for place, file in enumerate(sorted(tmp_path.glob("*/*/run.json"))):  # the runs of hinge are first
        file.write_text(json.dumps(json.loads(file.read_text()) | {"scores": {}, "score_info": {}}))
        if place < 7:
            save_evaluated(file.parent, math.nan if place == 6 else 20 + 0.1 * place - 10 * (place > 3))
        elif other:
            info = {"fid_inception": {"higher_is_better": False}}
            save_evaluated(file.parent, 0.0, other, scores={"fid_inception": 5.0}, score_info=info)
    content = content_of(tmp_path)
    verdicts = {each.column.title: each.verdict for each in content.comparisons}
    lacks = "1 of 4 seeds had no score from ganexp evaluate", "1 of 4 seeds had no finite score"
    place = "first" if content.configurations[0].label == "loss=wgan_gp" else "second"
    assert verdicts["fid_classifier evaluated"] == f"no verdict: of {place}, {' and '.join(lacks)}"
    assert finding(content) == (
        "loss=wgan_gp has the best mean fid_classifier (ganexp evaluate) of its finished seeds, but there is no "
        "verdict on loss=hinge, because seeds had no score from ganexp evaluate or had no finite score. "
        f"{lacks[0]} in loss=wgan_gp (to compute it: ganexp evaluate ckpt=…). {lacks[1]} in loss=wgan_gp."
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, None])
def test_no_configuration_is_better_by_the_seeds_with_a_score(tmp_path, hinge, wgan_gp, value):
    """One finished run of the better loss has a score that is not finite, or no score at all (None)."""
    two_losses(tmp_path, hinge, wgan_gp, ((30.0, 30.1, 30.3, 30.2), (20.0, 20.2, 20.3, 20.1)))
    file = tmp_path / "wgan_gp" / "0" / "run.json"
    metadata = json.loads(file.read_text())
    del metadata["scores"]["last"]["fid_classifier"]
    if value is not None:
        metadata["scores"]["last"]["fid_classifier"] = value
    file.write_text(json.dumps(metadata))
    content = content_of(tmp_path)
    assert finding(content) == (
        "loss=wgan_gp has the best mean fid_classifier (last evaluation) of its finished seeds, but there is no "
        "verdict on loss=hinge, because seeds had no finite score. 1 of 4 seeds had no finite score in loss=wgan_gp."
    )
    verdicts = {each.column.title: each.verdict for each in content.comparisons}
    assert verdicts["fid_classifier last"] == "no verdict: of first, 1 of 4 seeds had no finite score"
    assert verdicts["fid_classifier best"] == "first is better"
    assert best_score(content).endswith("(95 % interval over 3 seeds, 1 of 4 seeds had no finite score), loss=wgan_gp")
    rows = [line for line in as_latex(content).splitlines() if line.startswith("loss=")]
    assert [row.count(r"\mathbf") for row in rows] == [1, 0]  # the Inception Score is bold, and this FID is not
    (run,) = [run for run in content.runs if run.path == file.parent]
    warning = "not finite at the last evaluation, so not included in means: fid_classifier"
    assert (warning in run.warnings) == (value is not None)


def test_latex_table_has_no_bold_mean_of_the_seeds_that_finished(tmp_path, hinge, wgan_gp):
    losses_of_six_seeds(tmp_path, hinge, wgan_gp, "failed")
    assert r"\mathbf" not in as_latex(content_of(tmp_path))


def test_head_names_dataset_and_best_mean(tmp_path, hinge, wgan_gp):
    content = two_losses(tmp_path, hinge, wgan_gp, ((30.0, 30.1, 30.3), (20.0, 20.2, 20.3)))
    assert title(content) == "digits: loss=wgan_gp and loss=hinge"  # the loss with the best mean is first
    assert (
        best_score(content)
        == "Best mean fid_classifier (last evaluation): 21.17 ± 0.38 (95 % interval over 3 seeds), loss=wgan_gp"
    )
    assert content.best_run.label == "wgan_gp/0"


def test_settings_that_an_option_changes_besides_are_named(tmp_path, hinge, wgan_gp):
    content = two_losses(tmp_path, hinge, wgan_gp, ((20.0, 20.1), (30.0, 30.2)))
    text = "The configurations also differ in schedule.updates.n_critic (1 and 5), which their names do not show."
    assert other_differences(content) == text
    assert text in as_markdown(content)
    make_run(tmp_path / "third", template("loss=wgan"), groups={"loss": "wgan", "data": "digits"})
    listed = other_differences(content_of(tmp_path)).partition(" in ")[2].partition(", which")[0]
    assert listed.replace(" and ", ", ").split(", ") == content_of(tmp_path).unlabelled_settings
    assert "n_critic" in listed


@pytest.mark.parametrize(("others", "rest"), [(1, "and 1 more setting, which"), (2, "and 2 more settings, which")])
def test_settings_beyond_the_first_six_are_counted(tmp_path, hinge, wgan_gp, monkeypatch, others, rest):
    content = two_losses(tmp_path, hinge, wgan_gp, ((20.0, 20.1), (30.0, 30.2)))
    keys = [f"schedule.key{number}" for number in range(MAX_SETTINGS + others)]
    monkeypatch.setattr(type(content), "unlabelled_settings", keys)
    assert rest in other_differences(content)


def test_runs_on_several_devices_are_named(tmp_path, hinge):
    for size, device in ((32, "CPU, 1 thread"), (64, "NVIDIA H100")):
        text = hinge.replace("batch_size: 64", f"batch_size: {size}")
        make_run(tmp_path / str(size), text, device=device, ganexp_commit=str(size))
    assert other_differences(content_of(tmp_path)) == "The runs have 2 commits of ganexp and 2 kinds of devices."


def test_names_that_say_all_differences_need_no_sentence(tmp_path, hinge):
    for size in (32, 64):
        text = hinge.replace("batch_size: 64", f"batch_size: {size}").replace("samples: 10000", f"samples: {size}")
        make_run(tmp_path / str(size), text)
    assert content_of(tmp_path).unlabelled_settings == ["metrics.samples"]  # this setting does not change the training
    assert other_differences(content_of(tmp_path)) == ""


def test_latex_table_has_the_best_mean_in_bold(tmp_path, hinge, wgan_gp):
    table = as_latex(two_losses(tmp_path, hinge, wgan_gp, ((30.0, 30.1, 30.3), (20.0, 20.2, 20.3))))
    assert r"loss=wgan\_gp & 3 & $\mathbf{21.17} \pm 0.38$" in table
    assert r"loss=hinge & 3 & $31.13 \pm 0.38$" in table
    assert table.count(r"\mathbf") == 2  # one mean in each column
    assert "best" not in table.split(r"\toprule")[1].split(r"\midrule")[0]


def test_label_shows_the_override_that_was_typed(tmp_path):
    model = ("model=dcgan", "data=mnist")
    make_run(tmp_path / "a", template(*model), groups={"model": "dcgan"}, overrides=["model=dcgan", "seed=1"])
    typed = ["model=dcgan", "model.conditional=true"]
    make_run(tmp_path / "b", template(*model, typed[1]), groups={"model": "dcgan"}, overrides=typed)
    labels = {each.label for each in content_of(tmp_path).configurations}
    assert labels == {"model.conditional=false", "model.conditional=true"}


def test_single_seeds_are_one_line_instead_of_comparisons(tmp_path, hinge, wgan_gp):
    content = two_losses(tmp_path, hinge, wgan_gp, ((20.0,), (30.0,)))
    assert content.tested == []
    assert content.untested_text.startswith("3 comparisons are left out")
    assert content.untested_text.endswith("(loss=hinge; loss=wgan_gp).")  # no comma, because labels may contain commas


def test_run_with_empty_metadata_is_skipped_by_name(outputs):
    run = make_run(outputs / "empty", template("loss=hinge"))
    (run / "run.json").write_text("{}")
    content = content_of(outputs)
    assert [(each.label, each.warnings) for each in content.uncounted] == [
        ("empty", ["not readable: run.json is empty"])
    ]
    assert len(content.rows) == 2


def test_finding_counts_the_others_instead_of_naming_all(tmp_path, hinge, wgan_gp):
    two_losses(tmp_path, hinge, wgan_gp, ((20.0, 20.1, 20.3), (30.0, 30.2, 30.3)))
    for loss in ("wgan", "least_squares"):
        for seed, fid in enumerate((60.0, 60.2, 60.3)):
            groups = {"loss": loss, "data": "digits"}
            make_run(tmp_path / loss / str(seed), template(f"loss={loss}"), seed, fid, groups=groups)
    assert "loss=hinge is better than the other 3 configurations (paired t test over 3" in finding(content_of(tmp_path))
