"""See limits.pxd. Every rule here ends in a state of the gate, a fault, or a request to take."""
from libc.math cimport fabs, floor, fmax, fmin, sqrt

from mmcore.faults cimport FAULT_DRAWDOWN, FAULT_THROTTLE
from mmcore.ledger cimport EDGE_BUCKETS, NET_FILLS, EdgeStat
from mmcore.market cimport THROTTLE_FILLS_MAX
from mmcore.params cimport pairs_on
from mmcore.reduction cimport exit_usd
from mmcore.states cimport (
    REASON_DAY, REASON_EDGE, REASON_EXPOSURE, REASON_JOURNAL, REASON_MARGIN, REASON_OPERATOR,
    REASON_STOP_LOSS, RISK_ACTIVE, RISK_KILLED, RISK_PAUSED, RISK_STOPPED)
from mmcore.types cimport (
    CONTROL_DAY, CONTROL_DAY_HIGH, CONTROL_EQUITY, CONTROL_FLATTEN, CONTROL_MARGIN, CONTROL_PAUSE,
    CONTROL_REDUCE, CONTROL_RESUME, CONTROL_STOP, INSTRUMENT_INVERSE, SIDE_ASK, SIDE_BID,
    TAKE_EXPIRY, TAKE_FLATTEN, TAKE_STOP, TIF_IOC, contracts_of_btc, delta_btc,
    lots_down, price_usd, ticks_down, ticks_up)

cdef int64_t SECOND = 1_000_000_000
cdef int64_t HOUR = 3_600 * SECOND
cdef int64_t SLICE_NS = 250_000_000         # between two closing slices


cdef void hold_back(Market market) noexcept nogil:
    """Nothing but a closing is wanted there now."""
    market.target.count[0] = market.target.count[1] = 0
    market.target.first[0] = market.target.first[1] = 0
    market.target.why.removed[0] = market.target.why.removed[1] = 0
    market.target.take.why = 0
    market.target.closing = True


