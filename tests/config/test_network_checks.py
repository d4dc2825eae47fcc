"""Networks that contradict the size of images or latents, or the number of classes, are refused."""

import pytest
from helpers.config import TINY, config
from omegaconf import OmegaConf

from ganexp.build import build_gan
from ganexp.config import network_checks
from ganexp.errors import UserError

CONDITIONAL = ("model.conditional=true", "loss/auxiliary=classifier")
NARROW = ("model=dcgan", "data=fake", "model.generator.width=4", "model.discriminator.width=4")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("model.generator.channels=1",), "model.generator.channels=1: must be equal to data.channels=3"),
        (
            ("model.discriminator.resolution=16",),
            "model.discriminator.resolution=16: must be equal to data.resolution=32",
        ),
        (("model.generator.latent_dim=7",), "model.generator.latent_dim=7: must be equal to model.latent.dim=128"),
        (("model.generator.num_classes=10",), "model.generator.num_classes=10: must be 0"),
        ((*CONDITIONAL, "model.generator.num_classes=3"), "model.generator.num_classes=3: must be 10"),
        ((*CONDITIONAL, "model.discriminator.num_classes=3"), "model.discriminator.num_classes=3: must be 10"),
        ((*CONDITIONAL, "model.auxiliary.classifier.logits=1"), "model.auxiliary.classifier.logits=1: must be 10"),
        ((*CONDITIONAL, "model.auxiliary.classifier.channels=1"), "model.auxiliary.classifier.channels=1: must be"),
    ],
)
def test_size_of_a_network_must_be_that_of_the_data(overrides, message):
    with pytest.raises(UserError) as refused:
        build_gan(config(*TINY, *NARROW, "loss=non_saturating", *overrides))
    assert message in str(refused.value)
    assert "leave it out" in str(refused.value)


@pytest.mark.parametrize(
    ("key", "fix"),
    [
        ("model.auxiliary.mine", "must be 10 with data.num_classes=10: leave it out"),
        ("model.generator", "must be 0 with data.num_classes=10: leave it out, or use model.conditional=true"),
    ],
)
def test_wrong_number_of_classes_is_answered_with_what_helps(key, fix):
    cfg = config(*TINY)
    (line,) = network_checks._wrong_classes(key, OmegaConf.create({"num_classes": 3}), cfg)
    assert line == f"{key}.num_classes=3: {fix}"


def test_discriminator_may_ignore_the_labels():
    build_gan(config(*TINY, *NARROW, "loss=hinge", "model.conditional=true", "model.discriminator.num_classes=0"))
