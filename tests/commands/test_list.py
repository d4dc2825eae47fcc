"""`ganexp list`: the published cases, the options of every group, and the layers."""

import json

import pytest
import torch
from helpers.options import options
from torch import nn

from ganexp import models
from ganexp.arguments import UsageError
from ganexp.cli import CONF
from ganexp.commands import cases as cases_module
from ganexp.commands.cases import cases
from ganexp.commands.list import main
from ganexp.commands.options import entries, find_group, groups, layers
from ganexp.config.choices import chosen_options


def listed(capsys, *arguments):
    main(arguments)
    return capsys.readouterr().out


@pytest.mark.parametrize("group", sorted({str(file.parent.relative_to(CONF)) for file in CONF.rglob("*/*.yaml")}))
def test_every_option_is_listed_with_a_sentence(group):
    if group.startswith("hydra") or group.endswith("/base"):
        return
    first, _, rest = group.partition("/")
    name, prefix = ("experiment", f"{rest}/") if first == "experiment" else (group, "")
    found = {entry.name: entry.description for entry in entries(name, [CONF])}
    for option in (CONF / group).glob("*.yaml"):
        assert len(found[f"{prefix}{option.stem}"].split()) > 2


def test_cases_have_descriptions_of_their_own():
    """A list of cases is of no use if two descriptions are equal, or if a description lacks the name of the dataset."""
    listed = {entry.name: entry.description for entry in entries("experiment", [CONF])}
    assert len(set(listed.values())) == len(listed)
    for name, description in listed.items():
        (dataset,) = chosen_options(name)["data"]
        letters = "".join(character for character in description.lower() if character.isalnum())
        assert dataset.replace("_", "") in letters, f"{name}: {description}"


def test_layers_are_the_modules_that_networks_consist_of():
    names = {layer.name for layer in layers()}
    assert {"attention.SelfAttention", "spectral.PersistentSpectralNorm", "layers.ConditionalNorm"} <= names
    assert not any(name.endswith((".Generator", ".Discriminator", ".Latent")) for name in names)
    for layer in layers():
        module, _, name = layer.name.partition(".")
        __import__(f"ganexp.models.{module}")
        assert issubclass(getattr(getattr(models, module), name), nn.Module)
        assert layer.description


@pytest.mark.parametrize(
    ("topic", "group"),
    [
        ("losses", "loss"),
        ("loss", "loss"),
        ("penalties", "loss/penalty"),
        ("loss/penalty", "loss/penalty"),
        ("models", "model"),
        ("datasets", "data"),
        ("updates", "schedule/updates"),
        ("scores", "metrics/score"),
        ("experiments", "experiment"),
        ("nothing", None),
    ],
)
def test_topic_names_a_group_in_singular_or_plural(topic, group):
    assert find_group(topic, list(groups([CONF]))) == group


def test_list_of_a_group_has_a_line_for_each_option(capsys):
    lines = listed(capsys, "penalties").splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == [*options("loss/penalty"), "Choose"]
    assert lines[-1] == "Choose one with: ganexp loss/penalty=NAME"
    assert listed(capsys, "scores").splitlines()[-1] == "Choose some with: ganexp 'metrics/score=[NAME,NAME]'"


@pytest.mark.parametrize(
    ("topic", "defaults"),
    [("losses", ["wgan_gp"]), ("penalties", []), ("scores", ["accuracy", "fid", "is"]), ("layers", [])],
)
def test_list_marks_the_default_options(capsys, topic, defaults):
    lines = listed(capsys, topic).splitlines()
    assert [line.split()[0] for line in lines if "(default)" in line] == defaults


def test_list_shows_options_of_the_user(capsys, tmp_path):
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "own.yaml").write_text("# My loss. It has a second sentence.\nadversarial: null\n")
    found = json.loads(listed(capsys, "losses", "--json", "--config-dir", str(tmp_path)))
    assert {"name": "own", "description": "My loss."} in found


@pytest.mark.parametrize(("topic", "meant"), [("lossses", "loss"), ("saga", "sagan")])
def test_unknown_topic_is_refused_with_a_suggestion(topic, meant):
    with pytest.raises(
        UsageError, match=rf"there is no topic '{topic}'. Did you mean {meant}.*\nTopics: .*loss/penalty"
    ):
        main([topic])


@pytest.fixture
def few_cases(monkeypatch):
    """Limit the list to two cases, because composing all cases takes long."""
    names = ["sagan/cifar10_2", "textbook/gan"]
    monkeypatch.setattr(cases_module, "groups", lambda folders: {"experiment": names})


def test_case_has_its_facts(few_cases):
    sagan, textbook = cases([CONF])
    assert (sagan.dataset, sagan.epochs, sagan.steps) == ("cifar10", 100, 19_500)
    assert (sagan.generator_parameters, sagan.discriminator_parameters) == (4_391_364, 1_075_810)
    assert (sagan.published, textbook.published) == ("IS 6.53", "")
    assert sagan.source.startswith("koshian2's article on SAGAN")
    assert (textbook.dataset, textbook.generator_parameters) == ("mnist", 294_160)


def test_list_prints_cases_from_the_cache(few_cases, capsys, monkeypatch):
    first = listed(capsys, "sagan")
    listed(capsys, "textbook")  # this must not remove the other cases from the cache
    monkeypatch.setattr(cases_module, "_compute_facts", lambda *args: pytest.fail("the facts were computed again"))
    assert listed(capsys, "sagan") == first
    assert "sagan: koshian2's article on SAGAN" in first
    assert "4,391,364" in first
    found = json.loads(listed(capsys, "--json"))
    assert found[0]["command"] == "ganexp experiment=sagan/cifar10_2"
    assert found[0]["steps"] == 19_500


def test_list_of_all_cases_composes_none(capsys, monkeypatch):
    monkeypatch.setattr(cases_module, "_compute_facts", lambda *args: pytest.fail("a case was composed"))
    printed = listed(capsys)
    assert "sagan/cifar10_2 " in printed
    assert "IS 6.53. SAGAN on CIFAR-10, case 2" in printed
    assert max(map(len, printed.splitlines())) <= 120


@pytest.mark.parametrize(("article", "other"), [("sagan", "textbook/gan"), ("textbook/gan", "sagan/cifar10_2")])
def test_article_limits_the_list_to_its_cases(few_cases, capsys, article, other):
    printed = listed(capsys, article)
    assert article in printed
    assert other not in printed


def test_parameters_are_counted_without_memory():
    before = torch.get_default_device()
    node = {"_target_": "torch.nn.Linear", "in_features": 1_000_000, "out_features": 1_000_000}
    assert cases_module._count_parameters(node) == 10**12 + 10**6
    assert torch.get_default_device() == before