cdef class Limits:
    """Loss limits of position and day, margin, equity steps, repeated execution, edge."""

    cdef bint on_control(self, const Control* control, RiskGate gate) noexcept nogil:
        """Take a word on state, account or day; False where it is for somebody else."""
        if control.kind == CONTROL_PAUSE:
            if control.value > 0:       # without a reason: what cannot be written down
                gate.pause_until(gate.now_ns + control.value,
                                 <int32_t>control.real if control.real > 0.0 else REASON_JOURNAL)
            else:
                gate.to_state(RISK_PAUSED,
                              <int32_t>control.real if control.real > 0.0 else REASON_OPERATOR)
        elif control.kind == CONTROL_RESUME:
            if gate.to_state(RISK_ACTIVE, REASON_OPERATOR):
                gate.flattening = False     # else the next position, too, would be closed
        elif control.kind == CONTROL_STOP:
            gate.to_state(RISK_STOPPED, REASON_OPERATOR)
        elif control.kind == CONTROL_REDUCE:
            gate.reduce_while(REASON_OPERATOR, control.value != 0)
        elif control.kind == CONTROL_FLATTEN:
            gate.flattening = control.value != 0
        elif control.kind == CONTROL_MARGIN:
            gate.account.margin_btc = <double>control.value * 1e-8
            gate.account.margin_balance_btc = control.real
        elif control.kind == CONTROL_DAY:
            self.day.number = control.value
            self.day.base = -control.real
            self.day.armed = True
        elif control.kind == CONTROL_DAY_HIGH:
            self.day.high = control.real if control.real > 0.0 else 0.0
            self.day.trips = <int32_t>control.value
            self.day.armed = self.day.trips == 0
        else:
            if control.kind == CONTROL_EQUITY:
                gate.account.equity_btc = control.real
            return False
        return True

    cdef void on_fill(self, Market market, const Fill* fill, RiskGate gate, Faults faults,
                      const ParamValues* params, int64_t now_ns) noexcept nogil:
        """Count executions of one side; too many or too much pauses it, too many pauses kill."""
        cdef int32_t side = fill.side, i, fills = 0, pauses = 0
        cdef uint64_t place = market.throttle_count[side] % THROTTLE_FILLS_MAX
        cdef int64_t since = now_ns - <int64_t>(params.risk.throttle_s * 1e9)
        cdef double total = 0.0
        market.throttle_ns[side][place] = now_ns
        market.throttle_btc[side][place] = delta_btc(
            &market.spec, fill.amount_contracts, price_usd(&market.spec, fill.price_ticks))
        market.throttle_count[side] += 1
        for i in range(THROTTLE_FILLS_MAX):
            if <uint64_t>i >= market.throttle_count[side]:
                break
            if market.throttle_ns[side][i] > since and market.throttle_btc[side][i] > 0.0:
                fills += 1
                total += market.throttle_btc[side][i]
        if not (0.0 < params.risk.throttle_fills < fills
                or 0.0 < params.risk.throttle_btc < total):
            return
        if now_ns < market.barred_ns[side]:
            return                      # paused already: fills of orders on their way out
        market.barred_ns[side] = now_ns + <int64_t>(params.risk.throttle_pause_s * 1e9)
        self.throttled_ns[self.throttles % THROTTLE_PAUSES_MAX] = now_ns
        self.throttles += 1
        for i in range(THROTTLE_PAUSES_MAX):
            if <uint64_t>i < self.throttles and self.throttled_ns[i] > now_ns - HOUR:
                pauses += 1
        if 0.0 < params.risk.throttle_pauses_kill <= pauses:
            faults.check(False, FAULT_THROTTLE)

    cdef bint check(self, void** markets, int32_t count, RiskGate gate, Faults faults,
                    const ParamValues* params, int64_t now_ns, int64_t wall_ns) noexcept:
        """Look at everything once a tick; True where the state of risk changed. markets: Market."""
        cdef int32_t state = gate.state
        cdef bint flattening = gate.flattening
        gate.now_ns = now_ns
        self.at_cap = False
        self.add_up(markets, count)
        if self.priced:
            self.check_day(gate, faults, params, now_ns, wall_ns)
        self.check_account(markets, count, gate, params)
        self.check_stops(markets, count, gate, params, now_ns)
        self.judge_edges(markets, count, gate, params, now_ns)
        return gate.state != state or gate.flattening != flattening

    cdef void add_up(self, void** markets, int32_t count) noexcept:
        """Profit of every instrument in BTC, at the mark."""
        cdef Market market
        cdef double mark, factor, unrealized
        cdef int32_t i
        self.total_btc = self.unrealized_btc = 0.0
        self.priced = True
        for i in range(count):
            market = <Market>markets[i]
            mark = market.signals.s.mark_usd
            if mark <= 0.0:
                mark = market.signals.s.reference_usd
            if mark <= 0.0 and (market.position.contracts != 0 or market.ledger.fills > 0):
                self.priced = False
            unrealized = market.statement.unrealized(&market.spec, mark)
            factor = 1.0
            if market.spec.kind != INSTRUMENT_INVERSE:
                factor = 1.0 / mark if mark > 0.0 else 0.0
            self.total_btc += market.statement.profit(unrealized) * factor
            self.unrealized_btc += unrealized * factor

    cdef void check_day(self, RiskGate gate, Faults faults, const ParamValues* params,
                        int64_t now_ns, int64_t wall_ns) noexcept nogil:
        """Loss from the day's start and from its best: smaller and wider, then pause, then kill."""
        cdef Day* day = &self.day
        cdef int64_t number = day_number(wall_ns)
        cdef double loss, soft = params.risk.day_soft_btc
        if number > 0 and day.number != number:
            if day.number > 0:          # else the day is learnt: what was lost before it counts
                day.base = self.total_btc
            day.number = number
            day.high = 0.0
            day.trips = 0
            day.armed = True
        day.profit = self.total_btc - day.base
        if day.profit > day.high:
            day.high = day.profit
        loss = day.high - day.profit
        if 0.0 < params.risk.day_kill_btc <= loss:
            faults.check(False, FAULT_DRAWDOWN)
            return
        if soft <= 0.0:
            return
        if day.trips == 0 and loss < soft:
            return
        if loss < 0.5 * soft:
            day.armed = True            # recovered: the next loss is another one
        if (loss >= soft and (day.armed or day.trips == 0)) or loss >= soft * (day.trips + 1):
            day.trips += 1
            day.armed = False
            if day.trips >= 2:
                gate.pause_until(now_ns + <int64_t>(params.risk.cooloff_s * 1e9), REASON_DAY)

    cdef void check_account(self, void** markets, int32_t count, RiskGate gate,
                            const ParamValues* params) noexcept:
        """Margin, equity steps, the stress limits, and positions beyond a limit by price alone."""
        cdef Market market
        cdef double scale = 1.0, rate = 0.0, net = 0.0, gross = 0.0, size
        cdef double capital = params.inventory.capital_btc
        cdef bint over = False, rescaled = False, tripped = self.day.trips > 0
        cdef int32_t i
        if capital > 0.0 and gate.account.equity_btc > 0.0:
            scale = floor(gate.account.equity_btc / capital * 10.0 + 0.5) * 0.1
        if scale > 1.0:
            scale = 1.0
        if scale < gate.account.scale or self.day.number != gate.scaled_day:
            gate.account.scale = scale      # never up within a day
            gate.scaled_day = self.day.number
            rescaled = True
        size = gate.account.scale * (params.risk.day_size_factor if tripped else 1.0)
        for i in range(count):
            market = <Market>markets[i]
            market.dirty |= rescaled
            market.risk_size_factor = size
            market.risk_spread_factor = params.risk.day_spread_factor if tripped else 1.0
            if market.exposure.margin_rate > rate:
                rate = market.exposure.margin_rate
            net += market.exposure.position_btc
            gross += fabs(market.exposure.position_btc)
            over |= fabs(market.exposure.unmatched_btc) > market.exposure.limit_btc * 1.0001 + 1e-9
        self.leverage = gross / gate.account.equity_btc if gate.account.equity_btc > 0.0 else 0.0
        self.set_stress(gate, rate, params)
        if gate.net_limit_btc > 0.0:        # limits of the last turn
            over |= fabs(net) > gate.net_limit_btc * 1.0001
            over |= gate.gross_limit_btc > 0.0 and gross > gate.gross_limit_btc * 1.0001
            over |= 0.0 < gate.leverage_limit_btc * 1.0001 < gross
            gate.reduce_while(REASON_EXPOSURE, over)
        self.margin_use = 0.0
        if gate.account.margin_balance_btc > 0.0:
            self.margin_use = gate.account.margin_btc / gate.account.margin_balance_btc
        gate.reduce_while(REASON_MARGIN, 0.0 < params.risk.margin_use_max < self.margin_use)

    cdef void set_stress(self, RiskGate gate, double rate,
                         const ParamValues* params) noexcept nogil:
        """Net and gross exposure that a large move leaves inside the kill and margin limits.

        A long of q BTC loses q (1 / (1 - s) - 1) when the price falls by s: more than it gains
        when it rises, because the contract is inverse.
        """
        cdef double s = params.risk.stress_kill_pct * 0.01
        cdef double left = params.risk.day_kill_btc - (self.day.high - self.day.profit)
        gate.account.stress_net_btc = gate.account.stress_gross_btc = 0.0
        if 0.0 < s < 1.0 and params.risk.day_kill_btc > 0.0:
            gate.account.stress_net_btc = (left if left > 1e-6 else 1e-6) / (1.0 / (1.0 - s) - 1.0)
        s = params.risk.stress_margin_pct * 0.01
        if 0.0 < s < 1.0 and gate.account.equity_btc > 0.0:
            gate.account.stress_gross_btc = gate.account.equity_btc / (
                1.0 / (1.0 - s) - 1.0 + 2.0 * rate / (1.0 - s))

    cdef void check_stops(self, void** markets, int32_t count, RiskGate gate,
                          const ParamValues* params, int64_t now_ns) noexcept:
        """Close a position whose loss, at the worse of mark and exit, or move is too large."""
        cdef Market market
        cdef double average, worse, loss, move
        cdef bint stopping = False, flat = True
        cdef int32_t i
        for i in range(count):
            market = <Market>markets[i]
            if market.position.contracts == 0:
                market.stopping = False
                continue
            flat = False
            market.dirty |= market.stopping or gate.flattening or market.out_of_time()
            average = market.statement.average_usd(&market.spec)
            worse = market.signals.s.mark_usd
            move = exit_usd(&market.spec, market.book, market.position.contracts)
            if move > 0.0 and (worse <= 0.0 or (
                    move < worse if market.position.contracts > 0 else move > worse)):
                worse = move
            if worse > 0.0 and average > 0.0 and not market.stopping:
                loss = -market.statement.unrealized(&market.spec, worse) / (
                    1.0 if market.spec.kind == INSTRUMENT_INVERSE else worse)
                move = (worse / average - 1.0) * (-100.0 if market.position.contracts > 0
                                                  else 100.0)
                if market.matched_contracts != 0 and pairs_on(params):
                    # what another position makes good is no loss; only the rest may run away
                    loss *= <double>market.inventory.contracts / <double>market.position.contracts
                    move = move if market.inventory.contracts != 0 else 0.0
                if 0.0 < params.risk.stop_loss_btc <= loss or (
                        0.0 < params.risk.stop_move_pct <= move):
                    market.stopping = True
                    market.dirty = True
                    self.stops += 1
            stopping |= market.stopping
        if stopping:
            self.stop_until_ns = now_ns + <int64_t>(params.risk.stop_pause_s * 1e9)
        gate.reduce_while(REASON_STOP_LOSS, stopping or now_ns < self.stop_until_ns)
        if flat and gate.state == RISK_KILLED:
            gate.flattening = False

    cdef void judge_edges(self, void** markets, int32_t count, RiskGate gate,
                          const ParamValues* params, int64_t now_ns) noexcept:
        """Once a second: what a side's fills at a distance earned after fee and the mid's move."""
        cdef Market market
        cdef EdgeStat* stat
        cdef int32_t i, side, bucket
        cdef double bound, fills
        if now_ns - self.learnt_ns < EDGES_NS:
            return
        self.learnt_ns = now_ns
        for i in range(count):
            market = <Market>markets[i]
            if market.ledger.net_negative() and params.risk.net_negative_pause_s > 0.0:
                gate.pause_until(now_ns + <int64_t>(params.risk.net_negative_pause_s * 1e9),
                                 REASON_EDGE)
            for side in range(2):
                for bucket in range(EDGE_BUCKETS):
                    stat = &market.ledger.edges[side][bucket]
                    if market.edge_until_ns[side][bucket] > 0:
                        if now_ns < market.edge_until_ns[side][bucket]:
                            continue
                        # on probation: what was learnt is old by now
                        market.edge_until_ns[side][bucket] = 0
                        market.exposure.edge_floor_bps[side][bucket] = 0.0
                        stat.fills = 0
                        stat.mean_bps = stat.spread_bps = 0.0
                    if params.risk.edge_gate < 0.5 or stat.fills < <int64_t>params.risk.edge_fills:
                        continue
                    fills = <double>(stat.fills if stat.fills < NET_FILLS else NET_FILLS)
                    bound = stat.mean_bps - params.risk.edge_z * sqrt(stat.spread_bps / fills)
                    market.exposure.edge_floor_bps[side][bucket] = (
                        <double>market.spec.maker_fee_e8 * 1e-4
                        + 0.5 * params.quote.min_edge_bps - bound)
                    market.edge_until_ns[side][bucket] = now_ns + <int64_t>(
                        params.risk.edge_pause_s * 1e9)

    cdef void plan_exit(self, Market market, RiskGate gate, int64_t now_ns) noexcept nogil:
        """Put the closing of a position in place of what was to be quoted and taken."""
        if market.position.contracts == 0:
            return
        if (gate.flattening or market.stopping) and self.waits_for_other(market, gate):
            hold_back(market)
        elif gate.flattening:
            self.close_out(market, &market.params.v, TAKE_FLATTEN, now_ns)
        elif market.stopping:
            self.close_out(market, &market.params.v, TAKE_STOP, now_ns)
        elif market.out_of_time():
            self.close_out(market, &market.params.v, TAKE_EXPIRY, now_ns)

    cdef bint waits_for_other(self, Market market, RiskGate gate) noexcept nogil:
        """Whether closing a slice here would widen the net: the other leg of a pair goes first."""
        cdef double net = gate.net_btc, held = market.exposure.position_btc
        return net * held < 0.0 and fabs(net) >= fmin(market.params.v.risk.flatten_clip_btc,
                                                      fabs(held))

    cdef void close_out(self, Market market, const ParamValues* params, int32_t why,
                        int64_t now_ns) noexcept nogil:
        """A slice that takes down to the cap from the mark; beyond the cap an order rests there."""
        cdef int32_t side = SIDE_ASK if market.position.contracts > 0 else SIDE_BID
        cdef double sign = 1.0 if side == SIDE_BID else -1.0
        cdef double mark = market.signals.s.mark_usd
        cdef double cap, collar, best
        cdef int64_t held = market.position.contracts * (1 if side == SIDE_ASK else -1)
        cdef int64_t clip, ticks
        if mark <= 0.0:
            mark = market.signals.s.reference_usd
        if mark <= 0.0:
            return
        cap = mark * (1.0 + sign * params.risk.kill_flatten_cap_bps * 1e-4)
        if market.signals.s.max_price_usd > 0.0 and cap > market.signals.s.max_price_usd:
            cap = market.signals.s.max_price_usd
        if cap < market.signals.s.min_price_usd:
            cap = market.signals.s.min_price_usd
        if market.signals.s.reference_usd > 0.0:    # the collar would refuse a price beyond it
            collar = market.signals.s.reference_usd * (
                1.0 + sign * params.risk.price_collar_bps * 1e-4)
            cap = fmin(cap, collar) if side == SIDE_BID else fmax(cap, collar)
        ticks = ticks_down(&market.spec, cap) if side == SIDE_BID else ticks_up(&market.spec, cap)
        clip = lots_down(&market.spec, contracts_of_btc(
            &market.spec, params.risk.flatten_clip_btc, mark))
        if clip <= 0 or clip > held:
            clip = held
        hold_back(market)
        market.target.why.take = why
        market.target.why.take_contracts = clip if side == SIDE_BID else -clip
        best = (price_usd(&market.spec, market.signals.s.others_ticks[1 - side])
                if market.book.valid and market.signals.s.two_sided else 0.0)
        if best > 0.0 and (best - cap) * sign <= 0.0:
            if now_ns - market.slice_ns < SLICE_NS:
                return
            market.target.take.why = why
            market.target.take.side = side
            market.target.take.time_in_force = TIF_IOC
            market.target.take.reduce_only, market.target.take.lowers_net = True, False
            market.target.take.price_ticks = ticks
            market.target.take.amount_contracts = clip
            return
        self.at_cap = True
        market.target.reducing[side] = True
        market.target.count[side] = 1
        market.target.rungs[side][0].price_ticks = ticks
        market.target.rungs[side][0].amount_contracts = clip

    # ------------------------------------------------------------------ Python face
    def figures(self):
        """Day, its profit, best and trips; what a restart needs of it; counters. BTC."""
        return {"day": self.day.number, "day_profit_btc": self.day.profit,
                "day_high_btc": self.day.high, "day_trips": self.day.trips,
                "day_settled_btc": self.total_btc - self.unrealized_btc - self.day.base,
                "total_btc": self.total_btc, "margin_use": self.margin_use,
                "throttles": self.throttles, "stops": self.stops, "at_cap": self.at_cap,
                "leverage": self.leverage}
