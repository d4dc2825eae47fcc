"""Every overlay of as_published changes the settings that are listed here, and no others."""

import re
from fnmatch import fnmatch

import pytest
from helpers.cli import ganexp
from helpers.config import config, raw_config
from helpers.options import flat, options
from omegaconf import OmegaConf

from ganexp.cli import CONF
from ganexp.config.checks import PUBLISHED_ARGUMENTS
from ganexp.config.overlays import check_overlay

pytestmark = pytest.mark.slow

INCEPTION = "ganexp.metrics.extractors"
# The settings in which CIFAR-10's default metric differs from the metric of the article on SAGAN.
# Each entry is written as `setting: (corrected value, value as published)`.
METRICS = {
    "metrics.extractor._target_": (
        f"{INCEPTION}.inception.InceptionExtractor",
        f"{INCEPTION}.torchvision_inception.TorchvisionInceptionExtractor",
    ),
    "metrics.splits": (10, 1),
    "metrics.scores.is.splits": (10, 1),
    "metrics.labels": ("reference", "uniform"),
    "metrics.best_by": ("fid", "is"),
}
# With as_published=sagan and without it, the SAGAN cases choose the best checkpoint by the IS with metrics.splits=1.
CHOSEN_BY_IS = ("metrics.best_by", "metrics.splits", "metrics.scores.is.splits")
KOSHIAN2_SNGAN = {
    "model.discriminator.spectral_norm": ("persistent", "fixed_u"),
    "schedule.updates.order": ("discriminator_first", "generator_first"),
    "schedule.updates.fakes": ("fresh", "shared"),
    "schedule.updates.labels.generator": ("uniform", "real"),
    **METRICS,
}
# The settings that as_published changes in each of these cases.
# Each entry is written as `setting: (corrected value, value as published)`.
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
        "metrics.batch_size": (500, 64),
    },
    "sagan/cifar10_5": {
        "model.generator.spectral_norm": ("persistent", "fixed_u"),
        "model.discriminator.spectral_norm": ("persistent", "fixed_u"),
        "schedule.updates.repeat_burst": (False, True),
        "schedule.updates.epoch": (None, "dataset"),
        **{key: values for key, values in METRICS.items() if key not in CHOSEN_BY_IS},
    },
    "sngan_koshian2/cifar10_cnn_1": KOSHIAN2_SNGAN,
    "sngan_koshian2/flowers102_1": KOSHIAN2_SNGAN,
    "sngan_koshian2/stl10_resnet_1": KOSHIAN2_SNGAN | {"model.discriminator.first_block": ("residual", "relu")},
    "sngan_koshian2/anime_face_1": KOSHIAN2_SNGAN | {"model.discriminator.first_block": ("residual", "relu")},
    "g_loss/stl10_saturating": {
        "loss.probabilities": (False, True),
        "loss.adversarial.probabilities": (False, True),
    },
    **{
        f"gan_lib/{name}": {
            "schedule.updates.order": ("discriminator_first", "simultaneous"),
            "schedule.updates.fakes": ("fresh", "shared"),
        }
        for name in ("began", "dcgan", "dfm")
    },
    "gan_lib/minibatch_discrimination": {
        "model.discriminator.norm_last": (True, False),
        "schedule.updates.order": ("discriminator_first", "simultaneous"),
        "schedule.updates.fakes": ("fresh", "shared"),
    },
    "gan_lib/cramer": {
        "loss.penalties.cramer_penalty.detach_vectors": (False, True),
        "schedule.updates.order": ("discriminator_first", "generator_first"),
    },
    "gan_lib/dragan": {
        "loss.penalties.dragan.perturbation": ("normal", "one_sided"),
        "schedule.updates.order": ("discriminator_first", "generator_first"),
    },
    **{
        f"gan_lib/{name}": {"schedule.updates.order": ("discriminator_first", "generator_first")}
        for name in ("sn_dcgan", "wgan_gp")
    },
    "ac_wgan_gp/cifar10": {
        "schedule.updates.order": ("discriminator_first", "generator_first"),
        "schedule.updates.fakes": ("fresh", "shared"),
    },
}
# Names of settings in overlays that no network or update rule refuses as an unknown argument.
COMMON = {
    *("defaults", "published_cases", "range", "lr", "betas", "order", "fakes", "generator", "discriminator"),
    *("epsilon", "probabilities", "joint_batch", "batch_size"),
}


