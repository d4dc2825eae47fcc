"""Each kind of wrong value is refused before anything is built; the error names the key and the allowed values."""

from functools import cache

import pytest
from helpers.config import TINY, raw_config
from omegaconf import OmegaConf
from omegaconf.errors import ValidationError

from ganexp.config import schema
from ganexp.config.annotations import is_node
from ganexp.config.instantiate import check
from ganexp.config.optimizers import make_optimizer_factory
from ganexp.errors import UserError

BASES = {
    "mlp": (),
    "scored": ("metrics=classifier", "metrics/score=[is,fid,kid,neighbours,swd]"),
    "sngan": ("loss=hinge", "model=sngan", "data=fake"),
    "dcgan": ("loss=non_saturating", "model=dcgan", "data=fake", "loss/modifier=[flipped_labels,replay]"),
    "limit": ("loss=hinge", "schedule/updates=loss_limit", "schedule/lr_decay=linear"),
    "penalties": ("loss=non_saturating", "loss/penalty=[r1,dragan]", "optimizer=rmsprop"),
    "noise": ("augment=instance_noise", "loss=began", "model=autoencoder", "data=fake"),
}
HUGE = 10**30
WHOLE_ROWS = [
    ("mlp", key, value)
    for key, values in {
        "seed": [-1, HUGE],
        "schedule.steps": [0, -1, HUGE],
        "schedule.evaluate_every": [0, -5],
        "schedule.batch_size": [0, -1],
        "schedule.epochs": [0],
        "schedule.max_d_steps": [0],
        "schedule.keep_at": [[0], ["a"], 3],
        "schedule.clip_gradients.generator": [0, -1.0, "much", float("nan")],
        "schedule.ema.decay": [0, 1, 1.5, float("nan")],
        "schedule.ema.start": [-1],
        "schedule.evaluate_by": ["epochs", "Steps", 3],
        "schedule.updates": [None, 3, "fixed_ratio", []],
        "schedule.lr_decay": [3, "linear"],
        "schedule.growth": [True],
        "schedule.updates.n_critic": [0, -1, float("nan"), float("inf"), "many", [1], HUGE, 10_001],
        "loss.adversarial": [None, 3, "hinge", [], {"a": 1}],
        "loss.n_critic": [0, -1],
        "loss.logits": [0, 10**12],
        "loss.epsilon": ["per_batch"],
        "loss.penalties.gradient_penalty.weight": [-1, float("nan"), float("inf"), "much", None],
        "loss.penalties.gradient_penalty": [3, {"weight": 1}],
        "model.generator": [None, 3, "mlp"],
        "model.discriminator": [None, []],
        "model.latent": [None, 3],
        "model.latent.dim": [0, -1, 0.5, HUGE, 10**12, "many"],
        "model.generator.slope": ["abc", float("nan"), [1]],
        "model.generator.hidden": [-1, [], [0], [-1], ["a"], [0.5], 8],
        "model.discriminator.dropout": [-0.1, 1.0, float("nan"), "half"],
        "optimizer.generator.lr": [-1, "abc", None, float("nan"), float("inf"), [1], True],
        "optimizer.generator.betas": [0.5, [0.1, 0.2, 0.3], [], ["a", "b"], [0.5, 1.5], {"a": 1}],
        "optimizer.generator": [3, {"lr": 1}],
        "data.source": [None, 3],
        "data.resolution": [0, -1],
        "data.channels": [0],
        "data.num_classes": [-1],
        "data.workers": [-1],
        "data.range": ["wide"],
        "data.in_memory": ["perhaps", 3],
        "data.on_error": ["ignore"],
        "data.changed": ["yes"],
        "metrics.samples": [0, -1, 10**9],
        "metrics.splits": [0],
        "metrics.batch_size": [0],
        "metrics.fid_at": [[0], [1], ["a"]],
        "metrics.labels": ["even"],
        "metrics.grid_rows": [0, -1, 10**8],
        "metrics.extractor": [-1, "inception", []],
        "trainer.accelerator": ["tpu"],
        "trainer.devices": [-1, 0],
        "trainer.log_every": [0],
        "trainer.precision": [16, "64-true"],
        "callbacks.progress": [3, {}],
        "logger.tensorboard": [3],
    }.items()
    for value in values
]
ROWS = [
    *WHOLE_ROWS,
    ("scored", "metrics.extractor.batch_size", 0),
    ("scored", "metrics.extractor.updates", 0),
    ("scored", "metrics.extractor.lr", -1),
    ("scored", "metrics.scores.is.splits", 0),
    ("scored", "metrics.scores.fid.sample_counts", [0]),
    ("sngan", "model.generator.widths", []),
    ("sngan", "model.generator.widths", [8, 0, 8, 8]),
    ("sngan", "model.discriminator.widths", "wide"),
    ("dcgan", "model.generator.width", 0),
    ("dcgan", "model.generator.width", float("inf")),
    ("dcgan", "loss.modifiers.flipped_labels.probability", 1.5),
    ("dcgan", "loss.modifiers.replay.size", -1),
    ("limit", "schedule.updates.limit", "low"),
    ("limit", "schedule.updates.burst", 10_001),
    ("dcgan", "model.latent.dim", 10**12),
    ("limit", "schedule.lr_decay.start", -1),
    ("penalties", "loss.penalties.r1.gamma", -1),
    ("penalties", "loss.penalties.r1.gamma", 1e300),
    ("penalties", "loss.penalties.dragan.weight", float("nan")),
    ("penalties", "optimizer.generator.alpha", 1.5),
    ("penalties", "optimizer.generator.momentum", -1),
    ("noise", "augment.instance_noise.std", -1),
    ("noise", "loss.adversarial.gamma", -1),
]


@cache
def composed(base):
    return raw_config(*TINY, *BASES[base])


def check_nodes(value, key):
    """Check every node of a config against the signature of the node's target, as ganexp does before building."""
    if is_node(value) and key.startswith("optimizer."):
        make_optimizer_factory(value, key.removeprefix("optimizer."))
    elif is_node(value):
        check(value | {"_partial_": True}, key)  # ganexp itself passes any missing arguments
    elif isinstance(value, dict):
        for name, item in value.items():
            check_nodes(item, f"{key}.{name}" if key else name)


def check_with(base, key, value):
    """Compose a config, change one value, and check the config as the commands do."""
    cfg = composed(base).copy()
    OmegaConf.update(cfg, key, value, merge=False, force_add=True)
    check_nodes(OmegaConf.to_container(schema.resolve(cfg)), "")


@pytest.mark.parametrize(("base", "key", "value"), ROWS)
def test_wrong_value_is_refused_by_its_key(base, key, value):
    with pytest.raises((UserError, ValidationError)) as refusal:
        check_with(base, key, value)
    message = str(refusal.value)
    # The message must have the last part of the key: for model.latent.dim, it may name model.generator.latent_dim.
    assert key.rpartition(".")[2] in message
    assert isinstance(refusal.value, ValidationError) or "must be" in message or "_target_" in message
    assert len(message.splitlines()) <= 10
