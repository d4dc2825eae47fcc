"""Arguments of `ganexp evaluate` that stand for other arguments."""

import pytest
from helpers.images import photo

from ganexp.arguments import parse
from ganexp.commands.evaluation.arguments import adapt
from ganexp.errors import UserError


def adapted(*arguments):
    return list(adapt(parse(["evaluate", *arguments])).arguments)


def test_settings_of_metrics_become_those_of_the_command():
    given = ("ckpt=a", "metrics.samples=5", "metrics.fid_at=[3]", "metrics.scores.kid.subsets=2")
    assert adapted(*given) == ["ckpt=a", "samples=5", "fid_at=[3]", "metrics.scores.kid.subsets=2"]


def test_chosen_metrics_keep_their_other_settings():
    given = ("ckpt=a", "metrics=inception", "metrics.references=[test]", "metrics.splits=2")
    assert adapted(*given) == ["ckpt=a", "metrics=inception", "references=[test]", "metrics.splits=2"]


@pytest.mark.parametrize("metrics", [[], ["metrics=inception"]])
def test_two_values_of_one_setting_are_refused(metrics):
    for values in [("samples=40", "metrics.samples=null"), ("labels=reference", "metrics.labels=uniform")]:
        for first, second in (values, values[::-1]):
            with pytest.raises(UserError, match=rf"^{values[0]} and {values[1]}: these are the same setting"):
                adapted("ckpt=a", first, *metrics, second)
    equal, repeated = ("samples=4", "metrics.samples=4"), ("metrics.samples=3", "metrics.samples=4")
    assert adapted("ckpt=a", *metrics, *equal) == ["ckpt=a", *metrics, *["samples=4"] * 2]
    assert adapted("ckpt=a", *metrics, *repeated) == [
        "ckpt=a",
        *metrics,
        "samples=3",
        "samples=4",
    ]  # the last value counts


@pytest.mark.parametrize("given", [["images=a"], ["real=test"], ["images=a", "real=b"]])
@pytest.mark.parametrize("number", ["samples=9", "metrics.samples=9", "samples=null"])
def test_number_of_existing_images_is_refused(given, number):
    with pytest.raises(UserError, match=f"^{number}: every image is scored"):
        adapted(*given, number)


def test_ignored_setting_of_metrics_is_refused():
    with pytest.raises(UserError, match=r"metrics\.splits=2: choose the metrics too"):
        adapted("ckpt=a", "metrics.splits=2")


def test_other_commands_are_unchanged():
    command = parse(["metrics.samples=5"])
    assert adapt(command) == command


def test_two_directories_become_a_folder_and_images(tmp_path):
    photo(tmp_path / "real" / "0.png", (24, 24))
    real = tmp_path / "real"
    size = ["data.resolution=24", "data.source.fit=exact"]
    assert adapted("images=a", f"real={real}") == ["data=folder", f"data.path={real}", *size, "images=a"]
    given = ("images=a", f"real={real}", "data=folder", "data.resolution=8")
    assert adapted(*given) == ["data=folder", f"data.path={real}", "images=a", "data.resolution=8"]


@pytest.mark.parametrize("given", [["images=a"], ["real=test"], ["images=a", "real=test"], ["real=a", "data=mnist"]])
def test_splits_and_datasets_are_left_as_they_are(given):
    assert adapted(*given) == given


@pytest.mark.parametrize(
    ("real", "message"),
    [
        ("nowhere", "real=nowhere: no such directory, zip or split"),
        ("empty", "real=empty: there is no image in it"),
        ("wide", "0.png has 30x20 pixels"),
        ("broken", "0.png is not a readable image"),
    ],
)
def test_real_directory_that_cannot_be_read_is_refused(tmp_path, monkeypatch, real, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    photo(tmp_path / "wide" / "0.png", (30, 20))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "0.png").write_text("no image")
    with pytest.raises(UserError, match=message):
        adapted("images=a", f"real={real}")
