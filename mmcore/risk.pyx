"""See risk.pxd. Limits are judged on the worst case: position plus every order that may fill."""
from libc.math cimport fabs

from mmcore.orders cimport (
    Order, bid_price_usd, order_slot_free, order_worst, order_worst_btc)
from mmcore.types cimport (
    ACTION_NEW, INSTRUMENT_INVERSE, MARKET_OPEN, REMOVED_BOOK_INVALID, REMOVED_COLLAR,
    REMOVED_INVENTORY, REMOVED_KILLED, REMOVED_LAG, REMOVED_NOT_READY, REMOVED_REFERENCE,
    REMOVED_STALE, REMOVED_STATE, SIDE_ASK, SIDE_BID, TAKE_NONE, amount_of, contracts_of_btc,
    delta_btc, lots_down, price_usd)

cdef double SLACK_BTC = 1e-12       # rounding of BTC worths, far below one contract


cdef bint price_allowed(double price, const SignalState* signal, double collar_bps) noexcept nogil:
    """Within our collar round the reference and the venue's own band."""
    if fabs(price - signal.reference_usd) > collar_bps * 1e-4 * signal.reference_usd:
        return False
    if signal.min_price_usd > 0.0 and price < signal.min_price_usd:
        return False
    return signal.max_price_usd <= 0.0 or price <= signal.max_price_usd


