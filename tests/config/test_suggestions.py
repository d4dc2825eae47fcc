"""Overrides that Hydra refuses are explained: the error lists the valid names, and what was perhaps meant."""

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, MissingConfigException

from ganexp.cli import CONF
from ganexp.config import schema
from ganexp.config.composition import compose_config
from ganexp.config.hydra_messages import file_of, missing_deletion, unmatched_group
from ganexp.config.suggestions import explain, options_of


def explanation(*overrides, config_name="train", own=None):
    """Return ganexp's explanation of the error that Hydra raises for these overrides."""
    schema.register()
    GlobalHydra.instance().clear()
    folders = [CONF] if own is None else [CONF, own]
    with pytest.raises((HydraException, ValueError)) as error:
        compose_config(config_name, overrides, folders)
    GlobalHydra.instance().clear()
    return explain(error.value, list(overrides), folders, config_name)


@pytest.mark.parametrize(
    ("overrides", "first", "last"),
    [
        (["loss=hing"], "loss=hing: there is no such option.", "Did you mean loss=hinge?"),
        (
            ["loss/penalty=r3"],
            "loss/penalty=r3: there is no such option.",
            "Did you mean loss/penalty=r2 or loss/penalty=r1 or loss/penalty=cr?",
        ),
        (
            ["experiment=sagan/cifar10_9"],
            "experiment=sagan/cifar10_9: there is no such option.",
            "Did you mean experiment=",
        ),
        (["metrics/score=[is,fdi]"], "metrics/score=fdi: there is no such option.", "Did you mean metrics/score=fid"),
        (["los=hinge"], "los: there is no such setting.", "Did you mean loss"),
        (["schedul.steps=3"], "schedul: there is no such setting.", "Did you mean schedule"),
        (["schedule.stepss=3"], "schedule.stepss: there is no such setting.", "Did you mean schedule.steps"),
        (
            ["model.generator.hiden=1"],
            "model.generator.hiden: there is no such setting.",
            "Did you mean model.generator.hi",
        ),
        (
            ["optimizer.generater.lr=1"],
            "optimizer.generater: there is no such setting.",
            "Did you mean optimizer.generator",
        ),
        (
            ["loss.penalties.r1.gamma=1"],
            "loss.penalties.r1: there is no such setting.",
            "loss.penalties has: gradient_pe",
        ),
        (
            ["schedule/lr_decays=linear"],
            "schedule/lr_decays: there is no such setting.",
            "Did you mean schedule/lr_decay",
        ),
        (
            ["~model.generator.hiden"],
            "model.generator.hiden: there is no such setting.",
            "Did you mean model.generator.hi",
        ),
        (["~los"], "los: there is no such setting.", "Did you mean loss"),
        (["~schedule/lr_decais"], "schedule/lr_decais: there is no such setting.", "Did you mean schedule/lr_decay"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_unknown_name_gets_a_suggestion(overrides, first, last):
    lines = explanation(*overrides).splitlines()
    assert lines[0] == first
    assert lines[-1].startswith(last)
    assert " has: " in lines[1] or lines[1].startswith("Available settings: ")


def test_valid_names_are_listed():
    assert "\nloss has: began, cramer, hinge," in explanation("loss=hing")
    roots = explanation("los=hinge").splitlines()[1].removeprefix("Available settings: ").split(", ")
    assert {"data", "experiment", "loss", "loss/auxiliary", "schedule/lr_decay", "seed"} <= set(roots)
    assert roots == sorted(roots)
    names = explanation("schedule.stepss=3").splitlines()[1]
    assert names.startswith("schedule has: ")
    assert " batch_size, " in names
    assert {"ema", "evaluate_every", "steps", "updates"} < set(names.removeprefix("schedule has: ").split(", "))
    assert "_target_" not in explanation("model.generator.hiden=1")
    assert "hydra" not in explanation("los=hinge")


@pytest.mark.parametrize(
    ("override", "meant"),
    [
        ("optimizer.generator.learning_rate=1", "optimizer.generator.lr"),
        ("learning_rate=1", "optimizer.generator.lr or optimizer.discriminator.lr"),
        ("batch_size=8", "schedule.batch_size"),
        ("dataset=mnist", "data"),
        ("z_dim=8", "model.latent.dim"),
    ],
)
def test_name_of_other_programs_gets_a_suggestion(override, meant):
    assert explanation(override).splitlines()[-1] == f"Did you mean {meant}?"


def test_reason_is_shown_instead_of_a_list():
    text = explanation("trainer.max_steps=3")
    assert text.startswith("trainer.max_steps: ")
    assert "schedule.steps" in text
    assert "trainer has" not in text
    assert "trainer has: " in explanation("trainer.maximal=3")


def test_siblings_of_an_experiment_are_listed():
    line = explanation("experiment=sagan/cifar10_9").splitlines()[1]
    assert "sagan/cifar10_2" in line
    assert "sngan" not in line


def test_choice_of_no_option_is_explained():
    text = explanation("schedule/lr_decay=null")
    assert text.startswith("schedule/lr_decay=null: schedule/lr_decay has linear; leave the override out")
    assert text.endswith("~schedule/lr_decay")


@pytest.mark.parametrize(
    ("group", "advice"),
    [
        *((group, f"to choose none: {group}=none") for group in ("callbacks", "metrics", "augment", "as_published")),
        *((group, "or leave the override out to choose the default") for group in ("loss", "trainer", "metrics/score")),
        *((group, f"or remove what an experiment has chosen: ~{group}") for group in ("loss/penalty", "debug")),
    ],
)
def test_choice_of_no_option_is_possible_in_some_groups(group, advice):
    assert explanation(f"{group}=null").endswith(advice)


@pytest.mark.parametrize("value", ["r1,null", "None", ""])
def test_no_option_among_several_is_explained(value):
    error = ValueError("Config group override must be a string or a list. Got NoneType")
    text = explain(error, ["seed=1", f"loss/penalty={value}"], [CONF], "train")
    assert text.startswith(f"loss/penalty={value}: loss/penalty has bcr, cr, dragan, drift, ")


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("schedule.steps=many", "schedule.steps=many: must be a whole number, at least 1, or null"),
        ("schedule.steps=1.5", "schedule.steps=1.5: must be a whole number, at least 1, or null"),
        ("seed=abc", "seed=abc: must be a whole number from 0 to 4294967295"),
        ("schedule.ema.decay=much", "schedule.ema.decay=much: must be a number above 0 and below 1, or null"),
        ("data.flip=perhaps", "data.flip=perhaps: must be true or false"),
    ],
)
def test_value_of_another_type_is_explained(override, expected):
    assert explanation(override) == expected


def test_commands_list_their_own_settings():
    text = explanation("ckpt=a", "loss=hinge", config_name="sample")
    assert {"accelerator", "ckpt", "data", "format", "n"} < set(text.partition("Available settings: ")[2].split(", "))
    assert "Did you mean ckpt?" in explanation("cktp=a", config_name="evaluate")
    assert "Did you mean estimate?" in explanation("estimat=true", config_name="describe")


def test_own_options_are_suggested(tmp_path):
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "quadratic.yaml").write_text("adversarial: {_target_: ganexp.losses.Hinge}\n")
    assert "Did you mean loss=quadratic?" in explanation("loss=quadratc", own=tmp_path)
    assert "quadratic" in options_of("loss", [CONF, tmp_path])


