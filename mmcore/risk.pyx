"""See risk.pxd. Limits are judged on the worst case: position plus every order that may fill."""
from libc.math cimport fabs, fmax

from mmcore.book cimport NO_ASK
from mmcore.budget cimport rate_allows, rate_spend
from mmcore.ledger cimport edge_barred, edge_bucket
from mmcore.orders cimport (
    Order, bid_price_usd, dearest_usd, order_btc, order_edited, order_slot_free, order_worst)
from mmcore.states cimport RISK_ACTIVE, RISK_PAUSED, RISK_STOPPED
from mmcore.types cimport (
    ACTION_EDIT, ACTION_NEW, INSTRUMENT_INVERSE, MARKET_OPEN, REMOVED_BOOK_INVALID,
    REMOVED_COLLAR, REMOVED_EDGE, REMOVED_INVENTORY, REMOVED_KILLED, REMOVED_LAG,
    REMOVED_NOT_READY, REMOVED_REFERENCE, REMOVED_STALE, REMOVED_STATE, REMOVED_THROTTLE,
    REMOVED_WARMUP, SIDE_ASK, SIDE_BID, TAKE_EXPIRY, TAKE_FLATTEN, TAKE_NONE, TAKE_STOP, amount_of,
    contracts_of_btc, delta_btc, lots_down, price_usd)
from mmcore.states import RiskState  # no-cython-lint; found here since there is a gate


cdef uint64_t digest_of(const Action* action) noexcept nogil:
    """What the gate judged of an action, in 64 bits; 0 where it needs no judgement."""
    cdef uint64_t h = <uint64_t>action.request_id
    if action.kind != ACTION_NEW and action.kind != ACTION_EDIT:
        return 0
    h = (h ^ <uint64_t>action.price_ticks) * 0x9E3779B97F4A7C15ULL
    h = (h ^ <uint64_t>action.amount_contracts) * 0xC2B2AE3D27D4EB4FULL
    h ^= (<uint64_t>action.market << 32) ^ (<uint64_t>action.slot << 16) ^ (
        <uint64_t>action.side << 8) ^ (<uint64_t>action.time_in_force << 4) ^ (
        <uint64_t>(action.post_only != 0) << 1) ^ <uint64_t>(action.reduce_only != 0)
    return (h * 0x9E3779B97F4A7C15ULL) | 1


cdef const ApprovedBatch* release_cancels(const ActionBatch* batch) noexcept nogil:
    """Give a batch of nothing but cancels to the sink, without a gate; NULL for any other."""
    cdef int32_t i
    for i in range(batch.count):
        if digest_of(&batch.items[i]) != 0:
            return NULL
    return <const ApprovedBatch*>batch


