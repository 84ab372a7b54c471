"""See witness.pxd. Judges by the exchange's own orders, positions and connections."""
from libc.string cimport memset

from connectors.deribit.labels cimport SET_ID_SIZE
from connectors.sim.orders cimport SLOT_NONE, SimOrder
from mmcore.faults cimport FAULT_NONE, FAULT_OPERATOR
from mmcore.market cimport Market
from mmcore.orders cimport ORDER_CLOSED, Order
from mmcore.states cimport RISK_PAUSED, RISK_REDUCING, RISK_STOPPED
from mmcore.types cimport ACTION_EDIT, ACTION_NEW, SIDE_ASK, SIDE_BID, delta_btc

cdef enum:
    TAIL = 18                   # of a label, behind its market: 2 slot, -, 6 generation, -, 8
    TICK_SLACK_NS = 30_000_000  # a decision may be a timer's tick late

# Marks move between our look and the maker's: so much of a limit is no breach of it.
cdef double LIMIT_SLACK = 0.003

cdef struct Place:
    int32_t market
    int32_t slot
    int64_t generation


cdef int64_t hex_of(const char* text, int32_t digits) noexcept nogil:
    """The number of so many hexadecimal digits; -1 where there is another character."""
    cdef int64_t value = 0
    cdef int32_t i
    cdef char c
    for i in range(digits):
        c = text[i]
        if c'0' <= c <= c'9':
            value = value * 16 + (c - c'0')
        elif c'a' <= c <= c'f':
            value = value * 16 + (c - c'a' + 10)
        else:
            return -1
    return value


cdef bint place_of(const SimOrder* order, Place* place) noexcept nogil:
    """Read market, slot and generation of a label's tail or a quote's set id; False without."""
    cdef const char* tail = order.label + order.label_size - TAIL
    if order.label_size == 0:
        tail = order.names.set_id + 1
        if order.names.set_size != SET_ID_SIZE:
            return False
    elif order.label_size < TAIL + 2 or tail[9] != c'-':
        return False
    if tail[2] != c'-':
        return False
    place.market = <int32_t>hex_of(tail - 1, 1)
    place.slot = <int32_t>hex_of(tail, 2)
    place.generation = hex_of(tail + 3, 6)
    return (0 <= place.market < MARKETS_MAX and 0 <= place.slot < SLOTS_MAX
            and place.generation >= 0)


cdef dict pairs_of(const int64_t* counts, int32_t size):
    """What is not 0 of a square table, by (row, column)."""
    cdef dict found = {}
    cdef int32_t row, column
    for row in range(size):
        for column in range(size):
            if counts[row * size + column]:
                found[row, column] = counts[row * size + column]
    return found


