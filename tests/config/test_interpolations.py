"""Interpolations that cannot be resolved: the error names the key at which the mistake stands."""

import pytest
from helpers.config import TINY, raw_config

from ganexp.config import schema
from ganexp.errors import UserError


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ('loss.discriminator_norm=${oc.decode:"["}', "loss.discriminator_norm"),  # which the discriminator refers to
        ("loss.discriminator_norm=${nope}", "loss.discriminator_norm"),
        ("seed=${oc.env:NOPE_NOT_SET}", "seed"),
        ("model.latent.dim=${data.nope}", "model.latent.dim"),
    ],
)
def test_error_names_the_key_of_the_mistake(override, key):
    cfg = raw_config(*TINY, "model=dcgan", "data.resolution=16", override)
    with pytest.raises(UserError, match=rf"^{key}: "):
        schema.resolve(cfg)
