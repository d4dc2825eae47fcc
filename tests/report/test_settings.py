"""Which parts of a config are settings, and how settings are shown."""

import re

import pytest
from helpers.runs import make_run, template

from ganexp.report.collect import collect
from ganexp.report.grouping import group_runs
from ganexp.report.report import Report
from ganexp.report.settings import is_setting, read_config, setting_name, setting_text


@pytest.mark.parametrize(
    "key",
    [
        *("seed", "name", "tags", "data.root", "metrics.cache", "metrics.weights"),
        *(
            "callbacks",
            "callbacks.curves._target_",
            "callbacks.sample_grids.rows",
            "logger.csv.path",
            "trainer.max_time",
            "trainer.profiler",
        ),
        *("data.changed", "data.classes", "debug.keep_files", "debug.dry_run"),
        *("trainer.accelerator", "trainer.log_every", "trainer.threads"),
    ],
)
def test_what_belongs_to_run_or_machine_is_not_a_setting(key):
    assert not is_setting(key)


@pytest.mark.parametrize(
    "key",
    [
        *(
            "data.path",
            "debug.repeat_first_batch",
            "schedule.steps",
            "augment.color._target_",
            "optimizer.generator.lr",
        ),
        *("callbacks.guard.action", "callbacks.early_stopping.patience", "callbacks.stop_on_accuracy.highest"),
        "callbacks.of_a_user._target_",
    ],
)
def test_what_changes_training_is_a_setting(key):
    assert is_setting(key)


def test_runs_with_other_pictures_and_loggers_are_one_configuration(tmp_path, hinge):
    other = template("loss=hinge", "callbacks=guard").replace(
        "logger:\n", "logger:\n  csv:\n    _target_: my.Logger\n    save_dir: here\n"
    )
    assert "sample_grids" in hinge.partition("callbacks:")[2]
    assert "sample_grids" not in other.partition("callbacks:")[2]
    make_run(tmp_path / "a", hinge, 0)
    make_run(tmp_path / "b", other, 1)
    configurations = group_runs(collect([tmp_path]))
    assert [len(each.counted) for each in configurations] == [2]


@pytest.mark.parametrize(
    "overrides",
    [
        ["callbacks.guard.action=rollback"],
        ["callbacks.guard.max_rollbacks=7"],
        ["callbacks=[default,early_stopping]"],
        ["callbacks=[default,stop_on_accuracy]"],
    ],
)
def test_callbacks_that_may_end_a_run_make_another_configuration(tmp_path, hinge, overrides):
    make_run(tmp_path / "a", hinge)
    make_run(tmp_path / "b", template("loss=hinge", *overrides), overrides=overrides)
    content = Report.from_runs(collect([tmp_path]))
    assert [len(each.counted) for each in content.configurations] == [1, 1]
    assert "callbacks." in " ".join(each.label for each in content.configurations)
    assert content.uncounted == []


def test_runs_with_other_tags_or_time_limits_are_one_configuration(tmp_path, hinge):
    make_run(tmp_path / "a", hinge, 0)
    make_run(tmp_path / "b", template("loss=hinge", "tags=[long]", "trainer.max_time='00:01:00:00'"), 1)
    configurations = group_runs(collect([tmp_path]))
    assert [len(each.counted) for each in configurations] == [2]


def test_runs_with_another_optimizer_or_score_are_two_configurations(tmp_path, hinge):
    for name, text in (
        ("a", hinge),
        ("b", hinge.replace("torch.optim.Adam", "torch.optim.SGD", 1)),
        ("c", hinge.replace("scores:\n", "scores:\n    kid:\n      _target_: ganexp.metrics.kid.KID\n", 1)),
    ):
        make_run(tmp_path / name, text)
    assert len(group_runs(collect([tmp_path]))) == 3


def test_place_of_weights_is_not_a_setting(tmp_path):
    for seed in range(2):
        text = template("metrics=inception", f"metrics.weights=/machine-{seed}/inception.pth")
        make_run(tmp_path / str(seed), text, seed)
    configurations = group_runs(collect([tmp_path]))
    assert [len(each.counted) for each in configurations] == [2]


