"""See pairs.pxd. step() moves the state, once a tick; overlay() shows it in this turn's targets."""
from libc.math cimport exp2, fabs, fmax

from mmcore.book cimport NO_ASK, NO_BID
from mmcore.orders cimport OrderTable, order_slot_free
from mmcore.params cimport LEG_CUT
from mmcore.states cimport RISK_ACTIVE
from mmcore.types cimport (
    INSTRUMENT_INVERSE, OVERLAY_CLOSE, OVERLAY_OPEN, SIDE_ASK, SIDE_BID, SLOTS_MAX, SLOTS_QUOTE,
    TAKE_NONE, TAKE_PAIR, TAKE_UNPAIR, TIF_IOC, contracts_of_btc, lots_down, price_usd, sign_of,
    ticks_down, ticks_up)

cdef double SECOND = 1e9
cdef double YEAR_MS = 365.0 * 86_400_000.0
cdef double SPREAD_HALF_LIFE_S = 60.0
cdef int64_t SAMPLE_NS = 1_000_000_000
cdef int64_t PAUSE_NS = 1_000_000_000   # after a pair was given up or done
cdef int64_t PATIENCE = 10              # leg timeouts after which an uneven pair is left to others


cdef bint ready(Market market) noexcept nogil:
    """Whether a leg can be traded now: nothing forbids it, and both sides of its book stand."""
    return (market.blocked == 0 and market.book.valid and market.signals.s.two_sided
            and not market.calendar.settling and not market.stopping
            and market.turn_share >= 1.0)       # a standby has to wait


cdef bint pairable(Market market, double contract_size) noexcept nogil:
    """Inverse contracts of one size match one to one."""
    return market.spec.kind == INSTRUMENT_INVERSE and market.spec.contract_size == contract_size


cdef bint taking(OrderTable orders) noexcept nogil:
    """Whether a take is out, or not known to be over."""
    cdef int32_t slot
    for slot in range(SLOTS_QUOTE, SLOTS_MAX):
        if not order_slot_free(&orders.orders[slot]):
            return True
    return False


cdef int64_t clip_of(Market market, double size_btc) noexcept nogil:
    """Whole lots worth so many BTC."""
    return lots_down(&market.spec, contracts_of_btc(&market.spec, size_btc,
                                                    market.signals.s.reference_usd))


cdef void rest_at_touch(Market market, int32_t side, int64_t contracts,
                        int32_t overlay) noexcept nogil:
    """One rung at the best price of its side, in place of the ladder there."""
    cdef int64_t touch = market.signals.s.others_ticks[side]
    market.target.count[side] = market.target.first[side] = 0
    market.target.why.overlay[side] = overlay
    market.target.why.removed[side] = 0
    market.overlaid[side] = True
    if contracts <= 0 or not NO_BID < touch < NO_ASK:
        return
    market.target.why.half_floor_usd = 0.0      # what pays for it is not the spread
    market.target.rungs[side][0].price_ticks = touch
    market.target.rungs[side][0].amount_contracts = contracts
    market.target.count[side] = 1


cdef bint ask_take(Market market, int32_t why, int32_t side, int64_t contracts,
                   bint reduce_only, bint lowers_net) noexcept nogil:
    """Ask for liquidity, once nothing of ours rests on that side; False where it has to wait."""
    cdef int64_t touch = market.signals.s.others_ticks[1 - side]
    cdef double price
    if (market.target.take.why != TAKE_NONE or taking(market.orders)
            or market.exposure.worst_btc[side] > 0.0 or contracts <= 0
            or not NO_BID < touch < NO_ASK):
        return False
    price = price_usd(&market.spec, touch) * (
        1.0 + sign_of(side) * market.params.v.orders.take_limit_bps * 1e-4)
    if side == SIDE_BID and 0.0 < market.signals.s.max_price_usd < price:
        price = market.signals.s.max_price_usd
    if side == SIDE_ASK and price < market.signals.s.min_price_usd:
        price = market.signals.s.min_price_usd
    market.target.take.why, market.target.take.side = why, side
    market.target.take.time_in_force = TIF_IOC
    market.target.take.reduce_only, market.target.take.lowers_net = reduce_only, lowers_net
    market.target.take.price_ticks = (ticks_down(&market.spec, price) if side == SIDE_BID
                                      else ticks_up(&market.spec, price))
    market.target.take.amount_contracts = contracts
    market.target.why.take = why
    market.target.why.take_contracts = sign_of(side) * contracts
    return True


