"""Names of runs and jobs."""

import pytest

from ganexp.runs.naming import MAX_LENGTH, job_name, run_name, slug


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sagan/cifar10_2", "sagan-cifar10_2"),
        ("a name, with (signs)", "a-name-with-signs"),
        ("lr-1e-05+x.y", "lr-1e-05+x.y"),
        ("--flag", "flag"),
        ("größe", "größe"),
        ("///", "run"),
        ("", "run"),
    ],
)
def test_slug_keeps_only_characters_that_are_safe(text, expected):
    assert slug(text) == expected


def test_slug_limits_the_length():
    assert slug("x" * 1000) == "x" * MAX_LENGTH


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("my run", "textbook/gan", "digits", "mlp", "hinge"), "my-run"),
        ((None, "textbook/gan", "digits", "mlp", "hinge"), "textbook-gan"),
        ((None, None, "digits", "mlp", "hinge"), "digits-mlp-hinge"),
        ((None, "sweep"), "sweep"),
    ],
)
def test_run_name_prefers_name_then_experiment(arguments, expected):
    assert run_name(*arguments) == expected


def test_job_name_is_number_and_overrides():
    assert job_name(3, "loss=hinge\nseed=1") == "03-loss-hinge_seed-1"
    assert job_name(123, "") == "123-run"
    assert job_name(0, "data.path='1e5'\nname=\"a b\"") == "00-data.path-1e5_name-a-b"


def test_job_name_has_the_last_two_parts_of_keys():
    overrides = "loss=hinge\nmetrics/score=[fid,kid]\noptimizer.generator.lr=0.0002\nschedule.updates.n_critic=5"
    short = "07-loss-hinge_metrics-score-fid-kid_generator.lr-0.0002_updates.n_critic-5"
    assert job_name(7, overrides) == short


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ("loss=non_saturating\noptimizer.generator.lr=0.1", "loss-non_saturating_generator.lr-0.1"),
        ("data.path=a_b.c.d-e\nseed=1", "data.path-a_b.c.d-e_seed-1"),
        ("+trainer.logger_x.y.z=1", "+y.z-1"),
        ("a=b=c", "a-b-c"),
    ],
)
def test_job_name_keeps_values_that_look_like_keys(overrides, expected):
    assert job_name(None, overrides) == expected