def test_image_directories_count_by_their_name(tmp_path, hinge):
    for name, path in (("a", "/here/cats"), ("b", "/there/cats"), ("c", "/here/dogs")):
        make_run(tmp_path / name, hinge.replace("path: null", f"path: {path}", 1))
    assert [len(group.runs) for group in group_runs(collect([tmp_path]))] == [2, 1]


def trained_on(path, text, folder, *hashes, seed=0):
    """Make a run that was trained on the images in `folder`; `hashes` are their recorded hashes, oldest first."""
    before = [{"data": {"train": {"sha256": each}}} for each in hashes[:-1]]
    data = {"data": {"train": {"sha256": hashes[-1]}}, "data_changes": before} if hashes else {}
    return make_run(path, text.replace("path: null", f"path: {folder}", 1), seed, groups={"data": "folder"}, **data)


@pytest.mark.parametrize("seed", [0, 1])
def test_other_images_are_another_configuration(tmp_path, hinge, seed):
    trained_on(tmp_path / "a", hinge, "/data/cats/images", "c" * 64)
    trained_on(tmp_path / "b", hinge, "/data/dogs/images", "d" * 64, seed=seed)
    trained_on(tmp_path / "c", hinge, "/elsewhere/cats/images", "c" * 64, seed=5)
    content = Report.from_runs(collect([tmp_path]))
    assert {each.label: len(each.counted) for each in content.configurations} == {
        "data.path=cats/images": 2,
        "data.path=dogs/images": 1,
    }
    assert content.uncounted == []
    assert content.unlabelled_settings == []


def test_images_that_changed_in_their_place_are_told_by_their_hash(tmp_path, hinge):
    trained_on(tmp_path / "a", hinge, "/data/cats", "c" * 64)
    trained_on(tmp_path / "b", hinge, "/data/cats", "d" * 64)
    trained_on(tmp_path / "c", hinge, "/data/cats", "c" * 64, "d" * 64)  # resumed with other images
    labels = [each.label for each in Report.from_runs(collect([tmp_path])).configurations]
    assert labels == ["data.sha256=cccccccc", "data.sha256=dddddddd", "data.sha256=cccccccc+dddddddd"]


@pytest.mark.parametrize(("others", "sizes"), [(["c"], [2]), (["c", "d"], [1, 1, 1])])
def test_run_that_records_no_hash_belongs_to_others_only_if_these_have_the_same_images(tmp_path, hinge, others, sizes):
    trained_on(tmp_path / "old", hinge, "/old/images")
    for seed, content in enumerate(others, start=1):
        trained_on(tmp_path / content, hinge, f"/{content}/images", content * 64, seed=seed)
    assert sorted(len(each.counted) for each in group_runs(collect([tmp_path]))) == sorted(sizes)


def test_missing_setting_has_the_default_of_the_schema(tmp_path, hinge):
    older = "".join(line for line in hinge.splitlines(keepends=True) if "best_by" not in line)
    assert older != hinge
    make_run(tmp_path / "old", older, 0)
    make_run(tmp_path / "new", hinge, 1)
    assert len(group_runs(collect([tmp_path]))) == 1


def test_configs_of_two_seeds_differ_in_the_seed_only(hinge):
    first, second = read_config(hinge), read_config(re.sub("^seed: 0$", "seed: 5", hinge, flags=re.MULTILINE))
    assert (first.pop("seed"), second.pop("seed")) == (0, 5)
    assert first == second
    assert first["metrics.references"] == '["train"]'


@pytest.mark.parametrize(
    ("key", "value", "name", "text"),
    [
        ("loss.adversarial._target_", "ganexp.losses.Hinge", "loss.adversarial", "Hinge"),
        ("loss.constraint._target_", None, "loss.constraint", ""),
        ("data.flip", True, "data.flip", "true"),
        ("optimizer.generator.lr", 0.0002, "optimizer.generator.lr", "0.0002"),
        ("schedule.steps", 100000, "schedule.steps", "100000"),
    ],
)
def test_setting_is_shown_in_short(key, value, name, text):
    assert (setting_name(key), setting_text(key, value)) == (name, text)