cdef double profit_bps(Market dated, Market lead) noexcept nogil:
    """What closing a matched pair at the mids would leave of it, after the fees of both ways.

    Opening counts a taker fee on the dated leg, whether it was one or not. Per USD matched and
    times the price: (1/a - 1/b) P is the return of a long from a to b.
    """
    cdef double in_lead = lead.statement.average_usd(&lead.spec)
    cdef double in_dated = dated.statement.average_usd(&dated.spec)
    cdef double sign = 1.0 if lead.matched_contracts > 0 else -1.0
    cdef double fees = <double>(2 * lead.spec.maker_fee_e8 + dated.spec.maker_fee_e8
                                + dated.spec.taker_fee_e8) * 1e-4
    if in_lead <= 0.0 or in_dated <= 0.0:
        return -1e9
    return sign * lead.signals.s.mid_usd * (
        1.0 / in_lead - 1.0 / lead.signals.s.mid_usd
        + 1.0 / dated.signals.s.mid_usd - 1.0 / in_dated) * 1e4 - fees


cdef class Pairs:
    """Matched positions, the basis of each dated contract, and the pair being traded."""

    def __cinit__(self):
        self.dated = -1

    # ------------------------------------------------------------------ what is matched
    cdef void match(self, list markets, int32_t lead) noexcept:
        """Match longs with shorts, the lead first, then by index."""
        cdef Market market
        cdef int64_t total[2]
        cdef int64_t left[2]
        cdef int64_t held, most, part
        cdef int32_t i, side
        cdef double size = (<Market>markets[lead if lead >= 0 else 0]).spec.contract_size
        total[0] = total[1] = 0
        for market in markets:
            if pairable(market, size):
                held = market.position.contracts
                total[SIDE_BID if held > 0 else SIDE_ASK] += held if held > 0 else -held
        left[0] = left[1] = total[0] if total[0] < total[1] else total[1]
        for i in range(-1, <int32_t>len(markets)):
            if i == lead or (i < 0 and lead < 0):
                continue
            market = <Market>markets[lead if i < 0 else i]
            held = market.position.contracts
            side = SIDE_BID if held > 0 else SIDE_ASK
            most = held if held > 0 else -held
            part = 0
            if pairable(market, size):
                part = most if most < left[side] else left[side]
            left[side] -= part
            if side == SIDE_ASK:
                part = -part
            if part != market.matched_contracts:
                market.statement.mark_to(&market.spec, market.signals.s.mid_usd)
                market.statement.match(part)
                market.matched_contracts = part

    # ------------------------------------------------------------------ the basis
    cdef void observe(self, list markets, int32_t lead, const ParamValues* params,
                      int64_t now_ns) noexcept:
        """Once a second: basis of each dated contract, its fair value and the size of its moves."""
        cdef Market first = <Market>markets[lead]
        cdef Market market
        cdef Spread* spread
        cdef double now_usd, carry, dt, weight
        if first.signals.s.mid_usd <= 0.0:
            return
        for market in markets:
            if market.spec.expiry_ms == 0 or market.signals.s.mid_usd <= 0.0 or (
                    not market.signals.s.has_lead_basis):
                continue
            spread = &self.spreads[market.spec.index]
            now_usd = market.signals.s.mid_usd - first.signals.s.micro_usd
            carry = first.signals.s.index_usd * params.basis.carry_year * (
                <double>(market.spec.expiry_ms - market.calendar.second * 1000) / YEAR_MS)
            spread.fair_usd = market.signals.s.lead_basis_usd
            if params.basis.carry_weight > 0.0 and market.calendar.second > 0:
                spread.fair_usd += params.basis.carry_weight * (carry - spread.fair_usd)
            if spread.has and now_ns - spread.sampled_ns < SAMPLE_NS:
                spread.usd = now_usd
                continue
            if spread.has:
                dt = <double>(now_ns - spread.sampled_ns) / SECOND
                weight = exp2(-dt / SPREAD_HALF_LIFE_S)
                spread.variance = weight * spread.variance + (1.0 - weight) * (
                    (now_usd - spread.usd) * (now_usd - spread.usd) / dt)
            spread.usd, spread.sampled_ns, spread.has = now_usd, now_ns, True

    cdef double off_bps(self, Market dated, Market lead) noexcept nogil:
        """How far the basis is from fair, in bps of the price; above 0 the dated one is rich."""
        cdef const Spread* spread = &self.spreads[dated.spec.index]
        if not spread.has or lead.signals.s.mid_usd <= 0.0:
            return 0.0
        return (spread.usd - spread.fair_usd) / lead.signals.s.mid_usd * 1e4

    # ------------------------------------------------------------------ the state
    cdef bint step(self, list markets, int32_t lead, RiskGate gate, const ParamValues* params,
                   bint hedging, int64_t now_ns) noexcept:
        """Begin, go on with or end a pair; True while one is traded."""
        cdef Market dated
        cdef int64_t uneven
        self.adds = gate.state == RISK_ACTIVE
        if self.phase == PAIR_IDLE:
            if now_ns < self.next_ns or hedging or not self.adds or not ready(
                    <Market>markets[lead]):
                return False
            return self.begin(markets, lead, params, now_ns)
        dated = <Market>markets[self.dated]
        uneven = self.done[0] + self.done[1]
        if uneven == 0:
            self.uneven_ns = 0
            if self.done[0] != 0:               # a clip is whole
                if self.phase == PAIR_OPENING:
                    self.opened += 1
                else:
                    self.closed += 1
                self.done[0] = self.done[1] = 0
            if hedging or not self.adds or not ready(dated) or not ready(
                    <Market>markets[lead]) or not self.goes_on(
                    dated, <Market>markets[lead], params):
                self.finish(now_ns)
        elif self.uneven_ns == 0:
            self.uneven_ns = now_ns
        elif now_ns - self.uneven_ns > PATIENCE * <int64_t>(params.basis.leg_timeout_ms * 1e6):
            self.finish(now_ns)     # neither leg can be had: it is inventory like any other now
        return True

    cdef bint begin(self, list markets, int32_t lead, const ParamValues* params,
                    int64_t now_ns) noexcept:
        """Find the pair worth trading most: one to close, else the basis furthest from fair."""
        cdef Market first = <Market>markets[lead]
        cdef Market market
        cdef double off, best = 0.0
        cdef int32_t found = -1, found_side = 0
        self.phase = PAIR_IDLE
        for market in markets:
            if market.spec.expiry_ms == 0 or not ready(market) or not pairable(
                    market, first.spec.contract_size):
                continue
            self.dated = market.spec.index
            if market.matched_contracts != 0 and first.matched_contracts != 0:
                self.phase = PAIR_CLOSING
                self.side = SIDE_ASK if market.matched_contracts > 0 else SIDE_BID
                if self.goes_on(market, first, params):
                    break
                self.phase = PAIR_IDLE
        else:
            for market in markets:
                if market.spec.expiry_ms == 0 or not ready(market) or not pairable(
                        market, first.spec.contract_size):
                    continue
                off = self.off_bps(market, first)
                if fabs(off) <= best:
                    continue
                self.dated, self.side = market.spec.index, SIDE_ASK if off > 0.0 else SIDE_BID
                self.phase = PAIR_OPENING
                if self.goes_on(market, first, params):
                    best, found, found_side = fabs(off), self.dated, self.side
            self.dated, self.side = found, found_side
            self.phase = PAIR_OPENING if found >= 0 else PAIR_IDLE
        self.done[0] = self.done[1] = 0
        self.uneven_ns = 0
        if self.phase == PAIR_IDLE:
            self.dated = -1
        return self.phase != PAIR_IDLE

    cdef bint goes_on(self, Market dated, Market lead, const ParamValues* params) noexcept nogil:
        """Whether a further clip is wanted, from even legs."""
        cdef double off, band
        if self.phase == PAIR_CLOSING:
            if dated.matched_contracts == 0 or lead.matched_contracts == 0 or (
                    (dated.matched_contracts > 0) != (self.side == SIDE_ASK)):
                return False
            # near its end a pair goes together, at whatever it brings
            return dated.calendar.size_factor < 1.0 or (
                profit_bps(dated, lead) >= params.basis.close_bps)
        if params.basis.enabled < 0.5 or dated.calendar.leaving or (
                dated.calendar.size_factor < 1.0):
            return False
        off = self.off_bps(dated, lead)
        band = fmax(params.basis.band_bps, 2e-4 * <double>(
            lead.spec.maker_fee_e8 + dated.spec.maker_fee_e8) + params.basis.close_bps)
        if (off > 0.0) != (self.side == SIDE_ASK) or fabs(off) < band:
            return False
        return fabs(<double>dated.matched_contracts) + <double>clip_of(
            dated, params.basis.size_btc) <= <double>clip_of(dated, params.basis.max_btc)

    cdef void finish(self, int64_t now_ns) noexcept nogil:
        self.phase, self.dated = PAIR_IDLE, -1
        self.done[0] = self.done[1] = 0
        self.uneven_ns = 0
        self.next_ns = now_ns + PAUSE_NS

    cdef void on_fill(self, Market market, int32_t lead, const Fill* fill) noexcept nogil:
        """Count a fill of a leg: a quote of its side, or what was taken for the pair."""
        cdef int32_t leg = 0 if market.spec.index == self.dated else 1
        cdef int32_t side = self.side if leg == 0 else 1 - self.side
        if self.phase == PAIR_IDLE or (leg == 1 and market.spec.index != lead):
            return
        if fill.slot >= SLOTS_QUOTE:
            if market.taking != TAKE_PAIR and market.taking != TAKE_UNPAIR:
                return
        elif fill.slot < 0 or fill.side != side:
            return
        self.done[leg] += sign_of(fill.side) * fill.amount_contracts

    cdef void note_taken(self, int32_t why) noexcept nogil:
        """A take has left: count it where it was for a pair."""
        self.taken += why == TAKE_PAIR
        self.cut += why == TAKE_UNPAIR

    # ------------------------------------------------------------------ in a turn
    cdef void overlay(self, list markets, int32_t lead, const ParamValues* params,
                      int64_t now_ns) noexcept:
        """Put the legs in place of the ladders of their sides."""
        cdef Market dated, first
        cdef int64_t clip, uneven = self.done[0] + self.done[1]
        if self.phase == PAIR_IDLE:
            return
        dated, first = <Market>markets[self.dated], <Market>markets[lead]
        clip = clip_of(dated, params.basis.size_btc)
        if self.phase == PAIR_CLOSING:
            for held in (dated.matched_contracts, first.matched_contracts):
                held = held if held > 0 else -held
                if held < clip:
                    clip = held
        # bought too much: the selling leg is the one that is missing, and the other way round
        self.quote_leg(dated, self.side,
                       clip if uneven == 0 else missing(uneven, self.side))
        self.quote_leg(first, 1 - self.side,
                       clip if uneven == 0 else missing(uneven, 1 - self.side))
        if uneven != 0 and self.uneven_ns > 0 and now_ns - self.uneven_ns >= <int64_t>(
                params.basis.leg_timeout_ms * 1e6):
            if missing(uneven, self.side) != 0:
                self.even_out(dated, first, params)
            else:
                self.even_out(first, dated, params)

    cdef void quote_leg(self, Market market, int32_t side, int64_t contracts) noexcept nogil:
        cdef int32_t overlay = OVERLAY_OPEN
        if not market.dirty or market.target.closing:
            return
        if self.phase == PAIR_CLOSING:
            overlay = OVERLAY_CLOSE
        rest_at_touch(market, side, contracts, overlay)
        market.target.reducing[side] = self.phase == PAIR_CLOSING

    cdef void even_out(self, Market lacks, Market filled,
                       const ParamValues* params) noexcept nogil:
        """Take the missing leg, or give the other one back; where one cannot be had, the other."""
        cdef int64_t uneven = self.done[0] + self.done[1]
        cdef int64_t amount = uneven if uneven > 0 else -uneven
        cdef int32_t side = SIDE_ASK if uneven > 0 else SIDE_BID
        cdef bint closing = self.phase == PAIR_CLOSING
        cdef bint give_back = not closing and <int32_t>params.basis.leg_action == LEG_CUT
        if not ready(filled) or closing:
            give_back = False
        elif not ready(lacks) or not self.adds:
            give_back = True
        if give_back and filled.dirty:
            rest_at_touch(lacks, side, 0, OVERLAY_OPEN)     # or it would come after all
            rest_at_touch(filled, side, 0, OVERLAY_OPEN)
            if lacks.exposure.worst_btc[side] == 0.0:
                ask_take(filled, TAKE_UNPAIR, side, amount, True, False)
        elif not give_back and lacks.dirty and ready(lacks):
            rest_at_touch(lacks, side, 0, lacks.target.why.overlay[side])
            ask_take(lacks, TAKE_PAIR, side, amount, closing, False)

    # ------------------------------------------------------------------ Python face
    def figures(self):
        """What is traded now, and what has been, as a dict."""
        return {"phase": PairPhase(self.phase).name, "dated": self.dated, "side": self.side,
                "uneven_contracts": self.done[0] + self.done[1], "opened": self.opened,
                "closed": self.closed, "taken": self.taken, "cut": self.cut}

    def basis(self, int32_t market):
        """(basis, fair basis, standard deviation a square-root second) of a market, USD; None."""
        if not 0 <= market < MARKETS_MAX or not self.spreads[market].has:
            return None
        return (self.spreads[market].usd, self.spreads[market].fair_usd,
                self.spreads[market].variance ** 0.5)


cdef int64_t missing(int64_t uneven, int32_t side) noexcept nogil:
    """Contracts a leg of this side still has to trade; 0 for the one that is ahead."""
    if (uneven > 0) == (side == SIDE_ASK):
        return uneven if uneven > 0 else -uneven
    return 0
