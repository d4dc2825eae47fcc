"""A discriminator whose outputs do not suit the loss and its terms is refused, and the error names the fix."""

import re
from types import SimpleNamespace

import pytest

from ganexp.config import output_checks
from ganexp.losses import R1, Began, FeatureDenoising, Hinge
from ganexp.losses.class_critic import ClassCritic
from ganexp.losses.lecam import LeCam
from ganexp.losses.objective import Objective
from ganexp.models import autoencoder, dcgan, dfm, mlp

SHAPE = {"resolution": 8, "channels": 1}
AUTO_ENCODER = autoencoder.Discriminator(**SHAPE, width=4)
DCGAN = dcgan.Discriminator(**SHAPE, width=4, norm="none")
MINIBATCH = dcgan.Discriminator(**SHAPE, width=4, norm="none", minibatch="discrimination")
MLP = mlp.Discriminator(**SHAPE, hidden=[8])
DENOISING = {"feature_denoising": FeatureDenoising(1.0)}


def complaints(discriminator, objective):
    gan = SimpleNamespace(discriminator=discriminator, objective=objective)
    return [line for rule in output_checks.RULES for line in rule(None, gan)]


class OwnNorm(mlp.Discriminator):
    """A user's discriminator that mixes the samples of a batch, in the network itself."""

    mixes_samples = True


OWN_NORM = OwnNorm(**SHAPE, hidden=[8])


class MixUp:
    """A user's augmentation that mixes the samples of a batch."""

    mixes_samples = True


class Foreign:
    """A user's loss that takes an unknown kind of output, and does not say which discriminator has such outputs."""

    takes = "heat maps"


@pytest.mark.parametrize(
    ("discriminator", "objective", "message"),
    [
        (MLP, Objective(Foreign()), "takes heat maps .* returns logits: use another loss, or another discriminator$"),
        (DCGAN, Objective(Began(0.5, 0.001)), "this loss takes reconstruction errors.*use model=autoencoder$"),
        (AUTO_ENCODER, Objective(Hinge()), "returns reconstruction errors: use loss=began$"),
        (
            AUTO_ENCODER,
            Objective(Began(0.5, 0.001), {"lecam": LeCam(0.3, 0.9, 1000)}),
            "^loss.penalties.lecam needs logits .* takes reconstruction errors",
        ),
        (
            MLP,
            Objective(Hinge(), auxiliary=DENOISING),
            "loss.auxiliary.feature_denoising needs features.*use model=dfm$",
        ),
        (MINIBATCH, Objective(Hinge(), {"r1": R1(1.0)}), r"loss.penalties.r1.*\(minibatch\).*minibatch=none"),
        (MINIBATCH, Objective(Hinge(), auxiliary={"critic": ClassCritic(1.0)}), "^loss.auxiliary.critic: .*=none"),
        (OWN_NORM, Objective(Hinge(), {"r1": R1(1.0)}), r"loss.penalties.r1: .* OwnNorm \(the discriminator\)"),
        (MLP, Objective(Hinge(), {"r1": R1(1.0)}, augmentations=[MixUp()]), r"loss.penalties.r1: .* MixUp \(augment\)"),
    ],
    ids=[
        "mlp foreign",
        "dcgan began",
        "autoencoder hinge",
        "autoencoder lecam",
        "mlp denoising",
        "minibatch r1",
        "minibatch critic",
        "own norm r1",
        "mixup r1",
    ],
)
def test_mismatch_is_refused_with_the_fix(discriminator, objective, message):
    (line,) = complaints(discriminator, objective)
    assert re.search(message, line)


@pytest.mark.parametrize(
    ("discriminator", "objective"),
    [
        (AUTO_ENCODER, Objective(Began(0.5, 0.001), {"r1": R1(1.0)})),
        (DCGAN, Objective(Hinge(), {"r1": R1(1.0)}, auxiliary=DENOISING)),
        (DCGAN, Objective(Hinge(), {"lecam": LeCam(0.3, 0.9, 1000)})),
        (dfm.Discriminator(**SHAPE, width=4), Objective(Hinge(), auxiliary=DENOISING)),
        (MINIBATCH, Objective(Hinge())),
        (OWN_NORM, Objective(Hinge(), augmentations=[MixUp()])),
        (MINIBATCH, Objective(Hinge(), auxiliary={"critic": ClassCritic(1.0, penalty=0.0)})),
    ],
    ids=["autoencoder began", "dcgan", "dcgan lecam", "dfm", "minibatch", "own norm and mixup", "minibatch critic"],
)
def test_match_is_accepted(discriminator, objective):
    assert complaints(discriminator, objective) == []
