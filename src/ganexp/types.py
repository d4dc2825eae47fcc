"""Annotated types for the parameters of every class and function that a config can name.

`config/instantiate.py` checks each argument against the annotation of its parameter before anything is built, so the
range of a parameter is declared only once, in the signature. Choices are declared as `Literal["a", "b"]`.
"""

import math
from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt, MinLen

PositiveInt = Annotated[int, Ge(1)]
ImageCount = Annotated[int, Ge(1), Le(10_000_000)]  # generated images: more would take days, or fill the disk
UpdateCount = Annotated[int, Ge(1), Le(10_000)]  # updates of a network in one step: more would look like a hang
GridSide = Annotated[int, Ge(1), Le(100)]  # images along one side of a grid
NonNegativeInt = Annotated[int, Ge(0)]
Seed = Annotated[int, Ge(0), Le(2**32 - 1)]  # seeds that numpy accepts
PositiveFloat = Annotated[float, Gt(0), Lt(math.inf)]
Truncation = Annotated[float, Ge(0.01), Lt(math.inf)]  # a smaller limit would reject nearly every number that is drawn
NonNegativeFloat = Annotated[float, Ge(0), Lt(math.inf)]
FiniteFloat = Annotated[float, Gt(-math.inf), Lt(math.inf)]
UnitInterval = Annotated[float, Ge(0), Le(1)]  # both ends included
BelowOne = Annotated[float, Ge(0), Lt(1)]  # for dropout rates and decays
ThreadCount = Annotated[int, Ge(1), Le(1024)]
Resolution = Annotated[int, Ge(1), Le(16_384)]  # pixels of a square image along each side
LatentSize = Annotated[int, Ge(1), Le(100_000)]  # components of a latent; more would need too many weights
Widths = Annotated[list[PositiveInt], MinLen(1)]  # widths of the layers of a network
