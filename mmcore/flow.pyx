"""See flow.pxd."""
from libc.math cimport exp2, fabs
from libc.string cimport memset

from mmcore.book cimport NO_ASK, NO_BID
from mmcore.types cimport INSTRUMENT_INVERSE, SIDE_ASK, SIDE_BID, amount_of, price_usd

cdef int64_t BUCKET_NS = 100_000_000
cdef double TOUCH_WEIGHT = 1.0 / 64.0       # of one change in the mean size of the touch


cdef double faded(double value, int64_t since_ns, double half_life_s,
                  int64_t now_ns) noexcept nogil:
    """A decaying sum as it stands now: value 2^(-dt / half life)."""
    if value == 0.0 or half_life_s <= 0.0 or now_ns <= since_ns:
        return value
    return value * exp2(-<double>(now_ns - since_ns) * 1e-9 / half_life_s)


cdef int32_t flow_on_trade(FlowState* flow, const Instrument* spec, const TradePrint* trade,
                           const SignalParams* params, double large_usd,
                           int64_t now_ns) noexcept nogil:
    """Take one print; return FLOW_* bits its taker order has just earned."""
    cdef double usd, first
    cdef int32_t bits = 0
    if trade.excluded:
        return 0
    usd = amount_of(spec, trade.amount_contracts)
    if spec.kind != INSTRUMENT_INVERSE:
        usd *= price_usd(spec, trade.price_ticks)
    flow.signed_usd = faded(flow.signed_usd, flow.volume_ns, params.flow_half_life_s, now_ns)
    flow.volume_usd = faded(flow.volume_usd, flow.volume_ns, params.flow_half_life_s, now_ns)
    flow.volume_ns = flow.print_ns = now_ns
    flow.volume_usd += usd
    flow.signed_usd += usd if trade.side == SIDE_BID else -usd
    if (trade.side != flow.side or trade.timestamp_ms != flow.timestamp_ms
            or flow.amount_usd == 0.0):
        start_taker(flow, trade)
    flow.last_ticks = trade.price_ticks
    flow.amount_usd += usd
    if large_usd > 0.0 and flow.amount_usd >= large_usd:
        bits |= FLOW_LARGE
    if params.sweep_bps > 0.0:
        first = <double>flow.first_ticks
        if fabs(<double>flow.last_ticks - first) >= params.sweep_bps * 1e-4 * first:
            bits |= FLOW_SWEEP
    bits &= ~flow.told
    flow.told |= bits
    return bits


cdef void start_taker(FlowState* flow, const TradePrint* trade) noexcept nogil:
    """A new taker order: it lengthens the run or turns it round."""
    if trade.side == SIDE_BID:
        if flow.run <= 0:
            flow.run, flow.run_start_ticks = 0, trade.price_ticks
        flow.run += 1
    else:
        if flow.run >= 0:
            flow.run, flow.run_start_ticks = 0, trade.price_ticks
        flow.run -= 1
    flow.side = trade.side
    flow.timestamp_ms = trade.timestamp_ms
    flow.first_ticks = trade.price_ticks
    flow.amount_usd = 0.0
    flow.told = 0


cdef void flow_on_touch(FlowState* flow, const int64_t* ticks, const int64_t* contracts,
                        const SignalParams* params, int64_t now_ns) noexcept nogil:
    """Take the others' touch after a change (Cont, Kukanov and Stoikov 2014).

    e = 1{Pb >= Pb'} qb - 1{Pb <= Pb'} qb' - 1{Pa <= Pa'} qa + 1{Pa >= Pa'} qa', primes the old.
    """
    cdef double event = 0.0
    cdef int32_t side
    cdef bint known = (flow.touch_contracts[SIDE_BID] > 0 and flow.touch_contracts[SIDE_ASK] > 0)
    if (ticks[0] == flow.touch_ticks[0] and ticks[1] == flow.touch_ticks[1]
            and contracts[0] == flow.touch_contracts[0]
            and contracts[1] == flow.touch_contracts[1]):
        return
    if known and ticks[SIDE_BID] > NO_BID and ticks[SIDE_ASK] < NO_ASK:
        if ticks[SIDE_BID] >= flow.touch_ticks[SIDE_BID]:
            event += <double>contracts[SIDE_BID]
        if ticks[SIDE_BID] <= flow.touch_ticks[SIDE_BID]:
            event -= <double>flow.touch_contracts[SIDE_BID]
        if ticks[SIDE_ASK] <= flow.touch_ticks[SIDE_ASK]:
            event -= <double>contracts[SIDE_ASK]
        if ticks[SIDE_ASK] >= flow.touch_ticks[SIDE_ASK]:
            event += <double>flow.touch_contracts[SIDE_ASK]
        flow.ofi_contracts = event + faded(flow.ofi_contracts, flow.ofi_ns,
                                           params.ofi_half_life_s, now_ns)
        flow.ofi_ns = now_ns
        flow.mean_touch_contracts += TOUCH_WEIGHT * (
            0.5 * <double>(contracts[0] + contracts[1]) - flow.mean_touch_contracts)
        for side in range(2):
            if ticks[side] != flow.touch_ticks[side]:
                count_change(flow, ticks[side] > flow.touch_ticks[side], now_ns)
    elif not known:
        flow.mean_touch_contracts = 0.5 * <double>(contracts[0] + contracts[1])
    for side in range(2):
        flow.touch_ticks[side] = ticks[side]
        flow.touch_contracts[side] = contracts[side]