cdef class RiskGate:
    """Approves ladders and admits single actions; keeps the running worst case of a turn."""

    cdef int32_t assess(self, const Health* health, const SignalState* signal, OrderBook book,
                        const ParamValues* params, int64_t now_ns) noexcept nogil:
        """RemovedReason bits that forbid any adding quote on this instrument now."""
        cdef int32_t bits = 0
        if not health.connected or not health.reconciled:
            bits |= REMOVED_NOT_READY
        if not book.valid or health.synced_ns == 0:
            bits |= REMOVED_BOOK_INVALID
        elif now_ns - health.synced_ns < <int64_t>(params.signals.warmup_s * 1e9):
            bits |= REMOVED_NOT_READY
        if health.state != MARKET_OPEN or self.state >= RISK_PAUSED:
            bits |= REMOVED_STATE
        if self.state == RISK_KILLED:
            bits |= REMOVED_KILLED
        if (now_ns - health.frame_ns > <int64_t>(params.risk.stale_ms * 1e6)
                or now_ns - health.book_ns > <int64_t>(params.risk.book_silence_ms * 1e6)
                or now_ns - signal.ticker_ns > <int64_t>(params.risk.ticker_stale_ms * 1e6)):
            bits |= REMOVED_STALE
        if health.lag_ns > <int64_t>(params.risk.max_feed_lag_ms * 1e6):
            bits |= REMOVED_LAG
        if signal.mark_usd > 0.0 and fabs(signal.reference_usd - signal.mark_usd) > (
                params.risk.max_mark_deviation_bps * 1e-4 * signal.mark_usd):
            bits |= REMOVED_REFERENCE
        if params.risk.max_index_deviation_bps > 0.0 and signal.has_basis and fabs(
                signal.reference_usd - signal.index_usd - signal.fair_basis_usd) > (
                params.risk.max_index_deviation_bps * 1e-4 * signal.index_usd):
            bits |= REMOVED_REFERENCE
        return bits

    cdef void begin(self, double net_limit_btc) noexcept nogil:
        """Start a turn: nothing counted yet."""
        self.net_limit_btc = net_limit_btc
        self.net_btc = 0.0
        self.net_worst_btc[0] = self.net_worst_btc[1] = 0.0
        self.open_orders = 0

    cdef void count(self, const Exposure* exposure, int32_t open_orders) noexcept nogil:
        """Count one instrument into the net worst case."""
        self.net_btc += exposure.position_btc
        self.net_worst_btc[SIDE_BID] += exposure.worst_btc[SIDE_BID]
        self.net_worst_btc[SIDE_ASK] += exposure.worst_btc[SIDE_ASK]
        self.open_orders += open_orders

    cdef void approve(self, const TargetQuotes* target, int32_t blocked, const Instrument* spec,
                      const SignalState* signal, const ParamValues* params,
                      const Exposure* exposure, ApprovedQuotes* out) noexcept nogil:
        """Copy what may be quoted; everything left out has its reason in why.removed."""
        cdef int32_t side, level, n
        cdef int64_t amount, most
        cdef double room, net_room, signed, at_price
        cdef int64_t order_most = self.order_most(spec, params, signal)
        out.why = target.why
        self.approve_take(&target.take, blocked, spec, signal, params, exposure, &out.take)
        for side in range(2):
            out.count[side] = 0
            out.first[side] = target.first[side]
            out.reducing[side] = target.reducing[side]
            out.why.removed[side] |= blocked
            if blocked:
                continue
            if self.state == RISK_REDUCING and not target.reducing[side]:
                out.why.removed[side] |= REMOVED_STATE
                continue
            signed = 1.0 if side == SIDE_BID else -1.0
            room = exposure.limit_btc - signed * exposure.position_btc
            net_room = self.net_limit_btc - signed * self.net_btc
            if net_room < room:
                room = net_room
            n = 0
            for level in range(target.count[side]):
                if not price_allowed(price_usd(spec, target.rungs[side][level].price_ticks),
                                     signal, params.risk.price_collar_bps):
                    out.why.removed[side] |= REMOVED_COLLAR
                    continue
                amount = target.rungs[side][level].amount_contracts
                at_price = exposure.at_price_usd
                if side == SIDE_BID:
                    at_price = bid_price_usd(spec, target.rungs[side][level].price_ticks, at_price)
                most = lots_down(spec, contracts_of_btc(spec, room, at_price))
                if amount > most:
                    amount = most
                    out.why.removed[side] |= REMOVED_INVENTORY
                if amount > order_most:
                    amount = order_most
                if amount <= 0:
                    break
                out.rungs[side][n] = target.rungs[side][level]
                out.rungs[side][n].amount_contracts = amount
                room -= delta_btc(spec, amount, at_price)
                n += 1
            out.count[side] = n

    cdef void approve_take(self, const Take* take, int32_t blocked, const Instrument* spec,
                           const SignalState* signal, const ParamValues* params,
                           const Exposure* exposure, Take* out) noexcept nogil:
        """Copy a request to take, cut to the position it reduces; a strange reference is no bar.

        Who must get out of a position needs a book to be judged by, not a calm market.
        """
        cdef int64_t most = self.order_most(spec, params, signal)
        cdef int64_t held
        out[0] = take[0]
        if take.why == TAKE_NONE:
            return
        if take.reduce_only:
            held = lots_down(spec, contracts_of_btc(spec, fabs(exposure.position_btc),
                                                    exposure.at_price_usd))
            if (exposure.position_btc > 0.0) == (take.side == SIDE_BID):
                held = 0
            if held < most:
                most = held
        if out.amount_contracts > most:
            out.amount_contracts = most
        if out.amount_contracts <= 0 or blocked & ~(REMOVED_REFERENCE | REMOVED_LAG) or (
                not price_allowed(price_usd(spec, take.price_ticks), signal,
                                  params.risk.price_collar_bps)):
            out.why = TAKE_NONE

    cdef int64_t order_most(self, const Instrument* spec, const ParamValues* params,
                            const SignalState* signal) noexcept nogil:
        """Contracts of the largest order allowed."""
        cdef double price = 1.0 if spec.kind == INSTRUMENT_INVERSE else signal.reference_usd
        if price <= 0.0:
            return 0
        return lots_down(spec, params.risk.max_order_usd / (spec.contract_size * price))

    cdef int32_t admit(self, const Action* action, const Instrument* spec, OrderTable orders,
                       const SignalState* signal, const ParamValues* params,
                       Exposure* exposure) noexcept nogil:
        """Judge one create or edit as it would leave; GATE_OK also reserves its exposure."""
        cdef const Order* order = &orders.orders[action.slot]
        cdef int64_t before = order_worst(order)
        cdef int64_t after = action.amount_contracts
        cdef double added, at_price = exposure.at_price_usd
        cdef int32_t reason
        if action.kind != ACTION_NEW:
            after -= order.booked_contracts
        if after < before:
            after = before              # until the venue confirms, the larger amount may fill
        if action.side == SIDE_BID:     # and at the price where it is worth most
            at_price = bid_price_usd(spec, action.price_ticks, at_price)
            if before > 0:
                at_price = bid_price_usd(spec, order.price_ticks, at_price)
        added = delta_btc(spec, after, at_price) - order_worst_btc(order, spec,
                                                                   exposure.at_price_usd)
        # a bid moved away is worth more BTC though no contract more: no limit forbids that
        reason = self.check(action, spec, orders, signal, params, exposure,
                            added if after > before else 0.0)
        if reason != GATE_OK:
            self.refused[reason] += 1
            return reason
        exposure.worst_btc[action.side] += added
        self.net_worst_btc[action.side] += added
        self.open_orders += action.kind == ACTION_NEW
        return GATE_OK

    cdef int32_t check(self, const Action* action, const Instrument* spec, OrderTable orders,
                       const SignalState* signal, const ParamValues* params,
                       const Exposure* exposure, double added_btc) noexcept nogil:
        cdef double price = price_usd(spec, action.price_ticks)
        cdef double signed = 1.0 if action.side == SIDE_BID else -1.0
        cdef int64_t opposite, resting = action.amount_contracts
        cdef double amount
        if action.kind != ACTION_NEW:       # an edit names the total, filled part included
            resting -= orders.orders[action.slot].filled_contracts
        amount = amount_of(spec, resting)
        if self.state >= RISK_PAUSED:
            return GATE_STATE
        if action.amount_contracts <= 0 or action.amount_contracts % spec.lot_contracts:
            return GATE_LOT
        if fabs(price - signal.reference_usd) > (
                params.risk.price_collar_bps * 1e-4 * signal.reference_usd):
            return GATE_COLLAR
        if not price_allowed(price, signal, params.risk.price_collar_bps):
            return GATE_BAND
        if (amount if spec.kind == INSTRUMENT_INVERSE else amount * price) > (
                params.risk.max_order_usd):
            return GATE_ORDER_SIZE
        if (signed * exposure.position_btc + exposure.worst_btc[action.side] + added_btc
                > exposure.limit_btc + SLACK_BTC and added_btc > 0.0):
            return GATE_POSITION
        if (signed * self.net_btc + self.net_worst_btc[action.side] + added_btc
                > self.net_limit_btc + SLACK_BTC and added_btc > 0.0):
            return GATE_NET
        if action.kind == ACTION_NEW:
            if not order_slot_free(&orders.orders[action.slot]):
                return GATE_DUPLICATE
            if self.open_orders + 1 > <int32_t>params.risk.max_open_orders:
                return GATE_OPEN_ORDERS
        opposite = orders.best_own(SIDE_ASK if action.side == SIDE_BID else SIDE_BID,
                                   action.post_only)
        if opposite != 0 and (action.price_ticks >= opposite if action.side == SIDE_BID
                              else action.price_ticks <= opposite):
            return GATE_SELF_CROSS
        return GATE_OK

    cdef bint on_reject(self, const RiskParams* params, int64_t now_ns) noexcept nogil:
        """Count a refusal of the venue; True where too many in too short a time now pause us."""
        cdef int64_t window_ns = <int64_t>(params.reject_storm_s * 1e9)
        if now_ns - self.storm_ns > window_ns:
            self.storm_ns = now_ns
            self.storm_count = 0
        self.storm_count += 1
        if (params.reject_storm_count <= 0.0 or self.state != RISK_ACTIVE
                or self.storm_count <= <int32_t>params.reject_storm_count):
            return False
        self.reject_storms += 1
        return self.pause_until(now_ns + window_ns)

    cdef bint pause_until(self, int64_t resume_ns) noexcept nogil:
        """Pause of our own accord, or prolong such a pause; a person's pause stays a person's."""
        if self.state > RISK_PAUSED or (self.state == RISK_PAUSED and self.resume_ns == 0):
            return False
        self.to_state(RISK_PAUSED)
        self.resume_ns = resume_ns
        return True

    cdef bint resume_when_due(self, int64_t now_ns) noexcept nogil:
        """End a pause of our own when its time is over; True where that happened."""
        if self.resume_ns == 0 or now_ns < self.resume_ns or self.state != RISK_PAUSED:
            return False
        self.to_state(RISK_ACTIVE)
        return True

    cdef bint to_state(self, int32_t state) noexcept nogil:
        """Move to a state; killed is left by nobody but a restart, stopped only for killed."""
        if self.state == RISK_KILLED or (self.state == RISK_STOPPED and state != RISK_KILLED):
            return False
        self.state = state
        self.resume_ns = 0
        return True

    def refusals(self):
        """Actions held back, by reason name."""
        return {GateReason(i).name: self.refused[i]
                for i in range(1, <int>GATE_REASONS) if self.refused[i]}

    @property
    def state_name(self):
        """Name of the risk state."""
        return RiskState(self.state).name
