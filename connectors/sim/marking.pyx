"""Mark price, funding, statistics; see marking.pxd."""
from libc.math cimport exp, floor

from mmcore.types cimport INSTRUMENT_LINEAR, SIDE_BID, delta_btc

cdef double EIGHT_HOURS_NS = 8.0 * 3600.0 * 1e9
cdef double MEAN_NS = 30.0 * 1e9
cdef double CLAMP = 0.005
cdef double BAND = 0.015
cdef double DAMPER = 0.00025
cdef double RATE_MAX = 0.005


cdef double round_cents(double price_usd) noexcept nogil:
    return floor(price_usd * 100.0 + 0.5) / 100.0


cdef double funding_rate(double mark_usd, double index_usd) noexcept nogil:
    """The damped 8 h rate: positive when longs pay."""
    cdef double premium, rate
    if index_usd <= 0.0 or mark_usd <= 0.0:
        return 0.0
    premium = (mark_usd - index_usd) / index_usd
    rate = max(DAMPER, premium) + min(-DAMPER, premium)
    return min(RATE_MAX, max(-RATE_MAX, rate))


cdef void mark_step(MarketData* data, double mid_usd, double index_usd, int64_t t_ns,
                    int64_t step_ns) noexcept nogil:
    """Advance the mark by one step; mid 0 means no mid now."""
    cdef double basis
    cdef double before = data.mark_usd
    if data.mark_recorded or index_usd <= 0.0:
        return
    if mid_usd > 0.0:
        basis = mid_usd - index_usd
        if data.perpetual:
            basis = min(CLAMP * index_usd, max(-CLAMP * index_usd, basis))
        if before <= 0.0:
            data.basis_usd = basis
        else:
            data.basis_usd += (basis - data.basis_usd) * (1.0 - exp(-<double>step_ns / MEAN_NS))
    data.mark_usd = round_cents(index_usd + data.basis_usd)
    if data.settlement_usd <= 0.0:
        data.settlement_usd = data.mark_usd
    if data.mark_usd != before:
        data.ticker_changed = True


cdef void funding_step(MarketData* data, const Instrument* spec, double index_usd,
                       int64_t t_ns) noexcept nogil:
    """Accrue funding since the last step at the rate that held since."""
    cdef double share = <double>(t_ns - data.funding_ns) / EIGHT_HOURS_NS
    cdef double notional, paid
    if not data.perpetual or data.mark_usd <= 0.0:
        data.funding_ns = t_ns
        return
    if data.funding_ns > 0 and share > 0.0:
        notional = data.mark_usd * spec.contract_size if spec.kind == INSTRUMENT_LINEAR else (
            spec.contract_size / data.mark_usd)
        # A step is some 1e4 units: without the rest, truncation alone would show.
        paid = data.current_funding * share * notional * 1e18 + data.funding_rest
        data.funding_rest = paid - floor(paid)
        data.funding_e18 += <int64_t>floor(paid)
        data.funding_8h += (data.current_funding - data.funding_8h) * (1.0 - exp(-share))
    data.funding_ns = t_ns
    if not data.funding_recorded:
        data.current_funding = funding_rate(data.mark_usd, index_usd)


cdef double band_price(double mark_usd, int32_t side) noexcept nogil:
    """Highest price of a buy, lowest of a sell, before rounding outwards to the tick."""
    return mark_usd * (1.0 + BAND) if side == SIDE_BID else mark_usd * (1.0 - BAND)


cdef void note_trade(MarketData* data, const Instrument* spec, int64_t price_ticks,
                     int64_t contracts, double at_usd) noexcept nogil:
    """Last price, tick direction, range and volume, the latter in BTC at a price."""
    if data.volume_contracts == 0:
        data.last_direction = 0
        data.first_ticks = price_ticks
        data.high_ticks = price_ticks
        data.low_ticks = price_ticks
    elif price_ticks > data.last_ticks:
        data.last_direction = 0
    elif price_ticks < data.last_ticks:
        data.last_direction = 2
    elif data.last_direction == 0:
        data.last_direction = 1
    elif data.last_direction == 2:
        data.last_direction = 3
    data.high_ticks = max(data.high_ticks, price_ticks)
    data.low_ticks = min(data.low_ticks, price_ticks)
    data.last_ticks = price_ticks
    data.trade_seq += 1
    data.volume_contracts += contracts
    data.volume_btc += delta_btc(spec, contracts, at_usd)
    data.ticker_changed = True


cdef double delivery_estimate(const IndexState* index) noexcept nogil:
    """What a contract expiring next would deliver at: the mean so far, else the index."""
    if index.twap_count > 0:
        return round_cents(index.twap_sum_usd / index.twap_count)
    return round_cents(index.price_usd)
