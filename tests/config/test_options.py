"""Every YAML composes and builds; every pair of loss and model takes steps; what makes no sense is refused."""

import json
import re
from functools import cache
from pathlib import Path

import pytest
import torch
from helpers.bench import MLP, Bench
from helpers.cli import ganexp
from helpers.config import TINY, config
from omegaconf import OmegaConf

from ganexp.build import build_gan
from ganexp.cli import CONF
from ganexp.commands.describe import description
from ganexp.errors import UserError

NETWORKS = ("generator", "discriminator")
GROUPS = ("data", "model", "loss", "schedule", "optimizer", "metrics", "trainer", "experiment", "as_published")
NARROW = {
    "mlp": MLP,
    "dcgan": ("model=dcgan", "model.generator.width=4", "model.discriminator.width=4"),
    "dcgan_mnist": ("model=dcgan_mnist",),
    "sngan_cnn": ("model=sngan_cnn", "model.generator.width=4", "model.discriminator.width=4"),
}
SIDES = {"sngan": "cifar10", "sngan48": "stl10", "sngan96": "flowers102", "sagan": "cifar10", "sagan48": "stl10",
         "sagan96": "flowers102"}  # fmt: skip
for _name in SIDES:
    NARROW[_name] = (f"model={_name}", "model.generator.widths=[8,8]", "model.discriminator.widths=[8,8]",
                     "model.discriminator.halvings=2")  # fmt: skip
    if "sagan" in _name:
        NARROW[_name] += ("model.generator.attention=8", "model.discriminator.attention=4")


def options(group):
    return sorted(str(f.relative_to(CONF / group).with_suffix("")) for f in (CONF / group).rglob("*.yaml"))


EVERY = [(group, option) for group in GROUPS if group != "experiment" for option in options(group)]


def words_for(group, option, tmp_path):
    """What an option needs beside its name."""
    path, _, last = option.rpartition("/")
    words = [f"{group}/{path}={last}" if path and group in ("loss", "schedule") else f"{group}={option}"]
    if last == "loss_limit":
        words.append("loss=hinge")
    if path == "auxiliary":
        words.append("data=cifar10")
    if group == "model" and option in SIDES:
        words.append(f"data={SIDES[option]}")
    if group == "as_published" and option != "none":
        words.insert(0, f"experiment={option}/{options(f'experiment/{option}')[-1]}")
    if option == "folder":
        from helpers.images import photo

        for name in ("a", "b"):
            photo(tmp_path / name / "1.png")
        words.append(f"data.path={tmp_path}")
    return words


@pytest.mark.parametrize(("group", "option"), EVERY, ids=lambda value: value)
def test_every_option_composes_and_builds(group, option, tmp_path):
    cfg = config(*words_for(group, option, tmp_path))
    gan = build_gan(cfg)
    assert gan.generator(gan.latent.sample(2), torch.zeros(2, dtype=torch.long)).shape[1:] == (
        cfg.data.channels, cfg.data.resolution, cfg.data.resolution,
    )  # fmt: skip


TRIPLES = [
    (loss, model, conditional)
    for loss in options("loss") if "/" not in loss
    for model in options("model")
    for conditional in (False, True)
    if not (loss in ("two_class", "cramer") and conditional and model != "mlp")  # refused, see below
]  # fmt: skip


@pytest.mark.parametrize(("loss", "model", "conditional"), TRIPLES)
def test_every_loss_with_every_model(loss, model, conditional):
    bench = Bench(f"loss={loss}", f"model.conditional={conditional}", model=NARROW[model])
    before = bench.weights()
    bench.step(2)
    after = bench.weights()
    assert all(p.isfinite().all() for p in after)
    trained = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    generators = len(list(bench.gan.generator.parameters()))
    assert any(trained[:generators])
    assert any(trained[generators:])


