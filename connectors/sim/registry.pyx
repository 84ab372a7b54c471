"""Who and what there is: markets, indexes, accounts, connections; see registry.pxd."""
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy, memset

from connectors.sim.account cimport Position, currency_of, profit_at
from connectors.sim.credits cimport credits_take
from connectors.sim.levels cimport Level
from connectors.sim.marking cimport INDEX_NAME_MAX, initial_margin
from connectors.sim.matching cimport MatchBook
from connectors.sim.orders cimport SLOT_NONE
from connectors.sim.rng cimport rng_next, rng_seed
from mmcore.types cimport InstrumentSpec

cdef int64_t FIRST_CHANGE_ID = 193809600000
cdef int64_t FIRST_TRADE_ID = 403691000
cdef int64_t FIRST_TRADE_SEQ = 271252000


cdef class Registry:
    """Markets, accounts and connections; `Clearing` adds trades, `Exchange` requests and time."""

    def __init__(self, uint64_t seed=1, int32_t tier=4):
        self.specs = []
        self.accounts = []
        self.books = []
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
        cdef MatchBook book
        cdef int32_t market = self.market_count
        if market == MARKETS_MAX:
            raise ValueError(f"more than {MARKETS_MAX} instruments: list fewer")
        book = MatchBook(checked, self.pool)
        book.spec.index = market
        book.feed.change_id = self.change_id
        self.books.append(book)
        self.specs.append(checked)
        memset(&self.data[market], 0, sizeof(MarketData))
        self.data[market].perpetual = perpetual
        self.data[market].trade_seq = FIRST_TRADE_SEQ
        self.data[market].index = self.index_of(index_name, market)
        self.market_count += 1
        return market

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
    cdef double margin_of(self, int32_t account, int32_t currency, double rate, double slope,
                          bint orders) except? -1.0:
        """Margin of an account's positions, with its open orders in the worst order of fills."""
        cdef Account owner = self.accounts[account]
        cdef Position* position
        cdef MatchBook book
        cdef int64_t worst
        cdef double total = 0.0
        cdef int32_t market
        for market in range(self.market_count):
            book = self.books[market]
            position = &owner.positions[market]
            worst = position.size_contracts if position.size_contracts > 0 else (
                -position.size_contracts)
            if orders:
                worst = max(worst, position.size_contracts + position.open_contracts[0],
                            position.open_contracts[1] - position.size_contracts)
            if worst > 0 and currency_of(&book.spec) == currency:
                total += initial_margin(&book.spec, self.data[market].mark_usd, worst, rate, slope)
        return total

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
                                   self.data[market].mark_usd)
        return total

    cdef double equity_of(self, int32_t account, int32_t currency) except? -1e300:
        cdef Account owner = self.accounts[account]
        return (<double>(owner.balance_e8[currency] + owner.session_e8[currency]) * 1e-8
                + self.profit_of(account, currency))

    # ---------------------------------------------------------------- looking
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
