"""Compose configs in the test process. A config that was composed before is copied."""

import pickle
from functools import cache

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from ganexp.cli import CONF
from ganexp.config import schema
from ganexp.config.composition import VERSION_BASE
from ganexp.config.units import choose_units
from ganexp.training.length import in_steps, known_images

TINY = (
    "schedule.steps=4",
    "schedule.evaluate_every=2",
    "schedule.batch_size=8",
    "trainer.log_every=1",
    "metrics=none",
    "callbacks=progress",  # no pictures: they would take most of the time of such a short run
)


def raw_config(*overrides, config="train", with_hydra=False):
    """Return the composed, unresolved config, with the section `hydra` if `with_hydra` is true."""
    return pickle.loads(_pickled(overrides, config, with_hydra))


def config(*overrides):
    """Return the composed and resolved config of a training run, with epochs converted to steps."""
    raw = raw_config(*overrides)
    choose_units(raw, overrides)
    cfg = schema.resolve(raw)
    return in_steps(cfg, known_images(cfg))


@cache
def _pickled(overrides, config, with_hydra):
    return pickle.dumps(composed(overrides, config, with_hydra))


def composed(overrides, config="train", with_hydra=False):
    """Compose the config again, even if it was composed before, and return it unresolved."""
    schema.register()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), **VERSION_BASE):
        return compose(config, list(overrides), return_hydra_config=with_hydra)
