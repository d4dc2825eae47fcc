"""Every YAML composes and builds; every pair of loss and model takes steps; what makes no sense is refused."""

from pathlib import Path

import pytest
import torch
from conftest import TINY, config
from omegaconf import OmegaConf
from test_gan import MLP, Bench

from ganexp.build import build_gan
from ganexp.cli import CONF
from ganexp.describe import description
from ganexp.errors import UserError

GROUPS = ("data", "model", "loss", "schedule", "optimizer", "metrics", "trainer", "experiment", "published")
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
    if group == "published":
        words.insert(0, f"experiment={option}/{options(f'experiment/{option}')[-1]}")
    if option == "folder":
        from test_sets import photo

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
# Steps, discriminator updates, batch, learning rates of generator and discriminator.
PUBLISHED_SETTINGS = {
    "ac_wgan_gp/cifar10": (100_000, 100_000, 64, 2e-4, 2e-4),
    "dcgan/mnist_non_saturating": (60_000, 60_000, 64, 2e-4, 2e-4),
    "textbook/gan": (100_000, 100_000, 300, 1e-4, 4e-5),
    "textbook/wgan_gp": (60_000, 300_000, 300, 1e-4, 1e-4),
    "textbook/cgan": (60_000, 300_000, 300, 1e-4, 1e-4),
    "sagan/cifar10_0": (19_500, 19_500, 256, 2e-4, 2e-4),
    "sagan/cifar10_1": (19_500, 19_500, 256, 1e-4, 4e-4),
    "sagan/cifar10_2": (19_500, 19_500, 256, 1e-4, 4e-4),
    "sagan/cifar10_3": (39_000, 39_000, 256, 2e-4, 2e-4),
    "sagan/cifar10_4": (39_000, 39_000, 256, 1e-4, 4e-4),
    "sagan/cifar10_5": (39_000, 39_000, 256, 1e-4, 4e-4),
    "sagan/cifar10_6": (19_500, 19_500, 256, 1e-4, 4e-4),
    "sagan/cifar10_7": (39_000, 39_000, 256, 1e-4, 4e-4),
    "sagan/lr_scaling_0": (78_100, 78_100, 64, 2.5e-5, 1e-4),
    "sagan/lr_scaling_1": (39_000, 39_000, 128, 5e-5, 2e-4),
    "sagan/lr_scaling_2": (78_100, 78_100, 64, 1e-4, 4e-4),
    "sagan/lr_scaling_3": (39_000, 39_000, 128, 1e-4, 4e-4),
    "sagan/stl10_0": (20_000, 20_000, 256, 2e-4, 2e-4),
    "sagan/stl10_1": (20_000, 20_000, 256, 1e-4, 4e-4),
    "sagan/stl10_2": (20_000, 20_000, 256, 1e-4, 4e-4),
    "sagan/anime_face": (28_250, 28_250, 128, 5e-5, 2e-4),
    "sagan/flowers102": (25_200, 25_200, 128, 5e-5, 2e-4),
    "sngan/cifar10_cnn": (50_000, 250_000, 64, 2e-4, 2e-4),
}
UNCOUNTED = {
    "dcgan/cifar10",
    "sngan/flowers102",
    *(name for name in options("experiment") if name.startswith("g_loss/")),
}


@pytest.mark.parametrize("name", sorted(UNCOUNTED))
def test_cases_without_a_published_count_build(name):
    told = description(config(f"experiment={name}"))
    assert told["generator"]["parameters"] > 10**6


def test_every_published_case_is_counted():
    assert set(options("experiment")) == set(PUBLISHED_COUNTS) | UNCOUNTED


@pytest.mark.parametrize("name", PUBLISHED_COUNTS)
def test_counts_and_settings_of_the_published_cases(name):
    told = description(config(f"experiment={name}"))
    assert (told["generator"]["parameters"], told["discriminator"]["parameters"]) == PUBLISHED_COUNTS[name]
    if name in PUBLISHED_SETTINGS:
        steps, d_steps, batch, *rates = PUBLISHED_SETTINGS[name]
        assert (told["steps"], told["discriminator_steps"], told["batch_size"]) == (steps, d_steps, batch)
        assert [told["learning_rates"][network] for network in ("generator", "discriminator")] == pytest.approx(rates)


def narrow(name):
    """Words that make the case small: few maps, few images of the right shape in place of its own set."""
    cfg = config(f"experiment={name}")
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


