"""If an interpolation cannot be resolved, the error names the key that has the mistake."""

import pytest
from helpers.cli import ganexp
from helpers.config import TINY, raw_config

from ganexp.config import schema
from ganexp.config.interpolations import with_sources
from ganexp.errors import UserError


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ('loss.discriminator_norm=${oc.decode:"["}', "loss.discriminator_norm"),  # the discriminator refers to this key
        ("loss.discriminator_norm=${nope}", "loss.discriminator_norm"),
        ("seed=${oc.env:NOPE_NOT_SET}", "seed"),
        ("model.latent.dim=${data.nope}", "model.latent.dim"),
    ],
)
def test_error_names_the_key_of_the_mistake(override, key):
    cfg = raw_config(*TINY, "model=dcgan", "data.resolution=16", override)
    with pytest.raises(UserError, match=rf"^{key}: "):
        schema.resolve(cfg)


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["loss.discriminator_norm=1e300"], "model.discriminator.norm takes its value from loss.discriminator_norm."),
        (["model.latent.dim=0"], "model.latent.dim=0: must be a whole number from 1 to 100000"),
    ],
)
def test_error_names_the_setting_that_gave_the_value(overrides, line, tmp_path):
    done = ganexp("describe", "model=dcgan", "data.resolution=16", *overrides, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert line in done.stderr


def test_sources_are_followed_and_named_once():
    cfg = raw_config(*TINY, "model=dcgan", "data.resolution=16", "loss.discriminator_norm=${loss.epsilon}")
    message = with_sources("model.discriminator.norm=a: wrong\nmodel.discriminator.norm: wrong, too", cfg)
    assert message.splitlines()[2:] == [
        "model.discriminator.norm takes its value from loss.discriminator_norm, which takes it from loss.epsilon."
    ]
    assert with_sources("seed=a: wrong", cfg) == "seed=a: wrong"


def test_references_in_a_circle_are_survived():
    cfg = raw_config(*TINY, "name=${sweep.name}", "++sweep.name=${name}")
    assert with_sources("name: wrong", cfg).startswith("name: wrong")