@pytest.mark.parametrize("name", OVERLAYS)
def test_overlay_changes_its_settings_only(name):
    corrected = flat(config(f"experiment={name}"))
    published = flat(config(f"experiment={name}", f"as_published={name.split('/')[0]}"))
    changed = {key: (corrected[key], published[key]) for key in corrected if corrected[key] != published[key]}
    assert changed == OVERLAYS[name] | {"schedule.joint_batch": ("auto", False)}
    assert corrected.keys() == published.keys()


@pytest.mark.parametrize(
    ("experiment", "overlay", "fix"),
    [
        ("sngan/stl10", "sngan_koshian2", r"experiment=sngan_koshian2/\*, and not .* leave out as_published"),
        ("ac_wgan_gp/acgan", "ac_wgan_gp", r"experiment=ac_wgan_gp/cifar10, and not"),
        ("ac_wgan_gp/cramer", "ac_wgan_gp", r"experiment=ac_wgan_gp/cifar10, and not"),
        ("ac_wgan_gp/cifar10_corrected", "ac_wgan_gp", r"experiment=ac_wgan_gp/cifar10, and not"),
        ("dcgan/cifar10", "dcgan", r"experiment=dcgan/mnist_\*, and not"),
        ("textbook/cgan_original", "textbook", "and not for experiment=textbook/cgan_original: leave out"),
        ("sagan/cifar10_squeeze", "sagan", "and not for experiment=sagan/cifar10_squeeze: leave out"),
        ("sagan/cifar10_2", "textbook", r"experiment=textbook/gan, textbook/wgan_gp, textbook/cgan, and not"),
        (None, "sagan", r"choose one of its cases, experiment=sagan/cifar10_\[0-7\], "),
    ],
)
def test_overlay_of_another_case_is_refused(experiment, overlay, fix, tmp_path):
    chosen = [f"experiment={experiment}"] if experiment else []
    done = ganexp("describe", *chosen, f"as_published={overlay}", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert re.search(rf"^as_published={overlay} reproduces the code of an article.*{fix}", done.stderr)


@pytest.mark.parametrize("article", ["dcgan", "sagan", "textbook"])
def test_overlay_is_for_the_cases_of_its_articles_sweep_only(article):
    """An overlay accepts exactly the cases that the sweep of the article trains with and without the overlay."""
    patterns = OmegaConf.load(CONF / f"as_published/{article}.yaml").published_cases
    cases = [f"{article}/{name}" for name in options(f"experiment/{article}") if not name.startswith("base/")]
    sweeps = [OmegaConf.load(CONF / f"sweep/{name}.yaml").hydra.sweeper.params for name in options("sweep")]
    swept = [each.experiment for each in sweeps if each.get("as_published") == f"none,{article}"]
    accepted = [name for name in cases if any(fnmatch(name, pattern) for pattern in patterns)]
    assert accepted == sorted(re.findall(r"[\w/]+", ",".join(swept)))


def test_overlay_of_the_users_own_experiment_is_accepted():
    """The user's experiment may extend a case of the article."""
    cfg = config("experiment=sagan/cifar10_2", "as_published=sagan")
    assert "published_cases" not in cfg
    raw = raw_config("experiment=sagan/cifar10_2", "as_published=sagan")
    assert raw.published_cases[0] == "sagan/cifar10_[0-7]"
    for experiment in ("sagan/cifar10_2", "sagan_short"):
        check_overlay(raw, {"experiment": experiment, "as_published": "sagan"})


def test_overlays_are_all_tested():
    assert {name.split("/")[0] for name in OVERLAYS} | {"none"} == set(options("as_published"))


def test_overlay_none_changes_nothing():
    assert config("experiment=sagan/cifar10_2") == config("experiment=sagan/cifar10_2", "as_published=none")


def test_published_arguments_are_those_of_the_overlays():
    keys = [
        key for option in options("as_published") for key in flat(OmegaConf.load(CONF / f"as_published/{option}.yaml"))
    ]
    assert {key.rpartition(".")[2] for key in keys} - COMMON == PUBLISHED_ARGUMENTS