def test_experiment_without_global_package_is_explained(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("defaults: [override /data: mnist]\n")
    text = explanation("experiment=mine", own=tmp_path)
    assert text.startswith("experiment/mine.yaml, override /data: ")
    assert text.endswith("# @package _global_")


@pytest.mark.parametrize(
    ("option", "defaults", "expected"),
    [
        (
            "model=mine",
            "override /loss: hinge",
            "relative to its own group. Write:\noverride /loss@_global_.loss: OPTION",
        ),
        ("loss/auxiliary=mine", "override /loss/penalty: r1", "override /loss/penalty@_global_.loss.penalty: OPTION"),
        ("model=mine", "override /data: mnist", "options only of the groups above model in conf/run.yaml (loss, loss/"),
        ("model=mine", "override /data@_global_.data: mnist", "on the command line instead: data=OPTION"),
        ("loss=mine", "override penalty: r1", "above loss in conf/run.yaml (none)."),
        ("experiment=my/mine", "override /loss: hinge", "begins with\n# @package _global_"),
        (
            "experiment=my/mine",
            "override /debug: limit",
            "Choose the option of debug on the command line instead: debug=",
        ),
        ("model=mine", "override /los: hinge", "mine.yaml, override /los: there is no such setting."),
    ],
)
def test_refused_override_in_a_file_is_explained(tmp_path, option, defaults, expected):
    file = tmp_path / f"{option.replace('=', '/')}.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(f"defaults:\n  - {defaults}\n")
    text = explanation(option, own=tmp_path)
    assert text.startswith(f"{option.replace('=', '/')}.yaml, override /")
    assert expected in text


def test_written_form_of_an_override_in_a_file_is_accepted(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text("defaults: [dcgan, override /loss@_global_.loss: hinge, _self_]\n")
    cfg = compose_config("train", ["model=mine"], [CONF, tmp_path])
    assert cfg.loss.adversarial._target_.endswith(".Hinge")


def test_missing_parent_of_an_experiment_is_explained(tmp_path):
    (tmp_path / "experiment").mkdir()
    text = "# @package _global_\ndefaults: [/experiment/sagan/cifar10_99]\n"
    (tmp_path / "experiment" / "mine.yaml").write_text(text)
    assert "sagan/cifar10_2" in explanation("experiment=mine", own=tmp_path)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["data.path=a (1)"], "Write: \"data.path='a (1)'\""),
        (["data.source.path=a#b"], "Write: \"data.source.path='a#b'\""),  # a key without a declared type
        (["data.path=[a]"], "Write: \"data.path='[a]'\""),
        (["tags=[ü,b]"], "Write: \"tags=['ü','b']\""),
        (["data.path=a,b"], "One string:              \"data.path='a,b'\""),
        (["data.path=a,b"], "A sweep over the values: ganexp -m data.path=a,b"),
        (["tags=a,b"], "A list of values:        tags=[a,b]"),
        (["metrics/score=is,fid"], "A list of values:        metrics/score=[is,fid]"),
        (["seed=1,2"], "A sweep over the values: ganexp -m seed=1,2"),
    ],
)
def test_text_that_needs_quotes_is_shown_with_them(overrides, expected):
    assert expected in explanation(*overrides)


