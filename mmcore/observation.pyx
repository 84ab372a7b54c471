"""See observation.pxd."""
from cpython.list cimport PyList_GET_SIZE
from libc.math cimport fabs

from mmcore.calendar cimport calendar_update
from mmcore.flow cimport FLOW_SWEEP
from mmcore.funding cimport due_s, funding_side
from mmcore.params cimport FUNDING_INTERVAL
from mmcore.preference cimport take_preference
from mmcore.reaction cimport react_to_lead, react_to_trade
from mmcore.signals cimport SAMPLE_NS, SignalState
from mmcore.types cimport (
    INSTRUMENT_INVERSE, MARKET_ARCHIVIZED, MARKET_DELIVERED, REMOVED_FUNDING, REMOVED_MOMENTUM,
    REMOVED_REFERENCE, REMOVED_REGIME, REMOVED_SIGNAL,
    REMOVED_SWEEP, REMOVED_TOP_RATE, REMOVED_VOL)
from mmcore.windows cimport windows_update

cdef extern from "Python.h":
    void* borrowed "PyList_GET_ITEM"(object rows, Py_ssize_t i) noexcept

cdef double LEAD_SHARE = 0.25   # of orders.retreat_bps: a move of the lead that is followed
cdef int32_t FOLLOWED = (REMOVED_MOMENTUM | REMOVED_SWEEP | REMOVED_TOP_RATE | REMOVED_SIGNAL
                         | REMOVED_REGIME | REMOVED_VOL)


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


cdef void observe_markets(list markets, int32_t first, int32_t lead_index, TimeWindows windows,
                          int64_t wall_ns, int64_t now_ns) noexcept:
    """Bring every dirty market up to date; a move or a pull of the lead makes others dirty.

    first: none before it is dirty. wall_ns is 0 while the offset of the wall clock is not known: no
    time window is open then.
    """
    cdef int32_t i, count = <int32_t>PyList_GET_SIZE(markets)
    cdef int32_t pulled[2]
    cdef Market market, lead = None
    cdef bint differ
    if wall_ns != 0:
        windows_update(&windows.table, wall_ns)
    if lead_index >= 0 and count > 1:
        lead = <Market>markets[lead_index]
        if lead.dirty:
            first = 0
            pulls_of(lead, pulled)
            lead.observe(now_ns)
            stand(lead, lead, windows, wall_ns, now_ns)
            differ = pulls_differ(lead, pulled)
            for i in range(count):
                market = <Market>markets[i]
                market.dirty |= differ or follows(market, lead.signals.s.micro_usd)
    for i in range(first, count):
        if not (<Market>borrowed(markets, i)).dirty or (i == lead_index and count > 1):
            continue
        market = <Market>markets[i]
        market.observe(now_ns)
        take_turn(markets, market, wall_ns, now_ns)
        if lead is None:
            stand(market, market, windows, wall_ns, now_ns)
            continue
        follow(market, lead, now_ns)
        stand(market, lead, windows, wall_ns, now_ns)
        pulls_of(lead, pulled)
        market.stance.removed_adding[0] |= pulled[0]
        market.stance.removed_adding[1] |= pulled[1]


cdef inline bint follows(Market market, double lead_micro_usd) noexcept:
    """Whether the lead has moved enough: what moves no quote is no reason to decide, so a fraction
    of what retreats one."""
    return fabs(lead_micro_usd - market.lead_micro_usd) > (
        LEAD_SHARE * 1e-4 * market.params.v.orders.retreat_bps * lead_micro_usd)


cdef bint stays_alone(void** markets, int32_t count, int32_t lead_index, int32_t dirty,
                      int64_t now_ns) noexcept:
    """Whether a still market among several stays the only one a turn has to look at.

    The lead, where it makes no other dirty; a dated contract, where following the lead anew would
    change nothing. Whoever has no lead, or waits for its predecessor, is looked at in full.
    """
    cdef int32_t i, due = 0
    cdef bint measured = True
    for i in range(count):
        due += (<Market>markets[i]).dirty
        measured &= (<Market>markets[i]).measured
    if due != (<Market>markets[dirty]).dirty or not measured:
        return False
    if dirty != lead_index:
        return lead_index >= 0 and follows_on(
            <Market>markets[dirty], <Market>markets[lead_index], now_ns)
    for i in range(count):
        if i != dirty and follows(<Market>markets[i],
                                  (<Market>markets[dirty]).signals.s.micro_usd):
            return False
    return True


