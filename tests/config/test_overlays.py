"""Every overlay of as_published changes what it says and nothing else."""

import pytest
from helpers.config import config
from helpers.options import flat, options
from omegaconf import OmegaConf

from ganexp.cli import CONF
from ganexp.config.checks import PUBLISHED_ARGUMENTS

# What each overlay changes in one of its article's cases: setting, corrected, as published.
OVERLAYS = {
    "textbook/wgan_gp": {
        "model.generator.norm": ("batch", "inert"),
        "model.discriminator.dropout": (0.5, 0.0),
        "loss.epsilon": ("per_sample", "per_element"),
        "loss.penalties.gradient_penalty.epsilon": ("per_sample", "per_element"),
        "schedule.updates.reuse_real": (False, True),
    },
    "dcgan/mnist_saturating": {
        "data.range": ("symmetric", "unit"),
        "model.generator.batch_statistics_only": (False, True),
        "optimizer.discriminator.lr": (2e-4, 1e-5),
        "optimizer.discriminator.betas": ([0.5, 0.999], [0.1, 0.999]),
    },
    "sagan/cifar10_5": {
        "model.generator.spectral_norm": ("persistent", "fixed_u"),
        "model.discriminator.spectral_norm": ("persistent", "fixed_u"),
        "schedule.updates.repeat_burst": (False, True),
        "schedule.updates.epoch": (None, 195),
    },
    "sngan/cifar10_cnn": {
        "model.discriminator.spectral_norm": ("persistent", "fixed_u"),
        "schedule.updates.order": ("discriminator_first", "generator_first"),
        "schedule.updates.fakes": ("fresh", "shared"),
        "schedule.updates.labels.generator": ("uniform", "real"),
    },
    "g_loss/stl10_saturating": {
        "loss.probabilities": (False, True),
        "loss.adversarial.probabilities": (False, True),
    },
    "ac_wgan_gp/cifar10": {
        "schedule.updates.order": ("discriminator_first", "generator_first"),
        "schedule.updates.fakes": ("fresh", "shared"),
    },
}
# Settings of overlays that every network or update rule takes, so that they fail with none.
COMMON = {"range", "lr", "betas", "order", "fakes", "generator", "discriminator", "epsilon", "probabilities"}


@pytest.mark.parametrize("name", OVERLAYS)
def test_overlay_changes_its_settings_only(name):
    corrected = flat(config(f"experiment={name}"))
    published = flat(config(f"experiment={name}", f"as_published={name.split('/')[0]}"))
    changed = {key: (corrected[key], published[key]) for key in corrected if corrected[key] != published[key]}
    assert changed == OVERLAYS[name]
    assert corrected.keys() == published.keys()


def test_overlays_are_all_tested():
    assert {name.split("/")[0] for name in OVERLAYS} | {"none"} == set(options("as_published"))


def test_overlay_none_changes_nothing():
    assert config("experiment=sagan/cifar10_2") == config("experiment=sagan/cifar10_2", "as_published=none")


def test_published_arguments_are_those_of_the_overlays():
    keys = [
        key for option in options("as_published") for key in flat(OmegaConf.load(CONF / f"as_published/{option}.yaml"))
    ]
    assert {key.rpartition(".")[2] for key in keys} - COMMON == PUBLISHED_ARGUMENTS
