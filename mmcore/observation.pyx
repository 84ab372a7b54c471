"""See observation.pxd."""
from cpython.list cimport PyList_GET_SIZE

from mmcore.calendar cimport calendar_update
from mmcore.flow cimport FLOW_SWEEP
from mmcore.reaction cimport react_to_lead, react_to_trade
from mmcore.types cimport INSTRUMENT_INVERSE
from mmcore.windows cimport windows_update


cdef int32_t lead_of(list markets) noexcept:
    """Index of the perpetual others are priced from, an inverse one first; -1: none."""
    cdef Market market
    cdef int32_t i, found = -1
    for i in range(<int32_t>PyList_GET_SIZE(markets)):
        market = <Market>markets[i]
        if market.spec.expiry_ms == 0:
            if market.spec.kind == INSTRUMENT_INVERSE:
                return i
            if found < 0:
                found = i
    return found


cdef void observe_markets(list markets, int32_t lead_index, TimeWindows windows, int64_t wall_ns,
                          int64_t now_ns) noexcept:
    """Bring every dirty market up to date; a move of the lead makes all others dirty.

    wall_ns is 0 while the offset of the wall clock is not known: no time window is open then.
    """
    cdef int32_t i, count = <int32_t>PyList_GET_SIZE(markets)
    cdef Market market, lead
    cdef double micro_usd
    if wall_ns != 0:
        windows_update(&windows.table, wall_ns)
    if lead_index >= 0 and count > 1:
        lead = <Market>markets[lead_index]
        if lead.dirty:
            micro_usd = lead.signals.s.micro_usd
            lead.observe(now_ns)
            if lead.signals.s.micro_usd != micro_usd:
                for i in range(count):
                    (<Market>markets[i]).dirty = True
    for i in range(count):
        market = <Market>markets[i]
        if not market.dirty:
            continue
        if i != lead_index or count == 1:
            market.observe(now_ns)
            if lead_index >= 0 and count > 1:
                follow(market, <Market>markets[lead_index], now_ns)
        calendar_update(&market.calendar, market.spec.expiry_ms, market.health.state,
                        &market.params.v, wall_ns, now_ns)
        market.take_stance(&windows.table, now_ns)


cdef void follow(Market market, Market lead, int64_t now_ns) noexcept:
    """Price a dated contract from the lead, and pull with it."""
    if market.spec.expiry_ms > 0 and lead.book.valid:
        market.signals.refer_to_lead(&lead.signals.s, &market.params.v.signals, now_ns)
    react_to_lead(&market.reaction, &lead.reaction)


cdef void react_to_taker(list markets, Market market, int32_t bits, int32_t taker_side,
                         int64_t now_ns) noexcept:
    """A large taker order pulls a side of its market; a sweep pulls everything, at once."""
    cdef int32_t i
    cdef Market other
    react_to_trade(&market.reaction, bits, taker_side, &market.params.v.orders, now_ns)
    if bits & FLOW_SWEEP:
        for i in range(<int32_t>PyList_GET_SIZE(markets)):
            other = <Market>markets[i]
            react_to_trade(&other.reaction, bits, taker_side, &other.params.v.orders, now_ns)
            other.dirty = True
