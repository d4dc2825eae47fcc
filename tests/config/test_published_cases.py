"""Every published case has its article's settings, sizes and learning rates, and trains with and without as_published.

The file published/ARTICLE/CASE.yaml has the values that are expected of a case, so that readers can compare
them with the article.
"""

import json
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest
import torch
import yaml
from helpers.bench import Bench
from helpers.config import config
from helpers.options import flat, options
from omegaconf import OmegaConf

from ganexp.cli import CONF
from ganexp.commands.describe import description
from ganexp.config.averaging import average_warning
from ganexp.config.instantiate import instantiate, to_plain
from ganexp.config.overlays import check_overlay
from ganexp.errors import UserError

pytestmark = pytest.mark.slow

PUBLISHED = Path(__file__).parent / "published"
CASES = [name for name in options("experiment") if "/base/" not in name]
NETWORKS = ("generator", "discriminator")


@cache
def expected(name):
    return yaml.load((PUBLISHED / f"{name}.yaml").read_text(), yaml.CSafeLoader)


AS_PUBLISHED = [name for name in CASES if (PUBLISHED / f"{name}.yaml").exists() and "as_published" in expected(name)]


@cache
def overlay(article):
    return OmegaConf.load(CONF / f"as_published/{article}.yaml")


def has_overlay(name):
    """Return whether the article of a case has an overlay that the case accepts."""
    article = name.split("/")[0]
    if article not in options("as_published"):
        return False
    groups = {"experiment": name, "as_published": article}
    with suppress(UserError):
        check_overlay(overlay(article), groups)
        return True
    return False


TRAINED_AS_PUBLISHED = [name for name in CASES if has_overlay(name)]


@cache
def case(name, *overrides):
    """Return the config of a case. All tests of a case run in a row (scope="module"), so each case is composed once."""
    return config(f"experiment={name}", *overrides)


def as_published(name):
    return f"as_published={name.split('/')[0]}"


def differences(cfg, settings):
    """Return the settings that differ between the config and `settings`, with the values that the config has."""
    values = flat(cfg)
    return {key: values.get(key, "missing") for key, value in settings.items() if values.get(key, "missing") != value}


def test_expected_files_match_the_experiments():
    files = sorted(str(file.relative_to(PUBLISHED).with_suffix("")) for file in PUBLISHED.rglob("*.yaml"))
    assert files == CASES


@pytest.mark.parametrize("name", CASES, scope="module")
def test_case_has_the_expected_settings(name):
    assert differences(case(name), expected(name)["settings"]) == {}
    assert average_warning(case(name)) == ""


@pytest.mark.parametrize("name", AS_PUBLISHED, scope="module")
def test_overlay_makes_a_case_as_published(name):
    settings = expected(name)["settings"] | expected(name)["as_published"]
    assert differences(case(name, as_published(name)), settings) == {}


def test_cases_as_published_are_those_of_the_overlays():
    """An overlay changes settings that make sense only for certain cases, and other cases refuse the overlay."""
    assert [name for name in AS_PUBLISHED if name not in TRAINED_AS_PUBLISHED] == []


@pytest.mark.parametrize("article", ["dcgan", "g_loss", "sagan", "textbook"])
def test_sweep_of_an_article_has_its_cases_in_both_forms(article):
    params = yaml.safe_load((CONF / f"sweep/{article}.yaml").read_text())["hydra"]["sweeper"]["params"]
    of_article = [name for name in AS_PUBLISHED if name.startswith(f"{article}/")]
    assert sorted(name.strip() for name in params["experiment"].split(",")) == of_article
    assert params["as_published"] == f"none,{article}"


@pytest.mark.parametrize("name", CASES, scope="module")
def test_case_has_the_expected_sizes(name):
    described, of_article = description(narrow(case(name))), expected(name)
    counts = {network: count_parameters(json.dumps(to_plain(case(name).model[network]))) for network in NETWORKS}
    if "parameters" in of_article:
        assert counts == of_article["parameters"]
    else:
        assert min(counts.values()) > 10**6
    if "learning_rates" in of_article:
        rates = {network: described["learning_rates"][network] for network in NETWORKS}
        assert rates == pytest.approx(of_article["learning_rates"])
    if "discriminator_steps" in of_article:
        assert described["discriminator_steps"] == of_article["discriminator_steps"]


