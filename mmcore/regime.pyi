"""Names of the market's regimes."""

from enum import IntEnum

class Regime(IntEnum):
    REGIME_NORMAL = 0
    REGIME_CALM = 1
    REGIME_VOLATILE = 2
    REGIME_TRENDING = 3
    REGIME_STAND_ASIDE = 4
