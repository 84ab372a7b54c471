"""See preference.pxd. Scores are looked at once a second, outside of decisions."""
from libc.math cimport fabs, fmax

from mmcore.funding cimport rate_of
from mmcore.params cimport ParamValues
from mmcore.regime cimport REGIME_STAND_ASIDE, REGIME_VOLATILE
from mmcore.types cimport REMOVED_PREFERENCE, SIDE_ASK, SIDE_BID

cdef double RATE_PRIOR = 0.2        # fills a minute that an instrument is credited with unseen
cdef double LEAST_BPS = 0.01        # of edge: a score is never quite nothing


cdef double score_of(Market market, int64_t now_ns) noexcept nogil:
    """Expected bps a minute: half-spread less fee plus markout, times fills a minute."""
    cdef double reference = market.signals.s.reference_usd
    cdef double edge, markout = 0.0
    cdef int64_t fills = 0
    cdef int32_t side
    if reference <= 0.0:
        return 0.0
    for side in range(2):               # the fill's own distance is in its markout
        markout += market.inventory.markout_bps[side] * <double>market.inventory.markout_fills[side]
        fills += market.inventory.markout_fills[side]
    edge = fmax(market.target.why.half_usd, market.target.why.half_floor_usd) / reference * 1e4
    if fills >= <int64_t>market.params.v.quote.markout_fills and fills > 0:
        edge = markout / <double>fills
    edge -= <double>market.spec.maker_fee_e8 * 1e-4
    if edge < LEAST_BPS:
        edge = LEAST_BPS
    return edge * (market.fills_per_min(now_ns) + RATE_PRIOR)


cdef void prefer(list markets, int64_t now_ns) noexcept:
    """Bring every instrument's share of its size up to date."""
    cdef Market market
    cdef const ParamValues* params = &(<Market>markets[0]).params.v
    cdef double best = 0.0, share
    for market in markets:
        market.score = score_of(market, now_ns) if params.preference.enabled > 0.5 else 0.0
        if market.score > best:
            best = market.score
    for market in markets:
        share = market.score / best if best > 0.0 else 1.0
        if share < params.preference.least_factor:
            share = params.preference.least_factor
        if fabs(share - market.preference) > params.preference.hysteresis or share == 1.0:
            market.dirty |= market.preference != share
            market.preference = share


cdef void take_preference(Market market, Market lead) noexcept nogil:
    """Take share, funding and the lead's regime into what may be quoted."""
    cdef const ParamValues* params = &market.params.v
    cdef bint dated = market.spec.expiry_ms > 0
    cdef int32_t pays
    cdef double rate
    if params.preference.enabled < 0.5:
        return
    market.stance.size_factor *= market.preference
    rate = rate_of(&lead.signals.s, &params.funding)
    if fabs(rate) >= params.funding.high_rate_8h:
        pays = SIDE_BID if rate > 0.0 else SIDE_ASK         # of the perpetual
        if dated:
            pays = 1 - pays
        market.stance.row_factor[pays] *= params.preference.funding_factor
    if dated and params.preference.dated_in_volatile < 0.5 and lead.regime.regime in (
            REGIME_VOLATILE, REGIME_STAND_ASIDE):
        market.stance.removed_adding[SIDE_BID] |= REMOVED_PREFERENCE
        market.stance.removed_adding[SIDE_ASK] |= REMOVED_PREFERENCE
