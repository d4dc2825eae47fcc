"""Which runs form a configuration, which runs count, and what the configurations are called."""

import json
import shutil

import pytest
from helpers.runs import make_run, save_evaluated

from ganexp.report.collect import collect
from ganexp.report.report import Report


def labels(path):
    return [each.label for each in Report.from_runs(collect([path])).configurations]


def test_runs_of_one_configuration_are_one_group(outputs):
    configurations = Report.from_runs(collect([outputs])).configurations
    assert [each.label for each in configurations] == ["loss=hinge", "loss=wgan_gp"]
    assert [len(each.counted) for each in configurations] == [3, 3]


def test_only_the_newest_finished_run_of_a_seed_counts(outputs, hinge):
    make_run(outputs / "failed", hinge, 3, 900, status="failed")
    make_run(outputs / "running", hinge, 4, 900, status="running")
    make_run(outputs / "again", hinge, 0, 20.5, started="2026-02-01T00:00:00+00:00", groups={"loss": "hinge"})
    content = Report.from_runs(collect([outputs]))
    hinge_runs = next(each for each in content.configurations if each.label == "loss=hinge")
    assert (len(hinge_runs.runs), len(hinge_runs.seeds), len(hinge_runs.counted)) == (6, 5, 3)
    assert content.columns[2].values(hinge_runs) == {0: 20.5, 1: pytest.approx(20.12), 2: pytest.approx(20.28)}
    assert [run.label for run in content.uncounted] == ["failed", "hinge/seed-0", "running"]
    replaced = content.uncounted[1]
    assert replaced.warnings == ["not counted: again is newer and has the same settings and seed"]


def test_copy_is_not_called_newer_and_the_evaluated_one_counts(outputs, hinge):
    original, copy = outputs / "hinge/seed-0", outputs / "copy"
    shutil.copytree(original, copy)
    content = Report.from_runs(collect([outputs]))
    (left_out,) = content.uncounted
    assert left_out.warnings == [
        "not counted: hinge/seed-0 is a copy or started at the same time, and has the same settings and seed"
    ]
    save_evaluated(copy, 19.0)
    (left_out,) = Report.from_runs(collect([outputs])).uncounted
    assert left_out.label == "hinge/seed-0"


def test_configuration_warns_of_unequal_versions_and_devices(outputs, hinge):
    make_run(outputs / "other", hinge, 5, 20, ganexp="0.2.0", device="GPU", groups={"loss": "hinge"})
    configurations = Report.from_runs(collect([outputs])).configurations
    assert configurations[0].warnings == ["2 versions of ganexp", "2 kinds of devices"]
    assert configurations[1].warnings == []


@pytest.mark.parametrize("value", [list(range(200)), {"a": {"b": "x" * 1000}}, "x" * 301, "x\n" * 200])
def test_long_settings_that_differ_at_their_end_are_two_configurations(tmp_path, hinge, value):
    longer = {"list": lambda: [*value, 1], "dict": lambda: {"a": {"b": "x" * 1000 + "y"}}, "str": lambda: value + "y"}
    for seed, each in enumerate((value, value, longer[type(value).__name__]())):
        make_run(tmp_path / str(seed), f"{hinge}own: {json.dumps(each)}\n", seed)
    content = Report.from_runs(collect([tmp_path]))
    assert [len(configuration.runs) for configuration in content.configurations] == [2, 1]
    assert len(set(labels(tmp_path))) == 2
    assert all(len(label) < 400 for label in labels(tmp_path))


def test_label_is_as_short_as_distinguishes_the_configurations(tmp_path, hinge, wgan_gp):
    longer = hinge.replace("steps: 1000", "steps: 2000")
    for name, text, loss in (("a", hinge, "hinge"), ("b", longer, "hinge"), ("c", wgan_gp, "wgan_gp")):
        make_run(tmp_path / name, text, groups={"data": "digits", "loss": loss})
    assert labels(tmp_path) == [
        "loss=hinge, schedule.steps=1000",
        "loss=hinge, schedule.steps=2000",
        "loss=wgan_gp, schedule.steps=1000",
    ]


