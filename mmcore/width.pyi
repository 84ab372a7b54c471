"""The published width formulas, in the units of their papers."""

from enum import IntEnum

class WidthModel(IntEnum):
    MODEL_LINEAR = 0
    MODEL_AVELLANEDA_STOIKOV = 1
    MODEL_GLFT = 2
    MODEL_OWN = 3
    MODELS = 4

def has_own_model() -> bool: ...

def as_reservation(mid: float, q: float, gamma: float, sigma: float, tau: float) -> float: ...
def as_half_spread(gamma: float, sigma: float, tau: float, k: float) -> float: ...
def glft_c1(xi: float, delta: float, k: float) -> float: ...
def glft_c2(gamma: float, a: float, delta: float, k: float, xi: float) -> float: ...