@cache
def count_parameters(node):
    """Return the number of trainable parameters of the network with the config `node`, a JSON text.

    No initial values are drawn.
    """
    arguments = json.loads(node)
    if "spectral_norm" in arguments:
        arguments["spectral_norm"] = "none"  # this gives the same number of parameters in less time
    with torch.device("meta"):
        network = instantiate(arguments, "model")
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def narrow(cfg):
    """Return a small form of a case: few channels, and few images of the right shape."""
    cfg = cfg.copy()
    cfg.data.source = {"_target_": "ganexp.data.sets.fake", "num_classes": cfg.data.num_classes, "size": 24}
    cfg.data.split = "train"
    for network in NETWORKS:
        node = cfg.model[network]
        if "widths" in node:
            node.widths = [max(8, width // 32) for width in node.widths]
        elif "width" in node:
            node.width = 4
    if cfg.schedule.growth is not None:
        # The networks have their full size at the third step.
        cfg.schedule.growth.update(images_per_stage=1, batch_size=4)
    for node in cfg.model.auxiliary.values():
        node.update({key: value for key, value in {"width": 4, "max_width": 8}.items() if key in node})
    return cfg


def narrow_bench(cfg):
    """Return a bench that can train the small form of a case, with batches of 4 images."""
    cfg = narrow(cfg)
    cfg.schedule.batch_size = 4
    return Bench(cfg=cfg)


def check_training(cfg):
    """Take one step, or three if the networks grow; all weights must stay finite and most of them must change."""
    bench = narrow_bench(cfg)
    before, steps = bench.weights(), 1 if cfg.schedule.growth is None else 3
    bench.step(steps)
    after = bench.weights()
    assert all(weights.isfinite().all() for weights in after)
    assert sum(not torch.equal(a, b) for a, b in zip(before, after, strict=True)) > len(before) // 2
    assert bench.events.count("G") == steps


@pytest.mark.parametrize("name", CASES, scope="module")
def test_case_trains(name):
    check_training(case(name))


@pytest.mark.parametrize("name", AS_PUBLISHED, scope="module")
def test_case_trains_as_published(name):
    check_training(case(name, as_published(name)))


@pytest.mark.parametrize(
    ("name", "overrides", "events"),
    [
        ("sagan/cifar10_5", ("schedule/updates=fixed_ratio", "schedule.updates.n_critic=2"), "DDGDDG"),
        ("sagan/cifar10_5", ("schedule/updates=generator_first", "schedule.updates.n_gen=2"), "GGD"),
        ("sagan/stl10_2", ("schedule/updates=generator_first", "schedule.updates.n_critic=3"), "GDDDGDDD"),
    ],
)
@pytest.mark.parametrize("overlay", ["none", "sagan"])
def test_sagan_cases_take_any_fixed_ratio(name, overrides, events, overlay):
    bench = narrow_bench(case(name, *overrides, f"as_published={overlay}"))
    bench.step(2)
    assert "".join(bench.events) == events


def test_limit_can_be_set_for_a_sagan_case_without_one():
    updates = case("sagan/lr_scaling_0", "schedule.updates.limit=0.5").schedule.updates
    assert updates == case("sagan/cifar10_5").schedule.updates


@pytest.mark.parametrize(("overlay", "epochs"), [("none", 1500), ("textbook", 300)])
def test_textbooks_300_epochs_hold_as_published_only(overlay, epochs):
    bench = narrow_bench(case("textbook/wgan_gp", f"as_published={overlay}"))
    before, steps = bench.gan.stream.position, 2
    bench.step(steps)
    batches_per_step = (bench.gan.stream.position - before) / steps
    schedule = case("textbook/wgan_gp").schedule
    assert batches_per_step * schedule.steps * schedule.batch_size / 60_000 == epochs
