"""See regime.pxd. A regime ends only when it is `regime_hysteresis` back under its threshold."""
from libc.math cimport fabs

from mmcore.types cimport SIDE_ASK, SIDE_BID


cdef bint beyond(double value, double threshold, bint inside,
                 double hysteresis) noexcept nogil:
    """Over the threshold, or not yet back by the hysteresis where it already was; 0 is off."""
    if threshold <= 0.0:
        return False
    return value > (threshold * (1.0 - hysteresis) if inside else threshold)


cdef int32_t regime_of(const RegimeState* state, const VolState* vol,
                       const ParamValues* params) noexcept nogil:
    """The gravest regime whose condition holds."""
    cdef double hysteresis = params.signals.regime_hysteresis
    cdef double year = vol.minute_year
    cdef int32_t was = state.regime
    cdef double stand_aside = params.quote.stand_aside_vol
    if stand_aside > 0.0:
        if was == REGIME_STAND_ASIDE and params.quote.resume_vol < stand_aside:
            stand_aside = params.quote.resume_vol
        if year > stand_aside:
            return REGIME_STAND_ASIDE
    if vol.range_year > year:
        year = vol.range_year
    if beyond(year, params.signals.volatile_vol, was == REGIME_VOLATILE, hysteresis):
        return REGIME_VOLATILE
    if beyond(fabs(vol.drift_z), params.signals.trend_z, was == REGIME_TRENDING, hysteresis):
        return REGIME_TRENDING
    # calm is the other way round: under the threshold, and it ends that much above it
    if params.signals.calm_vol > 0.0 and 0.0 < year < params.signals.calm_vol * (
            1.0 + hysteresis if was == REGIME_CALM else 1.0):
        return REGIME_CALM
    return REGIME_NORMAL


cdef void regime_update(RegimeState* state, const VolState* vol,
                        const ParamValues* params) noexcept nogil:
    """Classify, then look up what the regime allows."""
    cdef int32_t sides
    state.spread_factor = state.size_factor = 1.0
    state.adds[SIDE_BID] = state.adds[SIDE_ASK] = True
    if params.signals.regime < 0.5:
        state.regime, state.trend = REGIME_NORMAL, 0
        return
    state.regime = regime_of(state, vol, params)
    state.trend = 0
    if state.regime == REGIME_CALM:
        state.spread_factor = params.signals.calm_spread_factor
        state.size_factor = params.signals.calm_size_factor
    elif state.regime == REGIME_VOLATILE:
        state.spread_factor = params.signals.volatile_spread_factor
        state.size_factor = params.signals.volatile_size_factor
        if <int32_t>params.signals.volatile_sides == VOLATILE_REDUCE:
            state.adds[SIDE_BID] = state.adds[SIDE_ASK] = False
    elif state.regime == REGIME_TRENDING:
        state.trend = 1 if vol.drift_z > 0.0 else -1
        state.spread_factor = params.signals.trending_spread_factor
        state.size_factor = params.signals.trending_size_factor
        sides = <int32_t>params.signals.trending_sides
        if sides == TRENDING_REDUCE:
            state.adds[SIDE_BID] = state.adds[SIDE_ASK] = False
        elif sides == TRENDING_WITH:
            state.adds[SIDE_ASK if state.trend > 0 else SIDE_BID] = False
