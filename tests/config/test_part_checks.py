"""A part of the objective with a mistyped method name is refused, because the method would never be called."""

import pytest
from helpers.config import TINY, config
from omegaconf import OmegaConf

from ganexp.build import build_gan
from ganexp.errors import UserError

NARROW = ("model=dcgan", "data=fake", "model.generator.width=4", "model.discriminator.width=4", "loss=hinge")
CLASSIFIER = ("model.conditional=true", "loss/auxiliary=classifier")


class ChangeOutput:
    def change_output(self, d_real, d_fake):
        return d_real, d_fake


class Generators:
    needs_labels = False

    def generators(self, networks, batch):
        return {}


class Classifiers(Generators):
    networks = ("classifier",)

    def classifiers(self, networks, batch):
        return {}

    def generator(self, networks, batch):
        return {}


class Observes:
    needs_feedback = True

    def __call__(self, images):
        return images

    def observes(self, accuracies):
        pass


def built(key, part, *overrides):
    """Build a GAN whose config names a class of this module at `key`."""
    cfg = config(*TINY, *NARROW, *overrides)
    OmegaConf.update(cfg, key, {"_target_": f"{__name__}.{part.__name__}"}, force_add=True, merge=False)
    return build_gan(cfg)


@pytest.mark.parametrize(
    ("key", "part", "overrides", "message"),
    [
        ("loss.modifiers.own", ChangeOutput, (), "ChangeOutput needs a method change_fakes or change_outputs"),
        ("loss.auxiliary.own", Generators, (), "name of one of the networks generator, discriminator"),
        ("loss.auxiliary.classifier", Classifiers, CLASSIFIER, "the classifier, .* Classifiers needs a method class"),
        ("augment.own", Observes, (), "cannot adapt: Observes needs a method observe$"),
    ],
)
def test_part_with_a_mistyped_method_is_refused(key, part, overrides, message):
    with pytest.raises(UserError, match=f"^{key} .*{message}"):
        built(key, part, *overrides)


@pytest.mark.parametrize("method", ["change_fakes", "change_outputs"])
def test_modifier_with_one_method_is_accepted(method, monkeypatch):
    monkeypatch.setattr(ChangeOutput, method, ChangeOutput.change_output, raising=False)
    built("loss.modifiers.own", ChangeOutput)


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_auxiliary_term_of_one_network_is_accepted(network, monkeypatch):
    monkeypatch.setattr(Generators, network, Generators.generators, raising=False)
    built("loss.auxiliary.own", Generators)
