"""Regime of the market, with hysteresis, and what it allows."""
from libc.stdint cimport int32_t

from mmcore.params cimport ParamValues
from mmcore.volatility cimport VolState

cpdef enum Regime:
    REGIME_NORMAL = 0
    REGIME_CALM = 1
    REGIME_VOLATILE = 2
    REGIME_TRENDING = 3
    REGIME_STAND_ASIDE = 4

cdef enum:                      # choices of the *_sides keys, in the order of the config
    SIDES_BOTH = 0
    VOLATILE_REDUCE = 1
    TRENDING_WITH = 1
    TRENDING_REDUCE = 2

cdef struct RegimeState:
    int32_t regime              # Regime
    int32_t trend               # sign of the drift while trending
    double spread_factor
    double size_factor          # of adding quotes
    bint adds[2]                # whether a side may add

cdef void regime_update(RegimeState* state, const VolState* vol,
                        const ParamValues* params) noexcept nogil