@pytest.mark.parametrize("overlay", [False, True])
@pytest.mark.parametrize("name", options("experiment"))
def test_every_published_case_takes_three_steps(name, overlay):
    article = name.split("/")[0]
    if overlay and (article not in options("published") or name == "dcgan/cifar10"):
        pytest.skip("a baseline: it has no published form")
    bench = Bench(*narrow(name), *([f"published={article}"] if overlay else []), base=(), model=())
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


# What each overlay changes in one of its cases: setting, mended, as published.
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
        "schedule.updates.rearm": ("after_generator", "as_published"),
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
    mended, published = (
        flat(OmegaConf.to_container(config(f"experiment={name}", *words)))
        for words in ((), (f"published={name.split('/')[0]}",))
    )
    changed = {key: (mended[key], published[key]) for key in mended if mended[key] != published[key]}
    assert changed == OVERLAYS[name]
    assert mended.keys() == published.keys()


def test_every_overlay_is_tested():
    assert {name.split("/")[0] for name in OVERLAYS} == set(options("published"))


# Settings of the fact sheet that no count shows, by case: Adam, order and labels of updates, latents, losses.
PUBLISHED_DETAILS = {
    "ac_wgan_gp/cifar10": {
        "loss.auxiliary.weight": 100.0, "schedule.updates.n_critic": 1, "model.latent.distribution": "uniform",
        "schedule.updates.labels": {"discriminator": "real", "generator": "real"},
        "loss.penalties.gradient_penalty.weight": 10.0, "optimizer.generator.betas": [0.0, 0.9],
    },
    "ac_wgan_gp/cifar10_corrected": {"loss.auxiliary.weight": 1.0, "schedule.updates.n_critic": 5},
    "ac_wgan_gp/acgan": {"model.discriminator.head": "classes", "schedule.updates.n_critic": 5},
    "ac_wgan_gp/cramer": {
        "loss.logits": 256, "optimizer.generator.betas": [0.5, 0.9], "optimizer.discriminator.betas": [0.5, 0.9],
        "schedule.updates.n_critic": 5,
    },
    "textbook/gan": {
        "loss.logits": 2, "schedule.updates.order": "simultaneous", "schedule.updates.fakes": "shared",
        "optimizer.generator.betas": [0.9, 0.999], "optimizer.discriminator.eps": 1e-7,
        "model.latent": {"_target_": "ganexp.models.layers.Latent", "dim": 100, "distribution": "uniform"},
        "model.generator.slope": 0.3,
    },
    "textbook/cgan": {
        "schedule.updates.n_critic": 5, "optimizer.discriminator.betas": [0.0, 0.9], "model.conditional": True,
        "schedule.updates.labels": {"discriminator": "real", "generator": "uniform"},
        "model.generator.embedding_dim": 64,
    },
    "dcgan/mnist_non_saturating": {
        "model.latent.distribution": "uniform", "model.discriminator.dropout": 0.5, "model.discriminator.slope": 0.01,
        "optimizer.generator.betas": [0.5, 0.999],
    },
    "sagan/cifar10_4": {
        "schedule.updates.limit": 0.5, "schedule.updates.order": "generator_first", "model.conditional": True,
        "schedule.updates.labels": {"discriminator": "uniform", "generator": "uniform"}, "schedule.ema.decay": None,
        "optimizer.generator.betas": [0.0, 0.9], "model.latent.distribution": "normal", "model.latent.dim": 128,
        "model.generator.attention": None,
    },
    "sagan/stl10_2": {"data.split": "train+test", "schedule.updates.limit": None, "model.generator.attention": 12},
    "sngan/cifar10_cnn": {
        "schedule.updates.n_critic": 5, "optimizer.generator.betas": [0.0, 0.9], "model.discriminator.norm_last": False,
    },
    "sngan/cifar10": {
        "schedule.updates.n_critic": 5, "data.flip": True, "schedule.ema.decay": 0.999,
        "optimizer.generator.betas": [0.0, 0.9],
    },
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED_DETAILS)
def test_details_of_the_published_cases(name):
    cfg = OmegaConf.to_container(config(f"experiment={name}"))
    for key, expected in PUBLISHED_DETAILS[name].items():
        value = cfg
        for part in key.split("."):
            value = value[part]
        assert value == expected, key


def test_all_targets_are_trusted():
    from ganexp import trust

    for file in Path(CONF).rglob("*.yaml"):
        for key, value in trust._leaves(OmegaConf.to_container(OmegaConf.load(file))):
            if key.endswith("_target_") and "hydra" not in str(file.parent):
                assert trust.trusted(value), f"{file}: {value}"


def test_tiny_is_a_valid_run():
    build_gan(config(*TINY))
