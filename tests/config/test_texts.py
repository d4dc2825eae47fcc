"""ganexp knows which keys hold texts, and quotes a text in an override, so that Hydra reads the text unchanged."""

import subprocess

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from ganexp.cli import CONF
from ganexp.config import schema
from ganexp.config.composition import compose_config
from ganexp.config.texts import (
    check_choices,
    holds_list,
    holds_text,
    keep_text,
    keep_texts,
    may_hold_text,
    quoted_form,
    restore_texts,
    without_plus,
)
from ganexp.errors import UserError


@pytest.fixture(autouse=True)
def schemas():
    schema.register()


@pytest.mark.parametrize(
    ("key", "is_text"),
    [
        ("name", True),
        ("tags", True),
        ("data.path", True),
        ("data.classes", True),
        ("metrics.weights", True),
        ("hydra.run.dir", True),
        ("hydra.job.env_set.NAME", True),
        ("seed", False),
        ("data", False),
        ("data.flip", False),
        ("data.in_memory", False),
        ("data.source.path", False),  # no schema declares this key
        ("metrics.fid_at", False),
        ("hydra.sweeper.n_jobs", False),
        ("nothing.here", False),
    ],
)
def test_types_of_the_schemas_tell_what_is_text(key, is_text):
    assert holds_text(schema.Train, key) == is_text


def test_keys_without_a_declared_type_may_hold_text():
    keys = ("data.path", "data.source.path", "schedule.steps", "loss")
    assert [may_hold_text("train", key) for key in keys] == [True, True, False, False]
    assert [holds_list("train", key) for key in ("tags", "data.classes", "data.path")] == [True, True, False]


@pytest.mark.parametrize("items", ["[a,[b]]", "[{a: 1}]", "[null]", "[a],[[b]]"])
def test_lists_of_options_with_other_items_are_refused(items):
    with pytest.raises(UserError, match=r"augment=.*: must be an option, or a list of options such as augment=\[a,b\]"):
        check_choices([f"augment={items}"], [CONF])


def test_lists_of_options_and_of_other_settings_pass():
    check_choices(["augment=[none]", "augment=none,[instance_noise]", "loss=[", "metrics.fid_at=[[1]]"], [CONF])


@pytest.mark.parametrize(
    ("override", "kept"),
    [
        ("name=1e5", "name='1e5'"),
        ("+tags=[1e5, 2_0,a]", "+tags=['1e5', '2_0',a]"),
        ("name=1e5,x,.5", "name='1e5',x,'.5'"),
        ("name=choice(1e5,x)", "name=choice('1e5',x)"),
        ("name=sort(2,1,reverse=true)", "name=sort('2','1',reverse=true)"),
        ("name=nan", "name='nan'"),
        ("name=range(1,3)", "name=range(1,3)"),  # the arguments of range are numbers
        ("name='1e5'", "name='1e5'"),
        ("name=007", "name=007"),  # Hydra does not read this as a number
        ("name=null", "name=null"),
        ("name=", "name="),
        ("~name", "~name"),
        ("name=${seed}/1e5", "name=${seed}/1e5"),
        ("name=1 (2)", "name=1 (2)"),  # Hydra refuses this, and its message shows the text as given
        ("name=~/a b", "name='/home/me/a b'"),
        ("name=['~/a',~,b]", "name=['/home/me/a','/home/me',b]"),
        ("name='~/a'", "name='/home/me/a'"),
        ("name=~", "name='/home/me'"),
        ("name='~/${seed}'", 'name="/home/me/${seed}"'),
        ("name='~/\\${seed}'", 'name="/home/me/\\${seed}"'),
    ],
)
def test_texts_get_the_quotes_they_need(monkeypatch, override, kept):
    monkeypatch.setenv("HOME", "/home/me")
    assert keep_text(override) == kept


def test_only_texts_and_options_get_quotes():
    overrides = ["seed=1_0", "schedule.steps=1e3", "loss=1e5", "experiment=2_0,a", "metrics.fid_at=[1,2]"]
    kept = ["seed=1_0", "schedule.steps=1e3", "loss='1e5'", "experiment='2_0',a", "metrics.fid_at=[1,2]"]
    assert keep_texts(overrides, "train", [CONF]) == kept


def test_texts_of_a_search_are_restored():
    overrides = ["name=1e5", "data.path=2024_01_01", "tags=[1_0]", "seed=1_0", "loss=hinge"]
    cfg = compose_config("train", overrides, [CONF])
    assert cfg.data.path == "20240101"
    restore_texts(cfg, overrides)
    assert (cfg.name, cfg.data.path, cfg.tags, cfg.seed) == ("1e5", "2024_01_01", ["1_0"], 10)
    assert OmegaConf.get_type(cfg) is schema.Train


@pytest.mark.parametrize(
    "text", ["a (1)", "it's", 'a"b', "a\"b'c", "a$b`c`", "wow!", "back\\slash", "ends\\", "${seed}"]
)
def test_quoted_form_survives_shell_and_hydra(text):
    form = quoted_form(f"data.path={text}", "train")
    command = ["sh", "-c", f"printf %s {form}"]
    typed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    read = OverridesParser.create().parse_override(typed).value()
    assert OmegaConf.to_container(OmegaConf.create({"text": read}), resolve=True) == {"text": text}


def test_quoted_form_is_for_texts_only():
    assert quoted_form("schedule.steps=a(1)", "train") == ""
    assert quoted_form("da ta=a(1)", "train") == ""
    assert quoted_form("tags=[a(1), 'b c']", "train") == "\"tags=['a(1)','b c']\""


def test_plus_of_a_group_that_every_config_has_is_removed(tmp_path):
    (tmp_path / "mine").mkdir()
    given = ["+experiment=sagan/cifar10_2", "+loss/penalty=r1", "+mine=a", "+a.b=1", "+hydra/launcher=joblib", "seed=1"]
    assert without_plus(given, [CONF, tmp_path]) == ["experiment=sagan/cifar10_2", "loss/penalty=r1", *given[2:]]
