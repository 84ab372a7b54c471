"""See gate_trial.pxd. What passes is sent into the order table and everything counted anew."""
from libc.math cimport fabs
from libc.string cimport memset

from connectors.clock cimport monotonic_ns
from mmcore.orders cimport (
    ORDER_CLOSED, ORDER_EDIT_PENDING, ORDER_LIVE, ORDER_UNKNOWN, Order)
from mmcore.params cimport ParamValues
from mmcore.risk cimport GATE_OK, GATE_REASONS, RiskGate, count_part
from mmcore.states cimport (
    REASON_OPERATOR, RISK_ACTIVE, RISK_KILLED, RISK_PAUSED, RISK_REDUCING, RISK_STOPPED)
from mmcore.stats cimport histogram_quantile, histogram_record
from mmcore.types cimport (
    ACTION_EDIT, ACTION_NEW, LEVELS_MAX, SIDE_ASK, SIDE_BID, SLOTS_MAX, SLOTS_QUOTE, TIF_GTC,
    TIF_IOC, InstrumentSpec, request_id_of)

from mmcore.params import Params
# the Python class: a cimported enum has no name at run time
from mmcore.risk import GateReason

cdef enum:
    PROPOSALS_A_WORLD = 48

cdef double SLACK = 1e-9
VERDICTS = ("collar", "band", "fat_finger", "amount", "position", "net", "gross", "leverage",
            "margin", "open_orders", "slot", "self_cross", "rate", "state")


