"""See hedge.pxd. step() moves the state, once a tick; overlay() shows it in this turn's targets."""
from libc.math cimport fabs

from mmcore.pairs cimport ask_take, clip_of, ready, rest_at_touch, taking
from mmcore.params cimport CHOICE_HEDGE, TRIGGER_COST, TRIGGER_MANUAL
from mmcore.states cimport RISK_STOPPED
from mmcore.types cimport (
    OVERLAY_HEDGE, SIDE_ASK, SIDE_BID, SLOTS_QUOTE, TAKE_CUT, TAKE_HEDGE, TAKE_NONE)
from mmcore.width cimport gamma_of

cdef double NO_COST = 1e18


cdef bint closes(Market market, int32_t side) noexcept nogil:
    """Whether trading a side of an instrument closes what is held there, not matched elsewhere."""
    cdef int64_t held = market.position.contracts - market.matched_contracts
    return held > 0 if side == SIDE_ASK else held < 0


cdef class Hedge:
    """The hedge under way, and what hedging has done so far."""

    def __cinit__(self):
        self.leg = -1

    cdef bint step(self, list markets, Pairs pairs, RiskGate gate, const ParamValues* params,
                   double net_btc, int64_t now_ns) noexcept:
        """Begin, go on with or end a hedge of a net exposure; True while one is under way."""
        cdef Market leg
        cdef int32_t found
        cdef int32_t side = SIDE_ASK if net_btc > 0.0 else SIDE_BID
        self.net_btc = net_btc
        if self.phase != HEDGE_IDLE:
            if (params.hedge.enabled < 0.5 or gate.state >= RISK_STOPPED or side != self.side
                    or fabs(net_btc) <= params.hedge.release_btc):
                self.finish(params, now_ns)
                return True
            leg = <Market>markets[self.leg]
            if not ready(leg) and not taking(leg.orders) and (
                    leg.exposure.worst_btc[self.side] == 0.0):
                found = self.cheapest(markets, pairs, params)
                if found < 0:
                    self.no_leg += 1
                    self.finish(params, now_ns)
                    return True
                self.leg, self.since_ns, self.phase = found, now_ns, HEDGE_RESTING
            if self.phase == HEDGE_RESTING and now_ns - self.since_ns >= <int64_t>(
                    params.hedge.passive_s * 1e9):
                self.phase, self.since_ns = HEDGE_TAKING, now_ns
            return True
        if params.hedge.enabled < 0.5 or now_ns < self.next_ns or pairs.phase != 0 or (
                gate.state >= RISK_STOPPED or gate.flattening):
            return False
        if fabs(net_btc) <= params.hedge.release_btc:
            self.asked = False
            return False
        self.side = side
        found = self.cheapest(markets, pairs, params)
        if found < 0:
            if self.due(markets, found, pairs, params):
                self.no_leg += 1
                self.next_ns = now_ns + <int64_t>(params.hedge.cooldown_s * 1e9)
            return False
        if not self.due(markets, found, pairs, params):
            return False
        self.hedges += 1
        self.leg, self.phase, self.since_ns = found, HEDGE_RESTING, now_ns
        if params.hedge.passive_s <= 0.0:
            self.phase = HEDGE_TAKING
        return True

    cdef bint due(self, list markets, int32_t leg, Pairs pairs,
                  const ParamValues* params) noexcept:
        """Whether the exposure is to be brought back now.

        cost_benefit: gamma / 2 (sigma^2 - sigma_b^2) (q^2 - (q - dq)^2) h, the risk a clip takes
        away until passive fills would have, against what the clip costs; sigma_b is the basis's.
        """
        cdef Market market
        cdef double q, dq, gamma, variance, benefit
        cdef int32_t trigger = <int32_t>params.hedge.trigger
        if self.asked:
            return True
        if trigger == TRIGGER_MANUAL:
            return False
        if trigger != TRIGGER_COST:
            return fabs(self.net_btc) > params.hedge.trigger_btc
        if leg < 0:
            return False
        market = <Market>markets[leg]
        q = fabs(self.net_btc)
        dq = params.hedge.max_clip_btc if params.hedge.max_clip_btc < q else q
        gamma = gamma_of(&params.quote, market.signals.s.reference_usd,
                         params.inventory.limit_btc, params.quote.size_btc)
        variance = market.signals.s.vol_usd * market.signals.s.vol_usd
        if not closes(market, self.side):
            variance -= pairs.spreads[leg].variance
        benefit = 0.5 * gamma * variance * (q * q - (q - dq) * (q - dq)) * params.hedge.horizon_s
        return benefit > dq * self.cost_usd(market, pairs, params)

    cdef int32_t cheapest(self, list markets, Pairs pairs, const ParamValues* params) noexcept:
        """Index of the instrument on which a clip costs least; -1: none can be traded."""
        cdef Market market
        cdef int32_t found = -1
        cdef double cost, least = NO_COST
        for market in markets:
            if not ready(market) or market.calendar.leaving or (
                    market.calendar.size_factor < 1.0 and not closes(market, self.side)):
                continue
            if <int32_t>params.hedge.choice == CHOICE_HEDGE and closes(market, self.side):
                continue
            cost = self.cost_usd(market, pairs, params)
            if cost < least:
                found, least = market.spec.index, cost
        return found

    cdef double cost_usd(self, Market market, Pairs pairs,
                         const ParamValues* params) noexcept nogil:
        """USD per BTC of a clip: taker fee, half the spread, slippage; a hedge has to be undone.

        That takes a maker fee on each leg. Selling what is rich to its fair basis, or buying what
        is cheap, earns the distance.
        """
        cdef double price = market.signals.s.reference_usd
        cdef double cost = (<double>market.spec.taker_fee_e8 * 1e-8
                            + params.hedge.slip_bps * 1e-4) * price
        cdef double off
        cost += 0.5 * market.signals.s.spread_usd
        if closes(market, self.side):
            return cost
        cost += 2.0 * <double>market.spec.maker_fee_e8 * 1e-8 * price
        if pairs.spreads[market.spec.index].has:
            off = pairs.spreads[market.spec.index].usd - pairs.spreads[market.spec.index].fair_usd
            cost -= off if self.side == SIDE_ASK else -off
        return cost

    cdef void finish(self, const ParamValues* params, int64_t now_ns) noexcept nogil:
        self.phase, self.leg = HEDGE_IDLE, -1
        self.asked = False
        self.next_ns = now_ns + <int64_t>(params.hedge.cooldown_s * 1e9)

    # ------------------------------------------------------------------ in a turn
    cdef void overlay(self, list markets, const ParamValues* params, double net_btc,
                      int64_t now_ns) noexcept:
        """Put the hedge in place of its side's ladder, or ask for liquidity."""
        cdef Market market, other
        cdef double left = (net_btc if self.side == SIDE_ASK else -net_btc) - (
            params.hedge.release_btc)
        cdef int64_t clip, held
        cdef bint cut
        if self.phase == HEDGE_IDLE:
            return
        market = <Market>markets[self.leg]
        if not market.dirty or market.target.closing:
            return
        clip = clip_of(market, left if left < params.hedge.max_clip_btc
                       else params.hedge.max_clip_btc)
        cut = closes(market, self.side)
        if cut:
            held = market.position.contracts - market.matched_contracts
            held = held if held > 0 else -held
            clip = held if held < clip else clip
        if self.phase == HEDGE_RESTING:
            rest_at_touch(market, self.side, clip, OVERLAY_HEDGE)
            market.target.reducing[self.side] = cut
            return
        rest_at_touch(market, self.side, 0, OVERLAY_HEDGE)
        if now_ns < self.next_ns:
            return
        for other in markets:           # what is on its way elsewhere may be filled too
            if taking(other.orders):
                return
        ask_take(market, TAKE_CUT if cut else TAKE_HEDGE, self.side, clip, cut, True)

    cdef void note_taken(self, int32_t why, const ParamValues* params,
                         int64_t now_ns) noexcept nogil:
        """A take has left: the next waits for the cooldown."""
        if self.phase == HEDGE_TAKING and why != TAKE_NONE:
            self.takes += 1
            self.next_ns = now_ns + <int64_t>(params.hedge.cooldown_s * 1e9)

    cdef void on_fill(self, Market market, const Fill* fill, double worth_btc) noexcept nogil:
        """Count what was hedged: at the touch, or taken."""
        if fill.slot >= SLOTS_QUOTE:
            if market.taking == TAKE_HEDGE:
                self.done_btc += worth_btc
        elif fill.slot >= 0 and self.phase != HEDGE_IDLE and (
                market.spec.index == self.leg and fill.side == self.side):
            self.done_btc += worth_btc

    # ------------------------------------------------------------------ Python face
    def figures(self):
        """What is hedged now, and what has been, as a dict."""
        return {"phase": HedgePhase(self.phase).name, "leg": self.leg, "side": self.side,
                "asked": self.asked, "net_btc": self.net_btc, "hedges": self.hedges,
                "takes": self.takes, "no_leg": self.no_leg, "done_btc": self.done_btc}