cdef inline int32_t place_of(int64_t bucket) noexcept nogil:
    """The place of a bucket; before the clock's zero a remainder in C would keep the sign."""
    cdef int32_t place = <int32_t>(bucket % TOP_BUCKETS)
    return place if place >= 0 else place + TOP_BUCKETS


cdef void count_change(FlowState* flow, bint up, int64_t now_ns) noexcept nogil:
    cdef int64_t bucket = now_ns // BUCKET_NS
    cdef int64_t i, gap = bucket - flow.bucket
    cdef int32_t place
    if gap >= TOP_BUCKETS or gap < 0:
        memset(flow.changes, 0, sizeof(flow.changes))
        memset(flow.rises, 0, sizeof(flow.rises))
        flow.change_count = flow.rise_count = 0
    else:
        for i in range(1, gap + 1):
            place = place_of(flow.bucket + i)
            flow.change_count -= flow.changes[place]
            flow.rise_count -= flow.rises[place]
            flow.changes[place] = flow.rises[place] = 0
    flow.bucket = bucket
    place = place_of(bucket)
    flow.changes[place] += 1
    flow.rises[place] += up
    flow.change_count += 1
    flow.rise_count += up


cdef double flow_top_rate(const FlowState* flow, int64_t now_ns, double* upward) noexcept nogil:
    """Changes of the best prices in the last second; `upward` takes rises minus falls."""
    cdef int64_t newest = now_ns // BUCKET_NS
    cdef int64_t i, gap = newest - flow.bucket
    cdef int32_t place, total = flow.change_count, up = flow.rise_count
    upward[0] = 0.0
    if gap >= TOP_BUCKETS or gap < 0:
        return 0.0
    for i in range(1, gap + 1):         # these places hold what is a second old by now
        place = place_of(flow.bucket + i)
        total -= flow.changes[place]
        up -= flow.rises[place]
    upward[0] = <double>(2 * up - total)
    return <double>total


cdef void flow_restart(FlowState* flow) noexcept nogil:
    """A gap in the book: the touch before it says nothing about the touch after it."""
    flow.touch_contracts[0] = flow.touch_contracts[1] = 0
    flow.ofi_contracts = 0.0


cdef double flow_imbalance(const FlowState* flow, double half_life_s,
                           int64_t now_ns) noexcept nogil:
    """Signed over whole taker volume, fading to 0 when the tape falls silent; in [-1, 1]."""
    if flow.volume_usd <= 0.0:
        return 0.0
    return faded(flow.signed_usd / flow.volume_usd, flow.volume_ns, half_life_s, now_ns)


cdef double flow_ofi(const FlowState* flow, double half_life_s, int64_t now_ns) noexcept nogil:
    """Order-flow imbalance in mean sizes of the touch, held within [-1, 1]."""
    cdef double ratio
    if flow.mean_touch_contracts <= 0.0:
        return 0.0
    ratio = faded(flow.ofi_contracts, flow.ofi_ns, half_life_s,
                  now_ns) / flow.mean_touch_contracts
    if ratio > 1.0:
        return 1.0
    return -1.0 if ratio < -1.0 else ratio


cdef int32_t flow_run(const FlowState* flow, double half_life_s, int64_t now_ns) noexcept nogil:
    """Taker orders in a row that also moved the price their way; 0 after two half-lives."""
    if <double>(now_ns - flow.print_ns) > 2e9 * half_life_s:
        return 0
    if flow.run > 0 and flow.last_ticks > flow.run_start_ticks:
        return flow.run
    if flow.run < 0 and flow.last_ticks < flow.run_start_ticks:
        return flow.run
    return 0