cdef bint follows_on(Market market, Market lead, int64_t now_ns) noexcept:
    """Whether a dated contract has taken all that its lead has to say by now."""
    cdef int32_t side
    for side in range(2):
        if (lead.reaction.momentum_ns[side] > market.reaction.momentum_ns[side]
                or lead.reaction.sweep_ns[side] > market.reaction.sweep_ns[side]):
            return False
    return (market.spec.expiry_ms > 0 and market.predecessor < 0 and lead.book.valid
            and market.params.v.preference.enabled < 0.5
            and market.lead_micro_usd == lead.signals.s.micro_usd
            and market.signals.s.has_lead_basis
            and now_ns - market.signals.s.lead_sample_ns < SAMPLE_NS
            and lead.reaction.hold_ns <= market.reaction.follow_ns[lead.reaction.hold_side])


cdef void take_turn(list markets, Market market, int64_t wall_ns, int64_t now_ns) noexcept:
    """A standby grows as the contract before it shrinks, and has it all once that is over."""
    cdef Market before
    if market.predecessor < 0:
        return
    before = <Market>markets[market.predecessor]
    calendar_update(&before.calendar, before.spec.expiry_ms, before.rolls_ms,
                    before.health.state, &before.params.v, wall_ns, now_ns)
    market.turn_share = 1.0 - before.calendar.size_factor
    if before.health.state == MARKET_DELIVERED or before.health.state == MARKET_ARCHIVIZED:
        market.turn_share = 1.0


cdef void stand(Market market, Market lead, TimeWindows windows, int64_t wall_ns,
                int64_t now_ns) noexcept:
    """Say what may be quoted by the hour, the calendar, what just happened and what is preferred.

    lead: the perpetual whose funding and regime count; the market itself where there is none.
    """
    cdef int32_t pays
    calendar_update(&market.calendar, market.spec.expiry_ms, market.rolls_ms,
                    market.health.state, &market.params.v, wall_ns, now_ns)
    market.take_stance(&windows.table, now_ns)
    take_preference(market, lead)
    if market.spec.expiry_ms == 0 and (
            <int32_t>market.params.v.funding.model == FUNDING_INTERVAL):
        market.inventory.funding_due_s = due_s(wall_ns) if wall_ns > 0 else 0.0
        pays = funding_side(&market.signals.s, &market.params.v.funding, wall_ns)
        if pays >= 0:
            market.stance.removed_adding[pays] |= REMOVED_FUNDING


cdef void pulls_of(Market lead, int32_t* out) noexcept:
    """What the lead's market, not its position, takes from its sides: nobody should add there."""
    cdef int32_t side
    for side in range(2):
        out[side] = FOLLOWED & (lead.stance.removed[side] | lead.stance.removed_adding[side])
        if lead.signals.s.mid_usd <= 0.0:
            out[side] |= REMOVED_REFERENCE


cdef bint pulls_differ(Market lead, const int32_t* before) noexcept:
    cdef int32_t pulled[2]
    pulls_of(lead, pulled)
    return pulled[0] != before[0] or pulled[1] != before[1]


cdef void follow(Market market, Market lead, int64_t now_ns) noexcept:
    """Price a dated contract from the lead, and pull with it."""
    cdef const SignalState* own = &market.signals.s
    cdef bint fit           # to learn the basis from
    if market.spec.expiry_ms > 0 and lead.book.valid:
        fit = market.book.valid and own.two_sided and own.spread_usd * 1e4 <= (
            market.params.v.quote.max_reference_spread_bps * own.mid_usd)
        market.lead_micro_usd = lead.signals.s.micro_usd
        market.signals.refer_to_lead(&lead.signals.s, &market.params.v.signals, fit, now_ns)
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
