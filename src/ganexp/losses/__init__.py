"""What the two networks minimise. Each class is pure: tensors in, named scalar terms out."""

from ganexp.losses.adversarial import (
    Hinge,
    LeastSquares,
    NonSaturating,
    Saturating,
    TwoClass,
    Wasserstein,
    WeightClipping,
)
from ganexp.losses.auxiliary import AuxiliaryClassifier
from ganexp.losses.cramer import Cramer, CramerPenalty
from ganexp.losses.objective import Objective
from ganexp.losses.penalties import R1, GradientPenalty

__all__ = [
    "R1",
    "AuxiliaryClassifier",
    "Cramer",
    "CramerPenalty",
    "GradientPenalty",
    "Hinge",
    "LeastSquares",
    "NonSaturating",
    "Objective",
    "Saturating",
    "TwoClass",
    "Wasserstein",
    "WeightClipping",
]
