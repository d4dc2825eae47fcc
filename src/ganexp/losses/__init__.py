"""Losses of the networks, penalties on the discriminator and constraints on its weights.

Adversarial losses, penalties and constraints take tensors or a network, return tensors or nothing, and are independent
of the training loop. `Objective` combines the losses that a config lists.
"""

from ganexp.losses.adversarial import Hinge, LeastSquares, NonSaturating, Saturating, TwoClass, Wasserstein
from ganexp.losses.auxiliary import ClassHead, SeparateClassifier
from ganexp.losses.began import Began
from ganexp.losses.constraints import WeightClipping
from ganexp.losses.cramer import Cramer, CramerPenalty
from ganexp.losses.denoising import FeatureDenoising
from ganexp.losses.objective import Objective
from ganexp.losses.penalties import R1, R2, Dragan, GradientPenalty
from ganexp.losses.relativistic import Relativistic

__all__ = [
    "R1",
    "R2",
    "Began",
    "ClassHead",
    "Cramer",
    "CramerPenalty",
    "Dragan",
    "FeatureDenoising",
    "GradientPenalty",
    "Hinge",
    "LeastSquares",
    "NonSaturating",
    "Objective",
    "Relativistic",
    "Saturating",
    "SeparateClassifier",
    "TwoClass",
    "Wasserstein",
    "WeightClipping",
]
