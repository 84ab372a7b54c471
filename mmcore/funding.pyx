"""See funding.pxd. Positive rates are paid by longs, always."""
from libc.math cimport fabs

from mmcore.params cimport FUNDING_INTERVAL
from mmcore.types cimport SIDE_ASK, SIDE_BID, amount_of, delta_btc

cdef int64_t PERIOD_NS = 28_800_000_000_000     # rates are stated for eight hours


cdef void accrue_funding(FundingState* state, const Instrument* spec, const SignalState* signal,
                         int64_t contracts, int32_t model, int64_t wall_offset_ns,
                         int64_t now_ns) noexcept nogil:
    """Count what was paid since the last call; call it before rate, mark or position change.

    continuous: rate times position times time. interval: the whole rate on the position that is
    held at 00, 08 and 16 UTC; without a wall clock nothing.
    """
    cdef double held, share
    cdef int64_t interval = (now_ns + wall_offset_ns) // PERIOD_NS
    cdef int64_t since_ns = state.until_ns
    cdef int64_t before = state.interval
    state.until_ns, state.interval = now_ns, interval
    if spec.expiry_ms > 0 or contracts == 0 or since_ns == 0 or signal.mark_usd <= 0.0:
        return
    if model == FUNDING_INTERVAL:
        share = <double>(interval - before) if wall_offset_ns != 0 else 0.0
    else:
        share = <double>(now_ns - since_ns) / <double>PERIOD_NS
    if share <= 0.0:
        return
    held = delta_btc(spec, contracts, signal.mark_usd)
    if spec.kind != 0:
        held = amount_of(spec, contracts) * signal.mark_usd
    state.accrued -= held * share * (
        signal.funding_8h if model == FUNDING_INTERVAL else signal.current_funding)


cdef double rate_of(const SignalState* signal, const FundingParams* params) noexcept nogil:
    """The rate that is decided by; 0 where it is too low to matter."""
    cdef double rate = signal.current_funding
    if <int32_t>params.model == FUNDING_INTERVAL:
        rate = signal.funding_8h
    return rate if fabs(rate) > params.min_rate_8h else 0.0


cdef double funding_target_btc(const SignalState* signal, const RegimeState* regime,
                               const FundingParams* params, double limit_btc) noexcept nogil:
    """Net position to lean to, on the side that is paid: q* = -sign(r) min(max, max |r| / high).

    At most half the limit, and nothing against a trend.
    """
    cdef double rate, target = params.target_max_btc
    if target <= 0.0 or params.high_rate_8h <= 0.0:
        return 0.0
    rate = rate_of(signal, params)
    if rate == 0.0:
        return 0.0
    if fabs(rate) < params.high_rate_8h:
        target *= fabs(rate) / params.high_rate_8h
    if target > 0.5 * limit_btc:
        target = 0.5 * limit_btc
    if rate > 0.0:
        target = -target
    if <double>regime.trend * target < 0.0:
        return 0.0
    return target


cdef int32_t funding_side(const SignalState* signal, const FundingParams* params,
                          int64_t wall_ns) noexcept nogil:
    """The side that must not be added to before a payment; -1: none, or paid all the time."""
    if (<int32_t>params.model != FUNDING_INTERVAL or wall_ns <= 0
            or fabs(signal.funding_8h) < params.high_rate_8h
            or due_s(wall_ns) > params.flatten_before_s):
        return -1
    return SIDE_BID if signal.funding_8h > 0.0 else SIDE_ASK


cdef double due_s(int64_t wall_ns) noexcept nogil:
    """Seconds to the next 00, 08 or 16 UTC."""
    return <double>(PERIOD_NS - wall_ns % PERIOD_NS) * 1e-9
