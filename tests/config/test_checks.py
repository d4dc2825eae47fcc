"""Settings that do not work together are refused, and the error names the fix."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from helpers.bench import BASE, MLP
from helpers.config import config
from omegaconf import OmegaConf
from torch import nn

from ganexp.build import build_gan
from ganexp.commands.prepare import check_only, prepare
from ganexp.config import checks
from ganexp.config.device_checks import check_shares
from ganexp.config.instantiate import UnknownArgument
from ganexp.errors import UserError
from ganexp.models.layers import OffsetBatchNorm

SMALL = ("model=dcgan", "model.generator.width=4", "model.discriminator.width=4", "data=fake")
REAL_LABELS = "schedule.updates.labels.generator=real"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["schedule.batch_size=0"], "^schedule.batch_size=0: must be a whole number, at least 1$"),
        (["schedule.evaluate_every=0"], "^schedule.evaluate_every=0: must be a whole number, at least 1, or null$"),
        (["trainer.log_every=0"], "^trainer.log_every=0: must be a whole number, at least 1$"),
        (["metrics.batch_size=0"], "^metrics.batch_size=0: must be a whole number, at least 1$"),
        (["data.num_classes=0", "model.conditional=true"], "model.conditional=true needs a labelled dataset"),
        (["data.num_classes=0"], "metrics=classifier needs a labelled dataset"),
        (["loss=two_class", "model.discriminator.logits=1"], "this loss needs 2 logits for each image"),
        (["loss=two_class", "loss/penalty=r1"], "loss.penalties.r1: needs one logit"),
        (
            ["model=dcgan", "model.discriminator.norm=batch"],
            r"loss.penalties.gradient_penalty: .* model.discriminator.norm=layer",
        ),
        (
            ["model.conditional=true", "schedule.updates.labels.discriminator=uniform"],
            "loss.penalties.gradient_penalty needs the same labels .* set schedule.updates.labels.discriminator=real",
        ),
        (["model.conditional=true", "schedule.updates.fakes=shared"], "schedule.updates.labels.generator=real"),
        (
            ["model.conditional=true", "loss=relativistic"],
            "^loss.adversarial: .* need the same class: set schedule.updates.labels.generator=real$",
        ),
        (
            ["model.conditional=true", "loss=relativistic", "loss/modifier=replay", REAL_LABELS],
            "^loss.modifiers.replay gives .* real image of the same class: leave out this modifier, or .*=false$",
        ),
        (
            ["model.conditional=true", "loss=cramer", "loss/modifier=replay"],
            "^loss.modifiers.replay gives .*, but loss.penalties.cramer_penalty mixes .* class: leave out this",
        ),
        (
            ["metrics.samples=5"],
            "^metrics.samples=5: metrics.scores.is needs 20 generated images or more, 2 in each of the "
            "splits .splits=10.: score more images, or remove is from metrics/score$",
        ),
        (["metrics.references=[]"], r"metrics.references=\[\]: give at least one split"),
        (["schedule.ema.decay=1.5"], "^schedule.ema.decay=1.5: must be a number above 0 and below 1, or null$"),
        (["data.in_memory=maybe"], "^data.in_memory=maybe: must be true or false, or auto$"),
        (["model=dcgan", "data.resolution=50"], "model.generator: .*resolution"),
        (["model.generator.norm=group"], "^model.generator.norm=group: must be one of"),
        (["+model.generator.depth=3"], r"^model.generator.depth: ganexp.models.mlp.Generator has no argument depth"),
        (["optimizer.generator.lr=-1"], "^optimizer.generator.lr=-1: must be a number, at least 0$"),
        (["loss.penalties.gradient_penalty.epsilon=per_pixel"], "epsilon=per_pixel: must be one of per_sample, per_el"),
        (["schedule.updates.order=first"], "^schedule.updates.order=first: must be one of discriminator_first"),
        (["schedule.updates.n_critic=0"], "^schedule.updates.n_critic=0: must be a whole number from 1 to 10000$"),
        (["data=folder"], "Missing value: data.path=…"),
        (["data=folder", "data.path=/nowhere"], "data.path=/nowhere: no such directory or zip"),
        (
            ["trainer.deterministic=true", "trainer.benchmark=true"],
            "^trainer.benchmark=true .*: leave it out if you use trainer.deterministic$",
        ),
        (["trainer.max_time=12h"], "^trainer.max_time=12h: must be DD:HH:MM:SS"),
        (
            ["+schedule.clip_gradients.discriminater=1.0"],
            "^schedule.clip_gradients.discriminater: there is no such .*; did you mean .*gradients.discriminator",
        ),
        (["seed=-1"], "^seed=-1: must be a whole number from 0 to 4294967295$"),
        (["schedule/updates=loss_limit"], "needs 5 discriminator updates .*=fixed_ratio"),
        (["loss=cramer", "loss.epsilon=per_pixel"], "^loss.epsilon=per_pixel: must be one of per_sample, per_element$"),
        (["data.range=byte"], "^data.range=byte: must be one of symmetric, unit$"),
        (["schedule.max_d_steps=0"], "^schedule.max_d_steps=0: must be a whole number, at least 1, or null$"),
        (
            ["schedule.lr_reference_batch=0"],
            "^schedule.lr_reference_batch=0: must be a whole number, at least 1, or nu",
        ),
        (["loss=hinge", "loss.probabilities=true"], "loss.probabilities=true changes a cross-entropy"),
        (["sweep.prune=true", "metrics=none"], "sweep.prune=true needs scores"),
        (["~optimizer.discriminator"], "^optimizer.discriminator is missing"),
        (
            ["+optimizer.generater={_target_: torch.optim.SGD, lr: 0.1}"],
            "optimizer.generater: there is no such network, only .*; did you mean optimizer.generator",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_settings_are_refused_with_the_fix(overrides, message):
    with pytest.raises(UserError, match=message):
        build_gan(config(*overrides))


@pytest.mark.parametrize("penalty", ["r1", "r2", "dragan", "drift"])
def test_penalty_on_one_kind_of_images_allows_other_labels(penalty):
    labels = "schedule.updates.labels.discriminator=uniform"
    gan = build_gan(config("loss=hinge", f"loss/penalty={penalty}", "model.conditional=true", labels))
    assert list(gan.objective.penalties) == [penalty]


@pytest.mark.parametrize(
    "overrides",
    [["loss/modifier=replay"], ["model.conditional=true", "loss/modifier=flipped_labels", REAL_LABELS]],
)
def test_loss_of_pairs_allows_what_keeps_their_classes(overrides):
    build_gan(config(*BASE, *MLP, "loss=relativistic", *overrides))


@pytest.mark.parametrize("model", ["dcgan", "dcgan_mnist"])
def test_projection_needs_one_logit(model):
    with pytest.raises(UserError, match="one logit"):
        build_gan(config("loss=two_class", "model.conditional=true", f"model={model}", "data.resolution=8"))


def test_steps_need_not_be_whole_periods():
    build_gan(config(*BASE, *MLP, "schedule.steps=1000", "schedule.evaluate_every=300"))


@pytest.mark.parametrize("overrides", [["metrics/score=[fid]"], ["metrics.scores.is.splits=2"], ["metrics=none"]])
def test_few_samples_are_enough_without_many_splits(overrides):
    build_gan(config("metrics.samples=16", *overrides))


def test_all_complaints_are_listed():
    with pytest.raises(UserError) as error:
        build_gan(config("loss=two_class", "loss/penalty=r1", "metrics.samples=5"))
    assert len(str(error.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["loss/auxiliary=classifier", "~model.auxiliary.classifier"],
            "trains a network that is missing: add model.au",
        ),
        (["loss/auxiliary=classifier", "~loss.auxiliary.classifier"], "model.auxiliary.classifier is not trained by"),
        (["loss/auxiliary=classifier", "~optimizer.classifier"], "optimizer.classifier is missing"),
        (["loss/auxiliary=classifier", "model.conditional=false"], "set model.conditional=true"),
        (["loss/auxiliary=classifier", "model.discriminator.head=classes"], "both give class logits"),
        (["loss/auxiliary=class_head", "model.discriminator.head=projection"], "set model.discriminator.head=classes"),
        (["loss/auxiliary=class_head", "~loss.auxiliary.class_head"], "no term of loss.auxiliary uses"),
        (["model.conditional=true", "model.discriminator.head=classes"], "no term of loss.auxiliary uses"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_auxiliary_terms_and_networks_must_match(overrides, message):
    with pytest.raises(UserError, match=message):
        build_gan(config(*SMALL, "loss=hinge", "metrics=none", *overrides))


def test_auxiliary_term_may_do_without_labels():
    gan = SimpleNamespace(objective=SimpleNamespace(auxiliary={"denoiser": SimpleNamespace(needs_labels=False)}))
    cfg = OmegaConf.create({"model": {"conditional": False}})
    assert list(checks.auxiliary_terms_have_labels(cfg, gan)) == []
    gan.objective.auxiliary["denoiser"].needs_labels = True
    assert len(list(checks.auxiliary_terms_have_labels(cfg, gan))) == 1


@pytest.mark.parametrize(
    ("layer", "refused"),
    [
        (nn.BatchNorm2d(3), True),
        (nn.SyncBatchNorm(3), True),
        (nn.InstanceNorm2d(3), False),
        (nn.GroupNorm(1, 3), False),
    ],
)
def test_penalties_refuse_batch_norm_only(layer, refused):
    objective = SimpleNamespace(penalties={"r1": object()}, auxiliary={})
    gan = SimpleNamespace(objective=objective, discriminator=nn.Sequential(nn.Conv2d(3, 3, 1), layer))
    assert bool(list(checks.penalties_need_independent_samples(OmegaConf.create(), gan))) == refused


def test_values_changed_after_composition_are_checked():
    cfg = config(*BASE, *MLP)
    gan = build_gan(cfg)
    cfg.schedule.steps = 0
    with pytest.raises(UserError, match=r"^schedule.steps=0: must be a whole number, at least 1, or null$"):
        checks.check(cfg, gan)


@pytest.mark.parametrize(
    ("key", "argument", "groups", "expected"),
    [
        ("model.discriminator", "head", {"loss/auxiliary": "class_head"}, "use model=dcgan"),
        ("model.discriminator", "head", {"loss/auxiliary": None}, ""),
        ("model.generator", "depth", {"loss/auxiliary": "class_head"}, ""),
        ("model.generator", "norm", {"as_published": "textbook"}, "as_published=textbook is meant for"),
        ("model.generator", "norm", {"as_published": "none"}, ""),
        ("model.generator", "depth", {"as_published": "textbook"}, ""),
        ("schedule.updates", "reuse_real", {"as_published": "textbook"}, "as_published=textbook is meant for"),
    ],
)
def test_unknown_argument_gets_a_suggestion(key, argument, groups, expected):
    error = UnknownArgument("message", key, argument, "some.Network")
    suggestion = checks.suggestion_for_unknown_argument(error, groups)
    assert expected in suggestion
    assert bool(expected) == bool(suggestion)


def test_class_head_on_another_model_is_an_unknown_argument():
    with pytest.raises(UnknownArgument) as error:
        build_gan(config("data=cifar10", "model=sngan", "loss=hinge", "loss/auxiliary=class_head"))
    assert (error.value.key, error.value.argument) == ("model.discriminator", "head")


SYNCHRONISED = ("trainer=ddp", "trainer.sync_batchnorm=true")


def test_only_torchs_own_batch_norm_is_synchronised():
    build_gan(config(*SMALL, *SYNCHRONISED))
    gan = build_gan(config(*SMALL))
    gan.generator.norm = OffsetBatchNorm(4)
    with pytest.raises(UserError, match=r"model.generator has a batch norm that is not torch's .*\(norm\): leave"):
        checks.check(config(*SMALL, *SYNCHRONISED), gan)
    checks.check(config(*SMALL), gan)


BATCH_STATISTICS = ("data=fake", "data.resolution=28", "data.channels=1", "model=dcgan_mnist")
BATCH_STATISTICS += ("model.generator.batch_statistics_only=true", "metrics=classifier", "trainer=ddp")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model=mlp", "trainer.devices=64"], "metrics.samples=60: each of the 64 devices needs a sample: score more"),
        (["metrics.batch_size=60"], "^metrics.batch_size=60: .* samples are 1 batch, .* smaller metrics.batch_size"),
        (["metrics.batch_size=30"], None),
        (["model=mlp", "metrics.batch_size=60"], None),
    ],
)
def test_each_device_needs_samples(overrides, message):
    words = BATCH_STATISTICS if "model=mlp" not in overrides else ("data=fake", "metrics=classifier", "trainer=ddp")
    cfg = config(*words, *overrides, "metrics.samples=60")
    refused = pytest.raises(UserError, match=message) if message else nullcontext()
    with refused:
        check_shares(cfg, build_gan(cfg))


@pytest.mark.parametrize("function", [prepare, check_only])
def test_samples_of_devices_are_checked_by_a_run_and_by_a_dry_run(function):
    words = ("data=fake", "model=mlp", "metrics=classifier", "metrics.samples=60", "trainer.accelerator=cpu")
    with pytest.raises(UserError, match="each of the 64 devices needs a sample"):
        function(config(*words, "trainer=ddp", "trainer.devices=64"))
