"""Losses of the networks, penalties on the discriminator and constraints on its weights.

An adversarial loss, a penalty and a constraint take tensors or a network and return tensors or nothing; none of them
knows how training works. `Objective` combines those that a config lists.
"""

from ganexp.losses.adversarial import Hinge, LeastSquares, NonSaturating, Saturating, TwoClass, Wasserstein
from ganexp.losses.auxiliary import ClassHead, SeparateClassifier
from ganexp.losses.constraints import WeightClipping
from ganexp.losses.cramer import Cramer, CramerPenalty
from ganexp.losses.objective import Objective
from ganexp.losses.penalties import R1, GradientPenalty

__all__ = [
    "R1",
    "ClassHead",
    "Cramer",
    "CramerPenalty",
    "GradientPenalty",
    "Hinge",
    "LeastSquares",
    "NonSaturating",
    "Objective",
    "Saturating",
    "SeparateClassifier",
    "TwoClass",
    "Wasserstein",
    "WeightClipping",
]
