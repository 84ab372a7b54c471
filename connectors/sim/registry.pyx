"""Who and what there is: markets, indexes, accounts, connections; see registry.pxd."""
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy, memset

from connectors.sim.account cimport Account, Position, currency_of, profit_at
from connectors.sim.credits cimport credits_take
from connectors.sim.levels cimport Level
from connectors.sim.margin cimport (
    initial_margin, maintenance_margin, quotes_margin, worst_contracts,
)
from connectors.sim.marking cimport INDEX_NAME_MAX
from connectors.sim.matching cimport MatchBook
from connectors.sim.orders cimport SLOT_NONE
from connectors.sim.rng cimport rng_next, rng_seed

cdef int64_t MS = 1000000
cdef int64_t BUMP_NS = 10 * MS
cdef int64_t SPREAD_BASE = -(<int64_t>1 << 21)      # prices of spreads may be negative
cdef int64_t FIRST_CHANGE_ID = 193809600000
cdef int64_t FIRST_TRADE_ID = 403691000
cdef int64_t FIRST_TRADE_SEQ = 271252000


cdef class Registry:
    """Markets, accounts and connections; `Clearing` adds trades, `Exchange` requests and time."""

    def __init__(self, uint64_t seed=1, int32_t tier=4):
        self.specs = []
        self.accounts = []
        self.books = []
        self.settlements = []
        self.settled_markets = []
        self.deliveries = []
        self.index_names = []
        self.account_by_client = {}
        self.pool = OrderPool()
        self.trades = TradeLog()
        self.outputs = Outputs()
        self.tier = tier
        self.change_id = FIRST_CHANGE_ID
        self.trade_id = FIRST_TRADE_ID
        rng_seed(&self.rng, seed)
        self.open_account("", 0, 0, 0, True)

    def __dealloc__(self):
        free(self.connections)

    # ---------------------------------------------------------------- set-up
    cpdef int32_t add_market(self, object spec, str index_name, bint perpetual) except -1:
        """List an InstrumentSpec; return its market number."""
        cdef InstrumentSpec checked = spec
        cdef int32_t market = self.market_count
        if market == VENUE_MARKETS_MAX:
            raise ValueError(f"more than {VENUE_MARKETS_MAX} instruments: list fewer")
        self.make_market(checked, perpetual, 0)
        self.data[market].index = self.index_of(index_name, market)
        self.market_count += 1
        return market

    cdef int make_market(self, InstrumentSpec spec, bint perpetual, int64_t base_ticks) except -1:
        cdef int32_t market = self.market_count
        cdef MarketData* data = &self.data[market]
        cdef MatchBook book = MatchBook(spec, self.pool, base_ticks)
        book.spec.index = market
        book.feed.change_id = self.change_id
        self.books.append(book)
        self.specs.append(spec)
        memset(data, 0, sizeof(MarketData))
        data.perpetual = perpetual
        data.trade_seq = FIRST_TRADE_SEQ
        data.expiry_ns = spec.c.expiry_ms * MS
        data.bump_ns = 0 if perpetual else BUMP_NS
        return 0

    cpdef int32_t add_spread(self, object spec, int32_t bought, int32_t sold) except -1:
        """List a future spread: buying it buys the first market and sells the second."""
        cdef InstrumentSpec checked = spec
        cdef int32_t market = self.market_count
        cdef MatchBook far, near
        if not (0 <= bought < market and 0 <= sold < market and bought != sold):
            raise ValueError(f"{checked.name}: its legs {bought} and {sold} must be listed markets")
        if market == VENUE_MARKETS_MAX:
            raise ValueError(f"more than {VENUE_MARKETS_MAX} instruments: list fewer")
        far = self.books[bought]
        near = self.books[sold]
        for book in (far, near):
            if ((<MatchBook>book).spec.contract_size != checked.c.contract_size
                    or (<MatchBook>book).spec.tick_usd != checked.c.tick_usd):
                raise ValueError(f"{checked.name}: contract size and tick must be its legs'")
        self.make_market(checked, False, SPREAD_BASE)
        self.data[market].legs[0] = bought
        self.data[market].legs[1] = sold
        self.data[market].index = self.data[bought].index
        self.market_count += 1
        return market

    cpdef int set_speed_bump(self, int32_t market, int64_t bump_ns) except -1:
        """How long what would trade at once waits in a market; 0: not at all."""
        if not 0 <= market < self.market_count or bump_ns < 0:
            raise ValueError(f"speed bump of {bump_ns} ns in market {market}")
        self.data[market].bump_ns = bump_ns
        return 0

    def set_lister(self, lister):
        """Call lister(now_ns) after each settlement.

        It returns (spec, index name, perpetual) of what is listed then; what has its name on the
        exchange already is left alone.
        """
        self.lister = lister

    def market_state_of(self, int32_t market):
        """MarketState of a market."""
        if not 0 <= market < self.market_count:
            raise IndexError(f"market {market}")
        return self.data[market].state

    def settlement_price(self, int32_t market):
        """What a market settled at last; its first mark before that."""
        if not 0 <= market < self.market_count:
            raise IndexError(f"market {market}")
        return self.data[market].settlement_usd

    def mark_price(self, int32_t market):
        """Mark of a market, 0 before there is one."""
        if not 0 <= market < self.market_count:
            raise IndexError(f"market {market}")
        return self.data[market].mark_usd

    cdef int32_t index_of(self, str index_name, int32_t market) except -1:
        """The place of an index, made at its first use."""
        cdef bytes raw = index_name.encode("ascii")
        cdef int32_t i
        for i in range(self.index_count):
            if (self.indexes[i].name_size == len(raw)
                    and memcmp(self.indexes[i].name, <const char*>raw, len(raw)) == 0):
                return i
        if self.index_count == INDEXES_MAX or not 0 < len(raw) < INDEX_NAME_MAX:
            raise ValueError(f"index {index_name!r}: at most {INDEXES_MAX}, named by 1 to "
                             f"{INDEX_NAME_MAX - 1} characters")
        if market < 0:
            raise ValueError(f"no instrument has the index {index_name!r}")
        i = self.index_count
        memset(&self.indexes[i], 0, sizeof(IndexState))
        memcpy(self.indexes[i].name, <const char*>raw, len(raw))
        self.indexes[i].name_size = <int32_t>len(raw)
        self.index_names.append(index_name)
        self.indexes[i].market = market
        self.index_count += 1
        return i

    cdef int set_outputs(self, Outputs outputs) except -1:
        self.outputs = outputs
        return 0

    cpdef int32_t open_account(self, str client_id, int64_t t_ns, int64_t balance_btc_e8,
                               int64_t balance_usdc_e8, bint silent) except -1:
        """The account of a client id, opened with that money at its first use."""
        cdef Account account
        if client_id in self.account_by_client:
            return self.account_by_client[client_id]
        account = Account(self.account_count, client_id, t_ns, 0 if silent else self.tier)
        account.silent = silent
        account.balance_e8[0] = balance_btc_e8
        account.balance_e8[1] = balance_usdc_e8
        self.accounts.append(account)
        self.account_by_client[client_id] = account.number
        self.account_count += 1
        return account.number

    cdef int32_t open_connection(self) except -1:
        """A new connection, not logged in; numbers are reused."""
        cdef int32_t i
        cdef ConnectionState* grown
        for i in range(self.connection_capacity):
            if not self.connections[i].open:
                break
        else:
            i = self.connection_capacity
            grown = <ConnectionState*>realloc(
                self.connections, (2 * i + 16) * sizeof(ConnectionState))
            if grown == NULL:
                raise MemoryError("connections")
            self.connections = grown
            self.connection_capacity = 2 * i + 16
            memset(&grown[i], 0, (i + 16) * sizeof(ConnectionState))
        self.connections[i].open = True
        self.connections[i].account = -1
        self.connections[i].cancel_on_disconnect = False
        return i

    cdef int close_connection(self, int32_t connection) except -1:
        memset(&self.connections[connection], 0, sizeof(ConnectionState))
        return 0

    cpdef int set_cancel_on_disconnect(self, int32_t connection, bint account_scope,
                                       bint enabled) except -1:
        cdef ConnectionState* state = &self.connections[connection]
        if account_scope:
            (<Account>self.accounts[state.account]).cancel_on_disconnect = enabled
        state.cancel_on_disconnect = enabled
        return 0

    cpdef bint cancels_on_disconnect(self, int32_t connection, bint account_scope) except -1:
        """Is cancel-on-disconnect on for the connection, or for new ones of its account?"""
        cdef ConnectionState* state = &self.connections[connection]
        if account_scope:
            return (<Account>self.accounts[state.account]).cancel_on_disconnect
        return state.cancel_on_disconnect

    cpdef bint take_credit(self, int64_t t_ns, int32_t account, int32_t credit_class) except -1:
        """Pay one request from an account's pool; False: 10028."""
        return credits_take(&(<Account>self.accounts[account]).credits, credit_class, t_ns)

    cdef uint64_t draw(self) noexcept:
        """Chance for a front, from the one seed."""
        return rng_next(&self.rng) >> 20

    # ---------------------------------------------------------------- money
    cdef double initial_of(self, int32_t account, int32_t currency) except? -1.0:
        """Initial margin: positions with the open orders in the worst order of fills, quotes."""
        cdef Account owner = self.accounts[account]
        cdef Position* position
        cdef MatchBook book
        cdef MmpGroup group
        cdef int64_t worst
        cdef double total = 0.0
        cdef int32_t market
        for market in range(self.market_count):
            position = &owner.positions[market]
            worst = worst_contracts(position.size_contracts, position.open_contracts[0],
                                    position.open_contracts[1])
            book = self.books[market]
            if worst > 0 and currency_of(&book.spec) == currency:
                total += initial_margin(&book.spec, self.margin_price(market), worst)
        if currency == 0:
            for group in owner.mmp_groups:
                if group.configured:
                    total += quotes_margin(group.max_quote_quantity)
        return total

    cdef double maintenance_of(self, int32_t account, int32_t currency) except? -1.0:
        """Below this equity an account is liquidated."""
        cdef Account owner = self.accounts[account]
        cdef MatchBook book
        cdef int64_t size
        cdef double total = 0.0
        cdef int32_t market
        for market in range(self.market_count):
            size = owner.positions[market].size_contracts
            book = self.books[market]
            if size != 0 and currency_of(&book.spec) == currency:
                total += maintenance_margin(&book.spec, self.margin_price(market),
                                            size if size > 0 else -size)
        return total

    cdef double margin_price(self, int32_t market) noexcept:
        """The price margin is reckoned at; of a spread the one of the leg it sells."""
        if self.is_spread(market):
            return self.data[self.data[market].legs[1]].mark_usd
        return self.data[market].mark_usd

    cdef MmpGroup mmp_group(self, int32_t account, int32_t index, int32_t number):
        """A protection group of an account: by number from 1, or 0 for the index's own; None."""
        cdef Account owner = self.accounts[account]
        cdef MmpGroup group
        if number > 0:
            return owner.mmp_groups[number - 1]
        for group in owner.mmp_groups:
            if group.index == index and group.name == "":
                return group
        return None

    cdef double profit_of(self, int32_t account, int32_t currency) except? -1e300:
        """Unrealised profit of an account at mark."""
        cdef Account owner = self.accounts[account]
        cdef MatchBook book
        cdef double total = 0.0
        cdef int32_t market
        for market in range(self.market_count):
            book = self.books[market]
            if currency_of(&book.spec) == currency:
                total += profit_at(&book.spec, &owner.positions[market],
                                   owner.positions[market].entry, self.data[market].mark_usd)
        return total

    cdef double equity_of(self, int32_t account, int32_t currency) except? -1e300:
        cdef Account owner = self.accounts[account]
        return (<double>(owner.balance_e8[currency] + owner.session_e8[currency]) * 1e-8
                + self.profit_of(account, currency))

    # ---------------------------------------------------------------- looking
    cdef bint is_spread(self, int32_t market) noexcept nogil:
        return self.data[market].legs[0] != self.data[market].legs[1]

    cdef bint best_ticks(self, int32_t market, int32_t side, int64_t* ticks) noexcept:
        cdef MatchBook book = self.books[market]
        if book.levels.count[side] == 0:
            return False
        ticks[0] = book.levels.best_ticks[side]
        return True

    cdef int64_t level_contracts(self, int32_t market, int32_t side, int64_t ticks) noexcept:
        cdef MatchBook book = self.books[market]
        cdef const Level* level = book.levels.find(ticks)
        if level == NULL or level.side != side:
            return 0
        return level.total_contracts

    cdef int64_t position_contracts(self, int32_t account, int32_t market) noexcept:
        return (<Account>self.accounts[account]).positions[market].size_contracts

    cdef const SimOrder* order(self, int64_t order_id) noexcept:
        """An order open or still readable, NULL otherwise. Valid until the next `submit`."""
        cdef int32_t slot = self.pool.find(order_id)
        return NULL if slot == SLOT_NONE else &self.pool.items[slot]