cdef class GateTrial:
    """Two instruments whose prices, positions, orders, limits and state are drawn anew often."""

    def __init__(self, uint64_t seed):
        specs = [InstrumentSpec(name, tick_size=0.5, contract_size=10)
                 for name in ("BTC-PERPETUAL", "BTC-25DEC26")]
        self.rng = seed * 0x9E3779B97F4A7C15ULL + 1
        self.now_ns = 1_000_000_000
        self.markets = [Market(spec, Params(), i) for i, spec in enumerate(specs)]
        self.new_world()

    cdef uint64_t draw(self) noexcept nogil:
        self.rng ^= self.rng << 13
        self.rng ^= self.rng >> 7
        self.rng ^= self.rng << 17
        return self.rng

    cdef int64_t between(self, int64_t low, int64_t high) noexcept nogil:
        return low + <int64_t>(self.draw() % <uint64_t>(high - low + 1))

    cdef double uniform(self, double low, double high) noexcept nogil:
        return low + (high - low) * <double>(self.draw() >> 11) / 9007199254740992.0

    cdef void new_world(self) noexcept:
        """Other limits, prices, positions, orders, account and state."""
        cdef Market market, first = <Market>self.markets[0]
        cdef ParamValues* v = &first.params.v
        cdef double reference = self.uniform(20_000.0, 150_000.0)
        cdef int64_t draw
        self.gate = RiskGate()
        v.inventory.limit_btc = self.uniform(0.01, 1.0)
        v.inventory.gross_limit_btc = self.uniform(0.01, 1.5)
        v.inventory.limit_usd = self.between(0, 1) * self.uniform(500.0, 100_000.0)
        v.inventory.gross_limit_usd = self.between(0, 1) * self.uniform(500.0, 200_000.0)
        v.risk.price_collar_bps = self.uniform(5.0, 200.0)
        v.risk.fat_finger_bps = self.uniform(1.0, 100.0)
        v.risk.max_order_usd = self.uniform(100.0, 50_000.0)
        v.risk.max_open_orders = <double>self.between(1, 60)
        v.risk.max_leverage = self.uniform(0.2, 3.0)
        v.risk.margin_use_max = self.uniform(0.05, 1.0)
        v.risk.max_messages_per_s = <double>self.between(1, 200)
        self.gate.account.equity_btc = self.uniform(0.05, 2.0)
        self.gate.account.scale = <double>self.between(1, 10) * 0.1
        self.gate.account.margin_balance_btc = self.between(0, 1) * self.uniform(0.01, 1.0)
        self.gate.account.margin_btc = self.uniform(0.0, 0.05)
        self.gate.account.stress_net_btc = self.between(0, 1) * self.uniform(0.01, 1.0)
        self.gate.rate.count = 0
        memset(self.gate.rate.sent_ns, 0, sizeof(self.gate.rate.sent_ns))
        self.passed = 0
        for market in self.markets:
            market.params.v = v[0]
            market.signals.s.reference_usd = reference * self.uniform(0.998, 1.002)
            market.signals.s.mark_usd = reference * self.uniform(0.99, 1.01)
            market.signals.s.min_price_usd = self.between(0, 1) * reference * 0.985
            market.signals.s.max_price_usd = self.between(0, 1) * reference * 1.015
            market.signals.s.others_ticks[SIDE_BID] = <int64_t>(reference * 2.0) - 2
            market.signals.s.others_ticks[SIDE_ASK] = <int64_t>(reference * 2.0) + 2
            market.exposure.margin_rate = self.uniform(0.0, 0.1)
            market.position.contracts = self.between(-6_000, 6_000) * self.between(0, 1)
            self.fill_orders(market)
        draw = self.between(0, 9)
        if draw == 0:
            self.gate.to_state(RISK_REDUCING, REASON_OPERATOR)
        elif draw == 1:
            self.gate.to_state(RISK_PAUSED, REASON_OPERATOR)
            self.gate.pulled = self.between(0, 1)
            self.gate.adrift = self.gate.pulled and self.between(0, 1)
        elif draw == 2:
            self.gate.to_state(RISK_STOPPED, REASON_OPERATOR)
        elif draw == 3:
            self.gate.to_state(RISK_KILLED, REASON_OPERATOR)
        self.gate.flattening = self.between(0, 1)
        self.count_again()

    cdef void fill_orders(self, Market market) noexcept nogil:
        """Orders in every state an order can be in."""
        cdef Order* order
        cdef int32_t i
        cdef int64_t centre = <int64_t>(market.signals.s.reference_usd * 2.0)
        market.orders.used = market.orders.open_count = market.orders.unknown_count = 0
        for i in range(SLOTS_MAX):
            order = &market.orders.orders[i]
            memset(order, 0, sizeof(Order))
            order.slot = i
            order.side = SIDE_BID if i < LEVELS_MAX else SIDE_ASK
            if i >= SLOTS_QUOTE:
                order.side = <int32_t>self.between(0, 1)
            if self.between(0, 3):
                continue
            order.state = <int32_t>self.between(ORDER_LIVE, ORDER_UNKNOWN)
            order.price_ticks = centre + (-1 if order.side == SIDE_BID else 1) * (
                self.between(3, 400))
            order.amount_contracts = self.between(1, 800)
            order.filled_contracts = self.between(0, order.amount_contracts - 1)
            order.booked_contracts = self.between(0, order.filled_contracts)
            order.order_id_size = 4
            if order.state == ORDER_EDIT_PENDING or order.state == ORDER_UNKNOWN:
                order.pending_price_ticks = order.price_ticks + self.between(-2, 2)
                order.pending_amount_contracts = self.between(order.filled_contracts + 1, 1_500)
                order.request_id = 7
            market.orders.open_count += 1
            market.orders.unknown_count += order.state == ORDER_UNKNOWN
            market.orders.used |= <unsigned int>1 << i

    cdef void count_again(self) noexcept:
        """What a turn does before it decides."""
        cdef Market market
        self.gate.begin(&(<Market>self.markets[0]).params.v,
                        (<Market>self.markets[0]).price_for_limits(), self.now_ns)
        for market in self.markets:
            market.measure(self.gate.account.scale, self.now_ns)
            count_part(&self.gate.counted[market.spec.index], &market.exposure,
                       market.orders.open_count)
        self.gate.add_up(<int32_t>len(self.markets))

    cdef void propose(self, Action* action, Market market) noexcept nogil:
        """Anything a planner could ask for, and much it never would."""
        cdef const Order* order
        cdef int64_t centre = <int64_t>(market.signals.s.reference_usd * 2.0)
        cdef int32_t slot = <int32_t>self.between(0, SLOTS_MAX - 1)
        memset(action, 0, sizeof(Action))
        order = &market.orders.orders[slot]
        action.slot, action.market, action.side = slot, market.spec.index, order.side
        action.kind = ACTION_EDIT if order.state != ORDER_CLOSED and self.between(0, 7) else (
            ACTION_NEW)
        action.price_ticks = centre + self.between(-1_200, 1_200) // self.between(1, 30)
        action.amount_contracts = self.between(-2, 4_000) // self.between(1, 40)
        if action.kind == ACTION_EDIT:
            action.amount_contracts += order.filled_contracts
        action.post_only = slot < SLOTS_QUOTE
        action.reduce_only = self.between(0, 3) == 0
        action.time_in_force = TIF_GTC if action.post_only else TIF_IOC
        market.orders.sequence += 1
        action.request_id = request_id_of(action.kind, action.market, slot,
                                          market.orders.sequence)

    cdef double side_btc(self, Market market, int32_t side) noexcept nogil:
        """BTC of one side's orders at the larger of what they are and were asked to be."""
        cdef double price = market.signals.s.reference_usd, total = 0.0, own
        cdef const Order* order
        cdef int64_t amount
        cdef int32_t i
        if market.signals.s.mark_usd < price:
            price = market.signals.s.mark_usd
        for i in range(SLOTS_MAX):
            order = &market.orders.orders[i]
            if order.side != side:
                continue
            amount = order.amount_contracts
            if order.state == ORDER_CLOSED:
                amount = order.filled_contracts
            elif order.pending_amount_contracts > amount:
                amount = order.pending_amount_contracts
            own = price
            if side == SIDE_BID:            # bought lower, the same contracts are more BTC
                own = min(own, <double>order.price_ticks * 0.5)
                if order.pending_amount_contracts > 0:
                    own = min(own, <double>order.pending_price_ticks * 0.5)
            if amount > order.booked_contracts:
                total += <double>(amount - order.booked_contracts) * 10.0 / own
        return total

    cdef int64_t side_contracts(self, Market market, int32_t side) noexcept nogil:
        """The same in contracts."""
        cdef const Order* order
        cdef int64_t amount, total = 0
        cdef int32_t i
        for i in range(SLOTS_MAX):
            order = &market.orders.orders[i]
            if order.side != side:
                continue
            amount = max(order.amount_contracts, order.pending_amount_contracts)
            if order.state == ORDER_CLOSED:
                amount = order.filled_contracts
            total += max(amount - order.booked_contracts, 0)
        return total

    cdef void judge(self, const Action* action, Market market, int64_t before) noexcept:
        """Find every limit an order that passed, and is in the table now, lies outside of."""
        cdef const ParamValues* v = &market.params.v
        cdef double price = <double>action.price_ticks * 0.5
        cdef double reference = market.signals.s.reference_usd
        cdef const Order* order = &market.orders.orders[action.slot]
        cdef Market other
        cdef int32_t i, open_count = 0
        cdef uint64_t recent = 0, k
        self.violations[0] += fabs(price / reference - 1.0) > (
            v.risk.price_collar_bps * 1e-4 + SLACK)
        self.violations[1] += (price < market.signals.s.min_price_usd
                               or (0.0 < market.signals.s.max_price_usd < price))
        if action.side == SIDE_BID:
            self.violations[2] += price > 0.5 * <double>market.signals.s.others_ticks[SIDE_ASK] * (
                1.0 + v.risk.fat_finger_bps * 1e-4) + SLACK
        else:
            self.violations[2] += price < 0.5 * <double>market.signals.s.others_ticks[SIDE_BID] * (
                1.0 - v.risk.fat_finger_bps * 1e-4) - SLACK
        self.violations[3] += <double>(action.amount_contracts - order.filled_contracts) * 10.0 > (
            v.risk.max_order_usd + SLACK) or action.amount_contracts <= 0
        self.judge_exposure(action, market, before)
        for other in self.markets:
            open_count += other.orders.open_count
        self.violations[9] += action.kind == ACTION_NEW and (
            open_count > <int32_t>v.risk.max_open_orders)
        for i in range(SLOTS_MAX):
            order = &market.orders.orders[i]
            if order.state == ORDER_CLOSED or order.side == action.side:
                continue
            if action.post_only and order.state == ORDER_EDIT_PENDING:
                price = <double>order.pending_price_ticks
                self.violations[11] += (<double>action.price_ticks >= price
                                        if action.side == SIDE_BID
                                        else <double>action.price_ticks <= price)
                continue
            self.violations[11] += (action.price_ticks >= order.price_ticks
                                    if action.side == SIDE_BID
                                    else action.price_ticks <= order.price_ticks)
            if order.pending_amount_contracts > 0:
                self.violations[11] += (action.price_ticks >= order.pending_price_ticks
                                        if action.side == SIDE_BID
                                        else action.price_ticks <= order.pending_price_ticks)
        self.passed_ns[self.passed % 256] = self.now_ns
        self.passed += 1
        for k in range(256):
            if k < self.passed and self.passed_ns[k] > self.now_ns - 1_000_000_000:
                recent += 1
        self.violations[12] += recent > <uint64_t>v.risk.max_messages_per_s

    cdef void judge_exposure(self, const Action* action, Market market,
                             int64_t before) noexcept:
        """Position, net, gross, leverage, margin and the state, from nothing but the tables."""
        cdef const ParamValues* v = &market.params.v
        cdef Market other
        cdef double sign = 1.0 if action.side == SIDE_BID else -1.0
        cdef double scale = self.gate.account.scale
        cdef double own = self.side_btc(market, action.side)
        cdef double net = 0.0, net_limit, gross = 0.0, gross_limit, margin = 0.0
        cdef double price, held, up, down, worst, position = 0.0, others_net = 0.0
        cdef int64_t after = self.side_contracts(market, action.side)
        cdef bint more = after > before and own > self.before_btc, wider = False
        for other in self.markets:
            price = other.signals.s.reference_usd
            if other.signals.s.mark_usd < price:
                price = other.signals.s.mark_usd
            held = <double>other.position.contracts * 10.0 / price
            others_net += held
            net += sign * held + self.side_btc(other, action.side)
            up = held + self.side_btc(other, SIDE_BID)
            down = self.side_btc(other, SIDE_ASK) - held
            worst = max(fabs(held), max(up, down))
            gross += worst
            margin += other.exposure.margin_rate * worst
            if other is market:
                position = sign * held
                wider = more and (      # equal on both sides already is not more
                    up > max(fabs(held), down) + 1e-12 if action.side == SIDE_BID
                    else down > max(fabs(held), up) + 1e-12)
        price = (<Market>self.markets[0]).price_for_limits()
        net_limit, gross_limit = v.inventory.limit_btc, v.inventory.gross_limit_btc
        if v.inventory.limit_usd > 0.0:
            net_limit = min(net_limit, v.inventory.limit_usd / price)
        if v.inventory.gross_limit_usd > 0.0:
            gross_limit = min(gross_limit, v.inventory.gross_limit_usd / price)
        net_limit, gross_limit = net_limit * scale, gross_limit * scale
        if self.gate.account.stress_net_btc > 0.0:
            net_limit = min(net_limit, self.gate.account.stress_net_btc)
        if more:
            self.violations[4] += position + own > v.inventory.limit_btc * scale + SLACK
            self.violations[5] += net > net_limit + SLACK
        if wider:
            self.violations[6] += gross > gross_limit + SLACK
            self.violations[7] += gross > v.risk.max_leverage * self.gate.account.equity_btc + SLACK
            if self.gate.account.margin_balance_btc > 0.0:
                self.violations[8] += max(margin, self.gate.account.margin_btc) > (
                    v.risk.margin_use_max * self.gate.account.margin_balance_btc + SLACK)
        if self.gate.state != RISK_ACTIVE:
            # only towards zero, and never through it
            self.violations[13] += position >= 0.0 or after > max(
                -sign * <double>market.position.contracts, 0.0) or (
                sign * others_net > SLACK)
            self.violations[13] += self.gate.state >= RISK_STOPPED and not self.gate.flattening
            self.violations[13] += self.gate.state == RISK_PAUSED and self.gate.pulled and (
                self.gate.adrift or not action.reduce_only)
        self.violations[13] += action.reduce_only and position >= 0.0

    def run(self, int64_t count):
        """Propose so many orders; return how many passed, what refused the others, violations."""
        cdef Action action
        cdef Market market
        cdef int64_t k
        cdef int64_t before_ns
        cdef int32_t reason
        cdef int64_t before
        cdef bint was_free
        for k in range(count):
            if k % PROPOSALS_A_WORLD == 0:
                self.new_world()
            elif self.between(0, 3) == 0:
                self.now_ns += self.between(0, 300_000_000)
                self.count_again()
            market = <Market>self.markets[<Py_ssize_t>self.between(0, TRIAL_MARKETS - 1)]
            self.propose(&action, market)
            before = self.side_contracts(market, action.side)
            self.before_btc = self.side_btc(market, action.side)
            was_free = market.orders.orders[action.slot].state == ORDER_CLOSED
            before_ns = monotonic_ns()
            reason = self.gate.admit(&action, &market.spec, market.orders, &market.signals.s,
                                     &market.params.v, &market.exposure)
            histogram_record(&self.cost_ns, monotonic_ns() - before_ns)
            self.proposed += 1
            self.reasons[reason] += 1
            if reason != GATE_OK:
                continue
            self.violations[10] += action.kind == ACTION_NEW and not was_free
            if action.kind == ACTION_NEW or (
                    market.orders.orders[action.slot].state == ORDER_LIVE):
                market.orders.sent(&action, self.now_ns)
            else:                       # an edit of what is in flight: keep the larger amount
                if action.amount_contracts > (
                        market.orders.orders[action.slot].pending_amount_contracts):
                    market.orders.orders[action.slot].pending_amount_contracts = (
                        action.amount_contracts)
                market.orders.orders[action.slot].pending_price_ticks = action.price_ticks
            self.judge(&action, market, before)
        return {"proposed": self.proposed, "passed": self.reasons[<int>GATE_OK],
                "refused": {GateReason(i).name: self.reasons[i]
                            for i in range(1, <int>GATE_REASONS) if self.reasons[i]},
                "violations": {name: self.violations[<int>i] for i, name in enumerate(VERDICTS)},
                "cost_ns": {name: histogram_quantile(&self.cost_ns, share)
                            for name, share in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999))}}
