"""Configs that are composed in code, and the list of config groups."""

import warnings

from helpers.config import CONF
from omegaconf import OmegaConf

from ganexp.config import schema
from ganexp.config.composition import any_target_allowed, compose_config, group_options, register_resolver


def test_compose_config_reads_own_folders(tmp_path):
    schema.register()
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "mine.yaml").write_text("adversarial: {_target_: ganexp.losses.Hinge}\nn_critic: 3\n")
    cfg = compose_config("train", ["loss=mine"], [CONF, tmp_path])
    assert cfg.loss.n_critic == 3
    assert "hydra" not in cfg
    with_hydra = compose_config("train", ["loss=mine"], [CONF, tmp_path], with_hydra=True)
    assert with_hydra.hydra.runtime.choices.loss == "mine"


def test_group_options_are_those_of_the_command(tmp_path):
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "mine.yaml").touch()
    groups = group_options("train", [CONF, tmp_path])
    assert "mine" in groups["loss"]
    assert groups["loss"] == sorted(groups["loss"])
    assert {"experiment/sagan", "loss/penalty", "metrics/score"} <= set(groups)
    assert not [name for name in groups if name.startswith("hydra") or name.endswith("/base") or name == "."]
    assert set(group_options("evaluate", [CONF])) == {"metrics", "metrics/score"}
    assert group_options("sample", [CONF]) == {}


def test_registered_resolver_replaces_an_earlier_one():
    for value in (1, 2):
        register_resolver("of_this_test", lambda value=value: value)
    assert OmegaConf.create({"x": "${of_this_test:}"}).x == 2


def test_other_warnings_are_shown_while_any_target_is_allowed(recwarn):
    warnings.simplefilter("always")
    with any_target_allowed():
        warnings.warn("something else", UserWarning, stacklevel=1)
    assert [str(warning.message) for warning in recwarn] == ["something else"]