@pytest.mark.parametrize("penalty", options("loss/penalty"))
def test_a_penalty_beside_any_loss(penalty):
    bench = Bench("loss=hinge", f"loss/penalty={penalty}", model=NARROW["dcgan"])
    assert list(bench.gan.objective.penalties) == [penalty]
    bench.step(2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["schedule.steps=1000", "schedule.evaluate_every=300"], r"no multiple .* use schedule.steps=900"),
        (["schedule.batch_size=0"], r"schedule.batch_size=0: must be at least 1"),
        (["data.num_classes=0", "model.conditional=true"], r"model.conditional=true needs a labelled set"),
        (["data.num_classes=0"], r"metrics=classifier needs a labelled set"),
        (["loss=two_class", "model.discriminator.logits=1"], r"this loss wants 2 logits an image"),
        (["loss=two_class", "loss/penalty=r1"], r"loss.penalties.r1 needs one logit"),
        (
            ["model=dcgan", "model.discriminator.norm=batch"],
            r"loss.penalties.gradient_penalty .* model.discriminator.norm=layer",
        ),
        (
            ["model.conditional=true", "schedule.updates.labels.discriminator=uniform"],
            r"labels.discriminator=real",
        ),
        (
            ["model.conditional=true", "schedule.updates.fakes=shared"],
            r"schedule.updates.labels.generator=real",
        ),
        (["model.conditional=true", "loss=two_class", "model=dcgan"], r"projection head gives one logit"),
        (["metrics.samples=5"], r"metrics.samples=5 is too few for metrics.splits=10"),
        (["schedule.ema.decay=1.5"], r"schedule.ema.decay=1.5"),
        (["data.in_memory=maybe"], r"data.in_memory=maybe"),
        (["model=dcgan", "data.resolution=50"], r"model.generator: resolution 50 .* data.resolution=48"),
        (["model.generator.norm=group"], r"model.generator: norm=group: use one of"),
        (["+model.generator.depth=3"], r"model.generator: .*unexpected keyword argument 'depth'"),
        (["optimizer.generator.lr=-1"], r"optimizer.generator: .*learning rate"),
        (["loss.penalties.gradient_penalty.epsilon=per_pixel"], r"per_sample or per_element"),
        (["schedule.updates.order=first"], r"schedule.updates: order=first: use one of"),
        (["data=folder"], r"Missing value: data.path=…"),
        (["data=folder", "data.path=/nowhere"], r"data.path=/nowhere: no such directory or zip"),
        (["trainer.precision=16-mixed"], r"use 32-true or bf16-mixed"),
        (["seed=-1"], r"seed=-1"),
        (["schedule/updates=loss_limit"], r"wants 5 discriminator updates .*=fixed_ratio"),
        (["loss=cramer", "loss.epsilon=per_pixel"], r"per_sample or per_element"),
        (["loss=hinge", "metrics.best_by=kid"], r"metrics.best_by=kid: use fid or is"),
        (["data.range=byte"], r"data.range=byte: use symmetric"),
        (["schedule.max_d_steps=0"], r"schedule.max_d_steps=0"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_makes_no_sense_is_refused(words, message):
    with pytest.raises(UserError, match=message):
        build_gan(config(*words))


@pytest.mark.parametrize("model", ["dcgan", "dcgan_mnist"])
def test_conditional_two_class_needs_a_model_that_can(model):
    with pytest.raises(UserError, match="one logit"):
        build_gan(config("loss=two_class", "model.conditional=true", f"model={model}", "data.resolution=8"))


def test_sizes_flow_from_the_data():
    for data, shape in (
        ("mnist", (1, 28, 10)),
        ("stl10", (3, 48, 10)),
        ("flowers102", (3, 96, 102)),
        ("cifar100", (3, 32, 100)),
    ):
        cfg = config(f"data={data}", "model=dcgan", "model.conditional=true")
        node = cfg.model.generator
        assert (node.channels, node.resolution, node.num_classes) == shape
    assert config("data=stl10", "data.split=unlabeled").data.num_classes == 0


def test_a_set_chooses_model_and_metrics_unless_told():
    assert "dcgan" in config("data=cifar10").model.generator._target_
    assert "Inception" in config("data=cifar10").metrics.extractor._target_
    assert "mlp" in config("data=cifar10", "model=mlp").model.generator._target_
    assert "train_classifier" in config("data=mnist").metrics.extractor._target_


# What the articles' networks count, by the published layers: trainable parameters of generator and discriminator.
PUBLISHED_COUNTS = {
    "ac_wgan_gp/cifar10": (3_894_275, 5_860_865),
    "ac_wgan_gp/cifar10_corrected": (3_894_275, 5_860_865),
    "ac_wgan_gp/acgan": (3_894_275, 5_860_865 + 8192 * 10 + 10),
    "ac_wgan_gp/cramer": (3_894_275, 5_860_865 + 8193 * 255),
    "dcgan/mnist_non_saturating": (6_738_689, 1_812_737),
    "dcgan/mnist_saturating": (6_738_689, 1_812_737),
    "textbook/gan": (294_160, 133_762),
    "textbook/wgan_gp": (147_856, 133_633),
    "textbook/cgan": (156_816, 142_465),
    "sagan/cifar10_0": (4_308_995, 1_055_105),
    "sagan/cifar10_1": (4_308_995, 1_055_105),
    "sagan/cifar10_2": (4_391_364, 1_075_810),
    "sagan/cifar10_3": (4_308_995, 1_055_105),
    "sagan/cifar10_4": (4_308_995, 1_055_105),
    "sagan/cifar10_5": (4_391_364, 1_075_810),
    "sagan/cifar10_6": (4_359_108, 1_074_530),
    "sagan/cifar10_7": (4_359_108, 1_074_530),
    "sagan/lr_scaling_0": (4_391_364, 1_075_810),
    "sagan/lr_scaling_1": (4_391_364, 1_075_810),
    "sagan/lr_scaling_2": (4_391_364, 1_075_810),
    "sagan/lr_scaling_3": (4_391_364, 1_075_810),
    "sagan/stl10_0": (4_903_427, 19_552_961),
    "sagan/stl10_1": (4_903_427, 19_552_961),
    "sagan/stl10_2": (4_985_796, 19_573_666),
    "sagan/anime_face": (33_055_684, 38_620_066),
    "sagan/flowers102": (32_316_868, 38_544_290),
    "sngan/cifar10": (4_276_739, 1_053_825),
    "sngan/cifar10_conditional": (4_308_995, 1_055_105),
    "sngan/stl10": (4_878_083, 19_542_721),
    "sngan/cifar10_cnn": (3_812_355, 2_935_873),
    "wgan_gp/cifar10": (4_276_739, 1_053_825),
}
UNCOUNTED = {
    "dcgan/cifar10",
    "sngan/flowers102",
    *(name for name in options("experiment") if name.startswith("g_loss/")),
}


def test_every_published_case_is_counted():
    assert set(options("experiment")) == set(PUBLISHED_COUNTS) | UNCOUNTED == set(CASES) | set(BASELINES)


@cache
def case(name, published=False):
    """The config of a case; with its article's overlay, as published."""
    return config(f"experiment={name}", *([f"as_published={name.split('/')[0]}"] if published else []))


def each(value):
    """For both networks."""
    return value, value


CIFAR10, MNIST = ("cifar", 10, "train", 32), ("mnist", 10, "train", 28)
STL10 = ("stl10", 10, "train+test", 48)
# What the articles' own code sets; of pairs, the generator's first. First what most of them share.
SHARED = {
    "range": "symmetric", "flip": False, "conditional": False, "betas": each((0.0, 0.9)), "eps": each(1e-8),
    "n_critic": 1, "order": "discriminator_first", "fakes": "fresh", "reuse_real": False, "labels": None, "limit": None,
    "ema": None, "lr_decay": None, "attention": each(None), "spectral_norm": each(None), "norm_last": each(None),
}  # fmt: skip
ARTICLES = {
    "ac_wgan_gp": {
        "data": CIFAR10, "latent": ("uniform", 128), "batch": 64, "steps": 100_000, "lr": each(2e-4),
        "loss": "Wasserstein", "conditional": True, "labels": each("real"), "n_critic": 5,
        "order": "generator_first", "fakes": "shared",
        "G.first_norm": False, "G.slope": 0.2, "G.label_code": "plus_minus", "G.norm": "batch", "D.norm": "none",
    },
    "dcgan": {
        "data": MNIST, "range": "unit", "latent": ("uniform", 100), "batch": 64, "steps": 30 * 2000,
        "lr": (2e-4, 1e-5), "betas": ((0.5, 0.999), (0.1, 0.999)),
        "G.affine": False, "G.batch_statistics_only": True, "D.slope": 0.01, "D.dropout": 0.5,
    },
    "textbook": {
        "data": MNIST, "latent": ("uniform", 100), "batch": 300, "eps": each(1e-7), "reuse_real": True,
        "G.slope": 0.3, "G.norm": "inert", "D.hidden": [128, 128, 128], "D.slope": 0.3, "D.dropout": 0.0,
    },
    "sagan": {
        "latent": ("normal", 128), "loss": "Hinge", "conditional": True, "labels": each("uniform"),
        "order": "generator_first", "spectral_norm": each("fixed_u"), "norm_last": each(True),
        "updates.window": 5, "updates.burst": 4, "updates.repeat_burst": True, "updates.epoch": 195,
    },
    "sngan": {
        "latent": ("normal", 128), "loss": "Hinge", "lr": each(2e-4), "n_critic": 5,
        "order": "generator_first", "fakes": "shared", "spectral_norm": (None, "fixed_u"), "norm_last": (None, False),
    },
    "g_loss": {  # it gives the data, the losses and 300 epochs; the rest is assumed
        "latent": ("normal", 128), "batch": 64, "lr": each(2e-4), "betas": each((0.5, 0.999)),
        "loss.probabilities": True,
    },
}  # fmt: skip
# What the cases have in place of it where the code differs from its article or is wrong.
CORRECTED = {
    "ac_wgan_gp": {"order": "discriminator_first", "fakes": "fresh"},
    "dcgan": {"range": "symmetric", "lr": each(2e-4), "betas": each((0.5, 0.999)), "G.batch_statistics_only": False},
    "textbook": {"reuse_real": False, "G.norm": "batch", "D.dropout": 0.5, "loss.epsilon": "per_sample"},
    "sagan": {"spectral_norm": each("persistent"), "updates.repeat_burst": False, "updates.epoch": None},
    "sngan": {"order": "discriminator_first", "fakes": "fresh", "spectral_norm": (None, "persistent")},
    "g_loss": {"loss.probabilities": False},
}
GP = "loss.penalties.gradient_penalty"
ONE, TWO, HALF = each(2e-4), (1e-4, 4e-4), (5e-5, 2e-4)  # SAGAN's learning rates
SAGAN_CIFAR10 = {"data": CIFAR10, "batch": 256, "steps": 100 * 195, "lr": TWO}
SAGAN_STL10 = {"data": STL10, "batch": 256, "steps": 400 * 50, "lr": TWO, "norm_last": (False, True)}
SAGAN_96 = {"batch": 128, "lr": HALF, "attention": each(24), "norm_last": each(False), "data.source.fit": "stretch"}
LR_SCALING = {"data": CIFAR10, "attention": each(8)}
LIMITED = {"limit": 0.5, "steps": 200 * 195}  # steps at most: the run ends after as many updates of D
CASES = {
    "ac_wgan_gp/cifar10": {"n_critic": 1, "loss.auxiliary.weight": 100.0, "D.head": "none", f"{GP}.weight": 10.0},
    "ac_wgan_gp/cifar10_corrected": {"loss.auxiliary.weight": 1.0, "D.head": "none", f"{GP}.weight": 10.0},
    "ac_wgan_gp/acgan": {"loss.auxiliary.on_fakes": True, "D.head": "classes", f"{GP}.weight": 10.0},
    "ac_wgan_gp/cramer": {
        "loss": "Cramer", "loss.logits": 256, "loss.penalties.cramer_penalty.weight": 10.0, "lr": each(1e-4),
        "betas": each((0.5, 0.9)), "D.head": "none",
    },
    "dcgan/mnist_non_saturating": {"loss": "NonSaturating"},
    "dcgan/mnist_saturating": {"loss": "Saturating"},
    "textbook/gan": {
        "steps": 500 * 200, "lr": (1e-4, 4e-5), "betas": each((0.9, 0.999)), "loss": "TwoClass",
        "order": "simultaneous", "fakes": "shared", "G.hidden": [256, 256],
    },
    "textbook/wgan_gp": {
        "steps": 300 * 200, "lr": each(1e-4), "loss": "Wasserstein", "n_critic": 5, "G.hidden": [128, 128, 128],
        f"{GP}.weight": 10.0, "loss.epsilon": "per_element",
    },
    "textbook/cgan": {
        "steps": 300 * 200, "lr": each(1e-4), "loss": "Wasserstein", "n_critic": 5, "G.hidden": [128, 128, 128],
        f"{GP}.weight": 10.0, "loss.epsilon": "per_element",
        "conditional": True, "labels": ("uniform", "real"), "G.embedding_dim": 64, "D.embedding_dim": 64,
    },
    "sagan/cifar10_0": SAGAN_CIFAR10 | {"lr": ONE},
    "sagan/cifar10_1": SAGAN_CIFAR10,
    "sagan/cifar10_2": SAGAN_CIFAR10 | {"attention": each(8)},
    "sagan/cifar10_3": SAGAN_CIFAR10 | LIMITED | {"lr": ONE},
    "sagan/cifar10_4": SAGAN_CIFAR10 | LIMITED,
    "sagan/cifar10_5": SAGAN_CIFAR10 | LIMITED | {"attention": each(8)},
    "sagan/cifar10_6": SAGAN_CIFAR10 | {"attention": each(8), "conditional": False, "labels": None},
    "sagan/cifar10_7": SAGAN_CIFAR10 | LIMITED | {"attention": each(8), "conditional": False, "labels": None},
    "sagan/lr_scaling_0": LR_SCALING | {"batch": 64, "steps": 100 * 781, "lr": (2.5e-5, 1e-4)},
    "sagan/lr_scaling_1": LR_SCALING | {"batch": 128, "steps": 100 * 390, "lr": HALF},
    "sagan/lr_scaling_2": LR_SCALING | {"batch": 64, "steps": 100 * 781, "lr": TWO},
    "sagan/lr_scaling_3": LR_SCALING | {"batch": 128, "steps": 100 * 390, "lr": TWO},
    "sagan/stl10_0": SAGAN_STL10 | {"lr": ONE},
    "sagan/stl10_1": SAGAN_STL10,
    "sagan/stl10_2": SAGAN_STL10 | {"attention": each(12)},
    "sagan/anime_face": SAGAN_96 | {"data": ("folder", 176, "train", 96), "steps": 250 * 113},
    "sagan/flowers102": SAGAN_96 | {"data": ("flowers102", 102, "all", 96), "steps": 400 * 63},
    "sngan/cifar10_cnn": {"data": CIFAR10, "batch": 64, "steps": pytest.approx(321 * 781 / 5, rel=0.005)},
    "g_loss/cifar10_saturating": {"data": CIFAR10, "steps": 300 * 781, "loss": "Saturating"},
    "g_loss/cifar10_non_saturating": {"data": CIFAR10, "steps": 300 * 781, "loss": "NonSaturating"},
    "g_loss/cifar10_hinge": {"data": CIFAR10, "steps": 300 * 781, "loss": "Hinge"},
    "g_loss/stl10_saturating": {"data": STL10, "steps": 300 * 203, "loss": "Saturating"},
    "g_loss/stl10_non_saturating": {"data": STL10, "steps": 300 * 203, "loss": "NonSaturating"},
    "g_loss/stl10_hinge": {"data": STL10, "steps": 300 * 203, "loss": "Hinge"},
}  # fmt: skip
# After other sources; see their files.
BASELINES = {
    "sngan/cifar10": {"n_critic": 5, "flip": True, "ema": 0.999, "loss": "Hinge", "lr": each(2e-4), "batch": 64},
    "sngan/cifar10_conditional": {"n_critic": 5, "betas": each((0.5, 0.999)), "conditional": True, "lr_decay": None},
    "sngan/stl10": {"n_critic": 5, "data": ("stl10", 0, "unlabeled", 48)},
    "sngan/flowers102": {"n_critic": 5, "conditional": True},
    "dcgan/cifar10": {"betas": each((0.5, 0.9)), "latent": ("normal", 100), "batch": 128, "loss": "NonSaturating"},
    "wgan_gp/cifar10": {"n_critic": 5, "loss": "Wasserstein", "spectral_norm": ("none", "none")},
}


def published_settings(name):
    return SHARED | ARTICLES[name.split("/")[0]] | CASES[name]


def corrected_settings(name):
    return BASELINES[name] if name in BASELINES else published_settings(name) | CORRECTED[name.split("/")[0]]


def settings(cfg, keys):
    """What `keys` of the tables are in a config."""
    cfg = OmegaConf.to_container(cfg)
    data, model, schedule = cfg["data"], cfg["model"], cfg["schedule"]
    updates, latent, optimizers = schedule["updates"], model["latent"], [cfg["optimizer"][n] for n in NETWORKS]
    scale = schedule["batch_size"] / (schedule["lr_reference_batch"] or schedule["batch_size"])
    source = data["source"]["_target_"].rsplit(".", 1)[-1]
    known = {
        "data": (source, data["num_classes"], data["split"], data["resolution"]),
        "range": data["range"], "flip": data["flip"],
        "latent": (latent["distribution"], latent["dim"]), "conditional": model["conditional"],
        "batch": schedule["batch_size"], "steps": schedule["steps"],
        "lr": tuple(node["lr"] * scale for node in optimizers),
        "betas": tuple(tuple(node["betas"]) for node in optimizers),
        "eps": tuple(node["eps"] for node in optimizers),
        "loss": cfg["loss"]["adversarial"]["_target_"].rsplit(".", 1)[-1],
        "n_critic": updates.get("n_critic", 1), "limit": updates.get("limit"),
        "order": updates["order"], "fakes": updates["fakes"], "reuse_real": updates["reuse_real"],
        "labels": tuple(updates["labels"][n] for n in NETWORKS) if model["conditional"] else None,
        "ema": schedule["ema"]["decay"], "lr_decay": schedule["lr_decay"],
    }  # fmt: skip
    for key in ("attention", "spectral_norm", "norm_last"):
        known[key] = tuple(model[n].get(key) for n in NETWORKS)
    places = cfg | {"G": model["generator"], "D": model["discriminator"], "updates": updates}
    for key in keys - known.keys():
        first, *rest = key.split(".")
        known[key] = places[first]
        for part in rest:
            known[key] = known[key][part]
    return {key: known[key] for key in keys}


@pytest.mark.parametrize("name", options("experiment"))
def test_counts_and_settings_of_every_case(name):
    expected = corrected_settings(name)
    assert settings(case(name), expected.keys()) == expected
    told = description(case(name))
    counts = tuple(told[network]["parameters"] for network in NETWORKS)
    assert counts == PUBLISHED_COUNTS[name] if name in PUBLISHED_COUNTS else min(counts) > 10**6
    if name in CASES:
        steps, rates = told["steps"], told["learning_rates"]
        assert (steps, told["discriminator_steps"]) == (expected["steps"], steps * expected["n_critic"])
        assert tuple(rates[network] for network in NETWORKS) == pytest.approx(expected["lr"])


def narrow(name):
    """Words that make the case small: few maps, few images of the right shape in place of its own set."""
    cfg = case(name)
    words = [
        f"experiment={name}",
        "data=fake",
        "data.split=train",
        "data.source.size=24",
        "schedule.batch_size=4",
        "metrics=none",
    ]
    words += [f"data.{key}={cfg.data[key]}" for key in ("resolution", "channels", "num_classes")]
    for network in ("generator", "discriminator"):
        node = cfg.model[network]
        if "widths" in node:
            widths = ",".join(str(max(8, width // 32)) for width in node.widths)
            words.append(f"model.{network}.widths=[{widths}]")
        elif "width" in node:
            words.append(f"model.{network}.width=4")
    if cfg.model.classifier:
        words += ["model.classifier.width=4", "model.classifier.max_width=8"]
    return words


AS_IT_IS = ("dcgan/cifar10", "g_loss/cifar10_hinge", "g_loss/stl10_hinge")  # their article's errors do not touch them


@pytest.mark.parametrize("overlay", [False, True])
@pytest.mark.parametrize("name", options("experiment"))
def test_every_published_case_takes_three_steps(name, overlay):
    article = name.split("/")[0]
    if overlay and (article not in options("as_published") or name in AS_IT_IS):
        pytest.skip("it has no published form of its own")
    bench = Bench(*narrow(name), *([f"as_published={article}"] if overlay else []), base=(), model=())
    before = bench.weights()
    bench.step(3)
    after = bench.weights()
    assert all(p.isfinite().all() for p in after)
    assert sum(not torch.equal(a, b) for a, b in zip(before, after, strict=True)) > len(before) // 2
    assert bench.events.count("G") == 3


def test_description_counts_and_names():
    told = description(config("experiment=textbook/wgan_gp"))
    assert told["generator"]["name"] == "mlp.Generator"
    assert told["discriminator"]["name"] == "mlp.Discriminator"
    assert told["loss"]["discriminator_terms"] == ["real", "fake", "gradient_penalty"]


# What each overlay changes in one of its cases: setting, corrected, as published.
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
}  # fmt: skip


def flat(node, at=""):
    if not isinstance(node, dict):
        return {at: node}
    return {k: v for key, value in node.items() for k, v in flat(value, f"{at}.{key}" if at else key).items()}


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_changes_what_it_says_and_nothing_else(name):
    corrected, published = (flat(OmegaConf.to_container(case(name, published))) for published in (False, True))
    changed = {key: (corrected[key], published[key]) for key in corrected if corrected[key] != published[key]}
    assert changed == OVERLAYS[name]
    assert corrected.keys() == published.keys()


def test_every_overlay_is_tested():
    assert {name.split("/")[0] for name in OVERLAYS} | {"none"} == set(options("as_published"))
    assert case("sagan/cifar10_2") == config("experiment=sagan/cifar10_2", "as_published=none")


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_makes_the_case_as_published(name):
    expected = published_settings(name)
    assert settings(case(name, published=True), expected.keys()) == expected


def test_all_targets_are_trusted():
    from ganexp.config import trust

    for file in Path(CONF).rglob("*.yaml"):
        for key, value in trust._leaves(OmegaConf.to_container(OmegaConf.load(file))):
            if key.endswith("_target_") and "hydra" not in str(file.parent):
                assert trust.trusted(value), f"{file}: {value}"


def test_tiny_is_a_valid_run():
    build_gan(config(*TINY))


def test_the_cases_of_the_guide_compose(tmp_path):
    guide = (CONF.parent / "docs" / "extending.md").read_text()
    names = []
    for block in re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL):
        if named := re.search(r"my_conf/(experiment/(\w+)\.yaml)", block):
            (tmp_path / "experiment").mkdir(exist_ok=True)
            (tmp_path / named[1]).write_text(block)
            names.append(named[2])
    assert len(names) == 2
    for name in names:
        told = ganexp("describe", "--config-dir", str(tmp_path), f"experiment={name}", cwd=tmp_path)
        assert json.loads(told.stdout)["experiment"] == name