@pytest.mark.parametrize(
    ("config_name", "expected"),
    [
        ("train", "ganexp -m "),
        ("describe", "ganexp describe -m "),
        ("evaluate", "ganexp evaluate -m "),
        ("evaluate_images", "ganexp evaluate -m "),
        ("sample", "ganexp sample -m "),
    ],
)
def test_sweep_of_another_command_keeps_its_name(config_name, expected):
    key = "seed=1,2" if config_name in ("train", "describe", "sample") else "output=a,b"
    assert f"A sweep over the values: {expected}{key}" in explanation(key, config_name=config_name)


def test_number_or_option_is_not_offered_as_text():
    assert "Write:" not in explanation("schedule.steps=ü")
    assert "One string" not in explanation("seed=1,2")
    assert "One string" not in explanation("experiment=a,b")
    assert "A list" not in explanation("data.path=a,b")
    assert "A list" not in explanation("loss=hinge,wgan")


def test_other_errors_keep_their_text():
    assert explain(MissingConfigException("no file"), [], [CONF], "train") == "no file"
    assert "no viable alternative at input" in explanation("loss=[hinge")
    text = explanation("schedule.steps.deeper=3")
    assert "full_key" not in text
    assert "object_type" not in text


def test_facts_in_hydras_texts():
    assert file_of(Exception("In 'experiment/mine': Could not override 'a'.")) == "experiment/mine"
    assert file_of(Exception("Could not override 'a'.")) == ""
    assert unmatched_group(Exception("Could not override 'a/b@c'. No match in the defaults list.")) == "a/b@c"
    assert unmatched_group(Exception("Could not override 'a'.\nDid you mean to override b?")) == "a"
    text = "Invalid Defaults List override '/data: x'.\nNo earlier Group Default for 'data@experiment.data' exists"
    assert unmatched_group(Exception(text)) == "data@experiment.data"  # this is the error text of Hydra 1.4
    assert unmatched_group(Exception("Something else")) == ""
    assert missing_deletion(Exception("Could not delete from config. 'a.b' does not exist.")) == "a.b"
    assert missing_deletion(Exception("Could not delete from config. The value of 'a' is 3 and not 4.")) == ""


def test_options_of_a_group_of_directories_have_both_names():
    assert "sagan/cifar10_2" in options_of("experiment", [CONF])
    assert "penalty/r1" not in options_of("loss", [CONF])
    assert options_of("", [CONF]) == options_of("nowhere", [CONF]) == []


@pytest.mark.parametrize("override", ["augment=${oc.decode:'['}", "loss=${oc.env:NOPE}"])
def test_option_that_is_interpolated_is_named(override):
    group = override.partition("=")[0]
    told = f"{override}: this interpolation cannot be resolved. Write the option itself: {group}=OPTION"
    assert explanation(override) == told