def test_label_has_the_steps_that_an_option_hides(tmp_path, hinge, wgan_gp):
    quick = hinge.replace("steps: 1000", "steps: 600")
    for name, text, loss, schedule in (
        ("a", quick, "hinge", "quick"),
        ("b", hinge, "hinge", "default"),
        ("c", wgan_gp, "wgan_gp", "default"),
    ):
        make_run(tmp_path / name, text, groups={"loss": loss, "schedule": schedule})
    assert labels(tmp_path) == [
        "loss=hinge, schedule=quick, schedule.steps=600",
        "loss=hinge, schedule=default, schedule.steps=1000",
        "loss=wgan_gp, schedule.steps=1000",
    ]
    content = Report.from_runs(collect([tmp_path]))
    assert "schedule.steps" in content.settings
    assert "schedule.steps" not in content.unlabelled_settings


def test_label_has_the_length_after_a_resume(tmp_path, hinge):
    """The first run was started with 2 epochs and lengthened to 1000 steps; only config.yaml has the new length."""
    shorter = hinge.replace("steps: 1000", "steps: 600").replace("  epochs: null", "  epochs: 2", 1)
    for name, text in (("longer", hinge), ("other", shorter)):
        make_run(tmp_path / name, text, overrides=["schedule.epochs=2"])
    assert labels(tmp_path) == ["schedule.steps=1000", "schedule.steps=600"]


def test_columns_leave_out_settings_that_labels_tell(tmp_path, hinge, wgan_gp):
    for name, text, loss in (("a", hinge, "hinge"), ("b", wgan_gp, "wgan_gp")):
        make_run(tmp_path / name, text, groups={"loss": loss})
    content = Report.from_runs(collect([tmp_path]))
    assert "loss.adversarial._target_" in content.settings
    # The labels name the option of the config group `loss`, and n_critic is not a setting of this group.
    assert content.unlabelled_settings == ["schedule.updates.n_critic"]
    other = hinge.replace("batch_size: 64", "batch_size: 32").replace("slope: 0.2", "slope: 0.1", 1)
    make_run(tmp_path / "c", other, groups={"loss": "hinge"}, overrides=["schedule.batch_size=32"])
    (key,) = Report.from_runs(collect([tmp_path / "a", tmp_path / "c"])).unlabelled_settings
    assert key.endswith("slope")  # the labels already name the batch size


def test_label_names_as_published_before_the_loss(tmp_path, hinge, wgan_gp):
    for name, text, option, loss in (("a", hinge, "none", "hinge"), ("b", wgan_gp, "textbook", "wgan_gp")):
        make_run(tmp_path / name, text, groups={"loss": loss, "as_published": option})
    assert labels(tmp_path) == ["as_published=none", "as_published=textbook"]


def test_label_does_not_name_callbacks_and_loggers(tmp_path, hinge, wgan_gp):
    for name, text, logger in (("a", hinge, "csv"), ("b", wgan_gp, "wandb")):
        make_run(tmp_path / name, text, groups={"logger": logger, "callbacks": logger})
    assert [label.split("=")[0] for label in labels(tmp_path)] == ["loss.adversarial", "loss.adversarial"]


def test_single_configuration_is_called_by_its_name(tmp_path, hinge):
    make_run(tmp_path / "a", hinge, name="first")
    assert labels(tmp_path) == ["first"]


def test_labels_of_equal_configurations_are_numbered(tmp_path, hinge):
    for name, slope in (("a", "0.2"), ("b", "0.2000000001")):  # both are shown as 0.2
        make_run(tmp_path / name, hinge.replace("slope: 0.2", f"slope: {slope}", 1))
    assert labels(tmp_path) == ["default", "default (2)"]