cdef class RiskGate(RiskStates):
    """Approves ladders and admits single actions; keeps the running worst case of a turn."""

    def __cinit__(self):
        self.account.scale = 1.0

    cdef int32_t assess(self, const Health* health, const SignalState* signal, OrderBook book,
                        const ParamValues* params, int64_t now_ns) noexcept nogil:
        """RemovedReason bits that forbid any adding quote on this instrument now."""
        cdef int32_t bits = 0
        if not health.connected or not health.reconciled:
            bits |= REMOVED_NOT_READY
        if not book.valid or health.synced_ns == 0:
            bits |= REMOVED_BOOK_INVALID
        elif now_ns - health.synced_ns < <int64_t>(params.signals.warmup_s * 1e9):
            bits |= REMOVED_WARMUP
        if health.state != MARKET_OPEN:
            bits |= REMOVED_STATE
        if self.state >= RISK_STOPPED:
            bits |= REMOVED_KILLED
        if (now_ns - self.frame_ns > <int64_t>(params.risk.stale_ms * 1e6)
                or now_ns - health.book_ns > <int64_t>(params.risk.book_silence_ms * 1e6)
                or now_ns - signal.ticker_ns > <int64_t>(params.risk.ticker_stale_ms * 1e6)):
            bits |= REMOVED_STALE
        if health.newest_lag_ns > <int64_t>(params.risk.max_feed_lag_ms * 1e6):
            bits |= REMOVED_LAG
        if signal.mark_usd > 0.0 and fabs(signal.reference_usd - signal.mark_usd) > (
                params.risk.max_mark_deviation_bps * 1e-4 * signal.mark_usd):
            bits |= REMOVED_REFERENCE
        if params.risk.max_index_deviation_bps > 0.0 and signal.has_basis and fabs(
                signal.reference_usd - signal.index_usd - signal.fair_basis_usd) > (
                params.risk.max_index_deviation_bps * 1e-4 * signal.index_usd):
            bits |= REMOVED_REFERENCE
        return bits

    cdef void begin(self, const ParamValues* params, double at_price_usd,
                    int64_t now_ns) noexcept nogil:
        """Start a turn: nothing counted yet."""
        self.set_limits(params, at_price_usd, now_ns)
        self.net_btc = self.gross_btc = self.margin_btc = 0.0
        self.net_worst_btc[0] = self.net_worst_btc[1] = self.open_orders = 0

    cdef void set_limits(
            self, const ParamValues* params, double at_price_usd, int64_t now_ns) noexcept nogil:
        """What the account allows now; at_price_usd is what limits in USD are counted at."""
        self.now_ns = now_ns
        self.admitted_count = 0
        self.net_limit_btc = params.inventory.limit_btc
        self.gross_limit_btc = params.inventory.gross_limit_btc
        if at_price_usd > 0.0:
            if 0.0 < params.inventory.limit_usd < self.net_limit_btc * at_price_usd:
                self.net_limit_btc = params.inventory.limit_usd / at_price_usd
            if params.inventory.gross_limit_usd > 0.0 and (
                    self.gross_limit_btc == 0.0
                    or params.inventory.gross_limit_usd < self.gross_limit_btc * at_price_usd):
                self.gross_limit_btc = params.inventory.gross_limit_usd / at_price_usd
        self.net_limit_btc *= self.account.scale
        self.gross_limit_btc *= self.account.scale
        if 0.0 < self.account.stress_net_btc < self.net_limit_btc:
            self.net_limit_btc = self.account.stress_net_btc
        if self.account.stress_gross_btc > 0.0 and (
                self.gross_limit_btc == 0.0
                or self.account.stress_gross_btc < self.gross_limit_btc):
            self.gross_limit_btc = self.account.stress_gross_btc
        self.leverage_limit_btc = params.risk.max_leverage * self.account.equity_btc

    cdef void add_up(self, int32_t markets) noexcept nogil:
        """Add the parts up, always in the same order, into the account's worst case."""
        cdef const Counted* part
        cdef int32_t i
        for i in range(markets):
            part = &self.counted[i]
            self.net_btc += part.position_btc
            self.net_worst_btc[SIDE_BID] += part.worst_btc[SIDE_BID]
            self.net_worst_btc[SIDE_ASK] += part.worst_btc[SIDE_ASK]
            self.open_orders += <int32_t>part.open_orders
            self.gross_btc += part.gross_btc
            self.margin_btc += part.margin_btc

    cdef void approve(self, const TargetQuotes* target, int32_t blocked, const Instrument* spec,
                      const SignalState* signal, const ParamValues* params,
                      const Exposure* exposure, ApprovedQuotes* out) noexcept nogil:
        """Copy what may be quoted; everything left out has its reason in why.removed."""
        cdef int32_t side, level, n
        cdef int64_t amount, most
        cdef double room, net_room, signed, at_price, distance_bps, price
        cdef bint floors
        cdef int64_t order_most = self.order_most(spec, params, signal)
        out.why = target.why
        self.approve_take(&target.take, blocked, spec, signal, params, exposure, &out.take)
        if self.flattening:
            blocked &= ~REMOVED_KILLED          # only reducing quotes pass below
        if target.closing:
            blocked &= ~REMOVED_WARMUP          # a fresh book is as good to close by as an old one
        for side in range(2):
            out.count[side] = 0
            out.first[side] = target.first[side]
            out.reducing[side] = target.reducing[side]
            out.why.removed[side] |= blocked
            if blocked & ~REMOVED_REFERENCE or (blocked and not target.reducing[side]):
                continue        # a strange reference keeps nobody in a position
            if (self.state == RISK_PAUSED and self.pulled) or (not target.reducing[side] and (
                    self.state != RISK_ACTIVE or exposure.barred[side])):
                out.why.removed[side] |= (
                    REMOVED_STATE if self.state != RISK_ACTIVE else REMOVED_THROTTLE)
                continue
            signed = 1.0 if side == SIDE_BID else -1.0
            room = exposure.limit_btc - signed * exposure.unmatched_btc
            net_room = self.net_limit_btc - signed * self.net_btc
            if net_room < room:
                room = net_room
            if self.state != RISK_ACTIVE and room > -signed * exposure.position_btc:
                room = -signed * exposure.position_btc      # to zero, not through it
            n = 0
            floors = not target.reducing[side] and edge_barred(&exposure.edge_floor_bps[side][0])
            for level in range(target.count[side]):
                price = price_usd(spec, target.rungs[side][level].price_ticks)
                if not price_allowed(price, signal, params.risk.price_collar_bps):
                    out.why.removed[side] |= REMOVED_COLLAR
                    continue
                if floors:
                    distance_bps = 1e4 * fabs(price / signal.reference_usd - 1.0)
                    if distance_bps < exposure.edge_floor_bps[side][edge_bucket(distance_bps)]:
                        out.why.removed[side] |= REMOVED_EDGE
                        continue
                amount = target.rungs[side][level].amount_contracts
                at_price = exposure.at_price_usd
                if side == SIDE_BID:
                    at_price = dearest_usd(price, at_price)
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
        cdef int64_t most, held
        out[0] = take[0]
        if take.why == TAKE_NONE:
            return
        most = self.order_most(spec, params, signal)
        if take.reduce_only:
            held = lots_down(spec, contracts_of_btc(spec, fabs(exposure.position_btc),
                                                    exposure.at_price_usd))
            if (exposure.position_btc > 0.0) == (take.side == SIDE_BID):
                held = 0
            if held < most:
                most = held
        if out.amount_contracts > most:
            out.amount_contracts = most
        if take.reduce_only:
            blocked &= ~(REMOVED_WARMUP | (REMOVED_KILLED if self.flattening else 0))
        if self.state == RISK_PAUSED and self.pulled and (
                self.adrift or take.why not in (TAKE_EXPIRY, TAKE_STOP, TAKE_FLATTEN)):
            blocked |= REMOVED_STATE
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
        cdef double added, wider, at_price = exposure.at_price_usd
        cdef int32_t reason
        if action.kind != ACTION_NEW:
            after = order_edited(order, action)
        if after < before:
            after = before              # until the venue confirms, the larger amount may fill
        if action.side == SIDE_BID:     # and at the price where it is worth most
            at_price = bid_price_usd(spec, action.price_ticks, at_price)
            if before > 0:
                at_price = bid_price_usd(spec, order.price_ticks, at_price)
        added = delta_btc(spec, after, at_price) - order_btc(order, before, spec,
                                                             exposure.at_price_usd)
        # a bid moved away is worth more BTC though no contract more: no limit forbids that
        reason = self.check(action, spec, orders, signal, params, exposure,
                            added if after > before else 0.0)
        if reason == GATE_OK and self.admitted_count == ACTIONS_MAX:
            reason = GATE_BATCH
        if reason != GATE_OK:
            self.refused[reason] += 1
            return reason
        wider = gross_of(exposure, action.side, added) - gross_of(exposure, action.side, 0.0)
        self.gross_btc += wider
        self.margin_btc += exposure.margin_rate * wider
        exposure.worst_btc[action.side] += added
        self.net_worst_btc[action.side] += added
        self.open_orders += action.kind == ACTION_NEW
        rate_spend(&self.rate, self.now_ns)
        self.admitted[self.admitted_count] = digest_of(action)
        self.admitted_count += 1
        return GATE_OK

    cdef int32_t check(self, const Action* action, const Instrument* spec, OrderTable orders,
                       const SignalState* signal, const ParamValues* params,
                       const Exposure* exposure, double added_btc) noexcept nogil:
        """Every check there is, in the order of what is most basic."""
        cdef int64_t opposite, resting = action.amount_contracts
        cdef double price = price_usd(spec, action.price_ticks)
        cdef double amount
        cdef int32_t reason = self.check_state(action, exposure, added_btc)
        if reason != GATE_OK:
            return reason
        if action.amount_contracts <= 0 or action.amount_contracts % spec.lot_contracts:
            return GATE_LOT
        reason = self.check_price(action, price, spec, signal, params)
        if reason != GATE_OK:
            return reason
        if action.kind != ACTION_NEW:       # an edit names the total, filled part included
            resting -= orders.orders[action.slot].filled_contracts
        amount = amount_of(spec, resting)
        if (amount if spec.kind == INSTRUMENT_INVERSE else amount * price) > (
                params.risk.max_order_usd):
            return GATE_ORDER_SIZE
        reason = self.check_exposure(action, params, exposure, added_btc)
        if reason != GATE_OK:
            return reason
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
        if params.risk.max_messages_per_s > 0.0 and not rate_allows(
                &self.rate, params.risk.max_messages_per_s, self.now_ns):
            return GATE_RATE
        return GATE_OK

    cdef int32_t check_state(self, const Action* action, const Exposure* exposure,
                             double added_btc) noexcept nogil:
        """What the state of risk, and the order's own claim to reduce, allow."""
        cdef bint reducing
        if action.lowers_net and not lowers_net(self.net_btc, action.side, added_btc):
            return GATE_NET
        if self.state == RISK_ACTIVE and not action.reduce_only:
            return GATE_OK
        reducing = action.lowers_net or reduces(
            exposure, self.net_btc, action.side, added_btc)
        if action.reduce_only and (exposure.position_btc >= 0.0 if action.side == SIDE_BID
                                   else exposure.position_btc <= 0.0):
            return GATE_REDUCE
        if self.state == RISK_ACTIVE:
            return GATE_OK
        if self.state >= RISK_STOPPED:
            return GATE_OK if self.flattening and reducing else GATE_STATE
        if self.state == RISK_PAUSED and self.pulled and not action.reduce_only:
            reducing = False                # who closes says so
        return GATE_OK if reducing and not self.adrift else GATE_STATE

    cdef int32_t check_price(self, const Action* action, double price, const Instrument* spec,
                             const SignalState* signal,
                             const ParamValues* params) noexcept nogil:
        """Collar round the reference, the venue's band, and the other side's best."""
        cdef double finger = params.risk.fat_finger_bps * 1e-4
        if not in_collar(price, signal, params.risk.price_collar_bps):
            return GATE_COLLAR
        if not in_band(price, signal):
            return GATE_BAND
        if finger > 0.0:
            if action.side == SIDE_BID:
                if 0 < signal.others_ticks[SIDE_ASK] < NO_ASK and price > (
                        1.0 + finger) * price_usd(spec, signal.others_ticks[SIDE_ASK]):
                    return GATE_FAT_FINGER
            elif 0 < signal.others_ticks[SIDE_BID] and price < (1.0 - finger) * price_usd(
                    spec, signal.others_ticks[SIDE_BID]):
                return GATE_FAT_FINGER
        return GATE_OK

    cdef int32_t check_exposure(self, const Action* action, const ParamValues* params,
                                const Exposure* exposure, double added_btc) noexcept nogil:
        """Worst case of this instrument, net, gross, over equity, and its margin."""
        cdef double signed = 1.0 if action.side == SIDE_BID else -1.0
        cdef double more, margin
        if added_btc <= 0.0:
            return GATE_OK
        if (signed * exposure.unmatched_btc + exposure.worst_btc[action.side] + added_btc
                > exposure.limit_btc + SLACK_BTC):
            return GATE_POSITION
        if (signed * self.net_btc + self.net_worst_btc[action.side] + added_btc
                > self.net_limit_btc + SLACK_BTC):
            return GATE_NET
        more = gross_of(exposure, action.side, added_btc) - gross_of(exposure, action.side, 0.0)
        if more <= 0.0:
            return GATE_OK
        if self.gross_limit_btc > 0.0 and self.gross_btc + more > self.gross_limit_btc + SLACK_BTC:
            return GATE_GROSS
        if self.leverage_limit_btc > 0.0 and (
                self.gross_btc + more > self.leverage_limit_btc + SLACK_BTC):
            return GATE_LEVERAGE
        if params.risk.margin_use_max > 0.0 and self.account.margin_balance_btc > 0.0:
            margin = fmax(self.margin_btc, self.account.margin_btc)
            if margin + exposure.margin_rate * more > (
                    params.risk.margin_use_max * self.account.margin_balance_btc):
                return GATE_MARGIN
        return GATE_OK

    cdef const ApprovedBatch* release(self, const ActionBatch* batch) noexcept nogil:
        """Give a batch to the sink: NULL unless each create and edit passed, as it stands there."""
        cdef int32_t i, at = 0
        cdef uint64_t digest
        for i in range(batch.count):
            digest = digest_of(&batch.items[i])
            if digest != 0:
                while at < self.admitted_count and self.admitted[at] != digest:
                    at += 1
                if at == self.admitted_count:
                    return NULL
                at += 1
        return <const ApprovedBatch*>batch

    def refusals(self):
        """Actions held back, by reason name."""
        return {GateReason(i).name: self.refused[i]
                for i in range(1, <int>GATE_REASONS) if self.refused[i]}

    @property
    def limits_btc(self):
        """Net and gross limit of the last turn; 0: none."""
        return self.net_limit_btc, self.gross_limit_btc