cdef class Witness:
    """Compares maker and exchange. `breach` is BREACH_NONE for as long as all is well."""

    def __init__(self, Exchange exchange not None):
        self.exchange = exchange

    def begin(self, Engine engine not None, list venue_markets not None):
        """Watch a maker from its start; venue_markets: the exchange's number of each market."""
        if len(venue_markets) != engine.market_count:
            raise ValueError(f"{len(venue_markets)} markets named, the engine has "
                             f"{engine.market_count}")
        self.engine = engine
        self.known = False
        self.killed = False
        self.restrained = False
        self.flattening = False
        self.risk_state = engine.risk.state
        memset(self.states, 0, sizeof(self.states))
        memset(self.most, 0, sizeof(self.most))
        memset(self.net_most, 0, sizeof(self.net_most))
        for i, market in enumerate(venue_markets):
            self.venue_market[i] = market

    def watches(self, Engine engine not None):
        """Whether it is this maker that is watched."""
        return self.engine is engine

    def end(self):
        """The maker is gone."""
        self.engine = None

    def reconciled(self):
        """From now on the maker must know of every order and contract."""
        self.known = True

    def follow(self, str client_id not None):
        """Find the account of a client; False while there is none."""
        cdef Account account
        for account in self.exchange.accounts:
            if account.client_id == client_id:
                self.account = account
                return True
        return False

    def heard(self, int64_t now_ns):
        """Note that something has reached the maker."""
        self.heard_ns = now_ns

    def look(self):
        """Compare both sides now; the Breach, 0 for none."""
        if self.breach == BREACH_NONE and self.account is not None:
            self.looks += 1
            self.judge()
        return self.breach

    cdef int32_t report(self, int32_t breach, int32_t market, int32_t slot, int32_t side,
                        int64_t there, int64_t here) noexcept nogil:
        """Keep the first breach."""
        if self.breach == BREACH_NONE:
            self.breach, self.market, self.slot = breach, market, slot
            self.side, self.there, self.here = side, there, here
        return self.breach

    cdef int32_t judge(self) noexcept:
        cdef int64_t rest[MARKETS_MAX][2]
        cdef int32_t i
        memset(rest, 0, sizeof(rest))
        if self.judge_orders(rest):
            return self.breach
        self.resting = 0
        for i in range(MARKETS_MAX):
            self.resting += rest[i][0] + rest[i][1]
        if self.account.credits.refused > self.refused_before:
            return self.report(BREACH_CREDITS, -1, -1, -1, self.account.credits.refused,
                               self.refused_before)
        if self.engine is None:
            return 0
        self.visit(self.engine.market_count)
        for i in range(self.engine.market_count):
            if self.judge_market(i, rest[i]):
                return self.breach
        if self.known and self.judge_net(rest):
            return self.breach
        if self.engine.faults.code not in (FAULT_NONE, FAULT_OPERATOR) or (
                self.engine.faults.code == FAULT_OPERATOR and not self.killed):
            return self.report(BREACH_FAULT, -1, -1, -1, 0, self.engine.faults.code)
        return 0

    cdef int32_t judge_orders(self, int64_t rest[MARKETS_MAX][2]) noexcept:
        """One live order a slot, each known to the maker, each on a protected connection."""
        cdef int32_t live[MARKETS_MAX][SLOTS_MAX]
        cdef int64_t touch[MARKETS_MAX][2]
        cdef int64_t* best
        cdef const SimOrder* order
        cdef const Order* ours
        cdef Market market
        cdef Place place
        cdef int32_t slot = self.account.open_head
        memset(live, 0, sizeof(live))
        memset(touch, 0, sizeof(touch))
        while slot != SLOT_NONE:
            order = &self.exchange.pool.items[slot]
            slot = order.account_next
            if not place_of(order, &place):
                continue                    # somebody else's
            live[place.market][place.slot] += 1
            rest[place.market][order.side] += order.amount_contracts - order.filled_contracts
            if live[place.market][place.slot] > 1:
                return self.report(BREACH_DOUBLE, place.market, place.slot, order.side,
                                   live[place.market][place.slot], 1)
            if order.connection >= 0 and not (
                    self.exchange.connections[order.connection].cancel_on_disconnect):
                return self.report(BREACH_UNPROTECTED, place.market, place.slot, order.side,
                                   order.connection, 0)
            best = &touch[place.market][order.side]
            if best[0] == 0 or (order.side == SIDE_BID) == (order.price_ticks > best[0]):
                best[0] = order.price_ticks
            if 0 < touch[place.market][SIDE_ASK] <= touch[place.market][SIDE_BID]:
                return self.report(BREACH_SELF_CROSS, place.market, place.slot, order.side,
                                   touch[place.market][SIDE_BID], touch[place.market][SIDE_ASK])
            if self.engine is None or not self.known or place.market >= self.engine.market_count:
                continue
            market = <Market>self.engine.markets[place.market]
            ours = &market.orders.orders[place.slot]
            if ours.state == ORDER_CLOSED or ours.generation != place.generation:
                return self.report(BREACH_ORPHAN, place.market, place.slot, order.side,
                                   place.generation, ours.generation)
        return 0

    cdef int32_t judge_market(self, int32_t index, const int64_t* rest) noexcept:
        """The maker's worst case holds the truth, and the truth keeps the limit."""
        cdef Market market = <Market>self.engine.markets[index]
        cdef int32_t venue = self.venue_market[index]
        cdef int64_t there = self.account.positions[venue].size_contracts
        cdef int64_t held = market.position.contracts
        cdef int64_t worst, most
        cdef double limit_btc, most_btc
        cdef int32_t side
        if market.orders.invalid_transitions:
            return self.report(BREACH_TRANSITION, index, -1, -1, 0,
                               <int64_t>market.orders.invalid_transitions)
        for side in range(2):
            most = rest[side] + (there if side == SIDE_BID else -there)
            worst = market.orders.worst_contracts(side) + (held if side == SIDE_BID else -held)
            if self.known and most > worst:
                return self.report(BREACH_EXPOSURE, index, -1, side, most, worst)
            if self.known and most > self.most[index][side] and rest[side] > 0:
                # it grew, and not by a price: some order did
                limit_btc = market.params.v.inventory.limit_btc * (1.0 + LIMIT_SLACK)
                most_btc = delta_btc(&market.spec, most, self.exchange.data[venue].mark_usd)
                if most_btc > limit_btc:
                    return self.report(BREACH_LIMIT, index, -1, side, most,
                                       <int64_t>(most * limit_btc / most_btc))
            self.most[index][side] = most
        return 0

    cdef int32_t judge_net(self, int64_t rest[MARKETS_MAX][2]) noexcept:
        """All markets together keep the limit of the net position, on either side."""
        cdef double limit_btc = self.engine.params.v.inventory.limit_btc * (1.0 + LIMIT_SLACK)
        cdef double net_btc
        cdef int64_t total, most
        cdef int32_t i, side, venue
        for side in range(2):
            total = 0
            net_btc = 0.0
            for i in range(self.engine.market_count):
                venue = self.venue_market[i]
                most = self.account.positions[venue].size_contracts
                most = rest[i][side] + (most if side == SIDE_BID else -most)
                total += most
                net_btc += delta_btc(&(<Market>self.engine.markets[i]).spec, most,
                                     self.exchange.data[venue].mark_usd)
            if total > self.net_most[side] and net_btc > limit_btc:
                return self.report(BREACH_LIMIT, -1, -1, side, total,
                                   <int64_t>(total * limit_btc / net_btc))
            self.net_most[side] = total
        return 0

    cdef void visit(self, int32_t markets) noexcept:
        """Count which state follows which, as far as a look sees it."""
        cdef Market market
        cdef int32_t i, slot, state
        if self.engine.risk.state != self.risk_state:
            self.risk_visits[self.risk_state][self.engine.risk.state] += 1
            self.risk_state = self.engine.risk.state
        for i in range(markets):
            market = <Market>self.engine.markets[i]
            for slot in range(SLOTS_MAX):
                state = market.orders.orders[slot].state
                if state != self.states[i][slot]:
                    self.visits[self.states[i][slot]][state] += 1
                    self.states[i][slot] = state

    def on_request(self, int32_t kind, int32_t index, int32_t slot, bint post_only,
                   bint reduce_only, int64_t now_ns):
        """Judge one order message as it leaves: ActionKind, market and slot of its request id."""
        cdef Market market
        cdef Order* order
        cdef bint adding
        cdef int32_t state
        if self.breach or self.engine is None or kind not in (ACTION_NEW, ACTION_EDIT) or not (
                0 <= index < self.engine.market_count and 0 <= slot < SLOTS_MAX):
            return self.breach
        market = <Market>self.engine.markets[index]
        order = &market.orders.orders[slot]
        state = self.engine.risk.state
        adding = (market.position.contracts >= 0 if order.side == SIDE_BID
                  else market.position.contracts <= 0)
        if (self.killed or state >= RISK_STOPPED) and not (reduce_only and self.flattening):
            return self.report(BREACH_KILLED, index, slot, order.side, 0, state)
        if reduce_only:
            return 0
        if kind == ACTION_NEW and not post_only:
            return self.report(BREACH_NOT_POST_ONLY, index, slot, order.side, 0, state)
        if adding and (self.restrained or state == RISK_PAUSED or state == RISK_REDUCING):
            return self.report(BREACH_RESTRAINED, index, slot, order.side, 0, state)
        if not (market.health.connected and market.health.reconciled
                and market.health.synced_ns > 0 and market.book.valid):
            return self.report(BREACH_UNREADY, index, slot, order.side, 0, state)
        if now_ns - self.heard_ns > <int64_t>(
                market.params.v.risk.stale_ms * 1e6) + TICK_SLACK_NS:
            return self.report(BREACH_STALE, index, slot, order.side, now_ns - self.heard_ns, 0)
        return 0

    def order_visits(self):
        """How often one OrderState was seen to follow another, by (before, after)."""
        return pairs_of(&self.visits[0][0], ORDER_STATES)

    def risk_moves(self):
        """How often one RiskState was seen to follow another, by (before, after)."""
        return pairs_of(&self.risk_visits[0][0], RISK_STATES)

    @property
    def described(self):
        """The breach in words; empty where there is none."""
        if self.breach == BREACH_NONE:
            return ""
        where = "" if self.market < 0 else f" market {self.market}"
        where += "" if self.slot < 0 else f" slot {self.slot}"
        where += "" if self.side < 0 else (" bid" if self.side == SIDE_BID else " ask")
        return f"{Breach(self.breach).name}{where}: exchange {self.there}, maker {self.here}"
