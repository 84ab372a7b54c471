"""The exchange: f(t_ns, who, what) -> outputs. No clock, no loop, no input but its arguments.

Three faces. *Requests* (`submit`, `edit`, `cancel*`) act for an account over a connection. The
*market interface* (`market_*`) is how a recording takes part, as liquidity without identity;
synthetic participants open an account with `silent=True` and use the requests. `advance` runs what
is due by itself: book flushes, tickers, mark price, funding, order expiry.

Every entry point first runs the timers due before its `t_ns`; time never goes back (an earlier
`t_ns` counts as the latest one seen). Times are nanoseconds since the epoch of the exchange's clock.
What happened is told to `outputs`, synchronously and in order.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

from connectors.sim.account cimport Account
from connectors.sim.levels cimport INTERVALS
from connectors.sim.matching cimport MatchBook
from connectors.sim.orders cimport OrderPool, OrderRequest, SimOrder, SimTrade, TradeLog
from connectors.sim.outputs cimport Outputs
from connectors.sim.rng cimport Rng
from mmcore.types cimport MARKETS_MAX

cdef enum:
    INDEXES_MAX = 4
    INDEX_NAME_MAX = 24
    HOUSE_ACCOUNT = 0           # the recorded market: counterpart of what has no identity

cpdef enum SimError:
    """Codes of the venue (`SIM_OK` = done); the wire adds message and data."""
    SIM_OK = 0
    SIM_ORDER_NOT_FOUND = 10004
    SIM_PRICE_TOO_LOW = 10005       # limit_ticks of the result is the bound
    SIM_PRICE_TOO_HIGH = 10007
    SIM_NOT_ENOUGH_FUNDS = 10009
    SIM_INVALID_AMOUNT = 10021
    SIM_TOO_MANY_REQUESTS = 10028
    SIM_NOT_OWNER = 10029
    SIM_SETTLEMENT = 10041
    SIM_ALREADY_FILLED = 11008
    SIM_POST_ONLY_IMPOSSIBLE = 11021
    SIM_BOOK_CLOSED = 10012
    SIM_REDUCE_ONLY = 11030         # other_reject: no position to reduce
    SIM_NOT_OPEN = 11044
    SIM_POST_ONLY_REJECT = 11054
    SIM_POST_ONLY_NOT_ALLOWED = 11055
    SIM_LABEL_NOT_UNIQUE = 13032
    SIM_TIMED_OUT = 13888

# What a request came to. The trades are trades.at(first_trade) .. trades.at(end_trade - 1).
cdef struct Outcome:
    int32_t error               # SimError
    int32_t slot                # of the order; SLOT_NONE where the request made none
    int64_t limit_ticks         # of SIM_PRICE_TOO_LOW and SIM_PRICE_TOO_HIGH
    int64_t first_trade
    int64_t end_trade

cdef struct IndexState:
    int32_t name_size
    char name[INDEX_NAME_MAX]
    double price_usd            # 0: none yet
    bint recorded               # set from outside; else it follows the mid of `market`
    int32_t market
    int64_t published_ns

cdef struct MarketData:
    int32_t index               # place in the exchange's indexes
    int32_t state               # MarketState
    bint perpetual
    bint mark_recorded          # mark comes from outside
    bint funding_recorded
    double mark_usd             # 0: none yet
    double basis_usd            # the 30 s mean of the clamped mid - index
    double settlement_usd       # mark at the last settlement; the first mark before one
    double current_funding      # damped 8 h rate of now
    double funding_8h           # realised over the last 8 h
    int64_t funding_e18         # paid since the start by one long contract, 1e-18 of the currency
    int64_t funding_ns          # up to when
    int64_t last_ticks          # 0: no trade yet
    int32_t last_direction      # tick_direction of the last trade
    int64_t trade_seq
    int64_t high_ticks
    int64_t low_ticks
    int64_t first_ticks
    int64_t volume_contracts
    double volume_btc
    int64_t open_contracts      # of accounts, one side
    int64_t trades_shown[INTERVALS]     # index in the trade log up to which they are published
    int64_t best_bid[2]         # ticks, contracts as last told by on_quote
    int64_t best_ask[2]
    int64_t ticker_ns           # last published; the ticker comes at least every 5 s
    bint ticker_changed

cdef struct ConnectionState:
    bint open
    int32_t account             # -1: not logged in
    bint cancel_on_disconnect


@cython.final
cdef class Exchange:
    cdef readonly int64_t now_ns        # latest time seen
    cdef readonly int32_t market_count
    cdef readonly int32_t account_count
    cdef readonly list specs            # InstrumentSpec per market
    cdef readonly list accounts         # Account per number
    cdef dict account_by_client
    cdef list books                     # MatchBook per market
    cdef MarketData data[MARKETS_MAX]
    cdef IndexState indexes[INDEXES_MAX]
    cdef int32_t index_count
    cdef OrderPool pool
    cdef TradeLog trades
    cdef Outputs outputs
    cdef Rng rng
    cdef ConnectionState* connections
    cdef int32_t connection_capacity
    cdef int64_t change_id
    cdef int64_t trade_id
    cdef int64_t due_ns                 # the earliest timer
    cdef int64_t next_100ms_ns
    cdef int64_t next_second_ns
    cdef int64_t next_agg2_ns
    cdef int64_t next_expiry_ns         # 08:00 UTC: good-til-day orders end
    cdef int32_t tier                   # credit tier of new accounts

    # ---- set-up
    cpdef int32_t add_market(self, object spec, str index_name, bint perpetual) except -1
    cdef int set_outputs(self, Outputs outputs) except -1
    cpdef int32_t open_account(self, str client_id, int64_t t_ns, int64_t balance_btc_e8,
                               int64_t balance_usdc_e8, bint silent) except -1
    cpdef int32_t connect(self, int64_t t_ns) except -1
    cpdef int login(self, int64_t t_ns, int32_t connection, int32_t account) except -1
    cpdef int disconnect(self, int64_t t_ns, int32_t connection, bint cancel) except -1
    cpdef int set_cancel_on_disconnect(self, int32_t connection, bint account_scope,
                                       bint enabled) except -1

    # ---- requests; connection -1 = a participant without one
    cdef int submit(self, int64_t t_ns, int32_t connection, int32_t account,
                    const OrderRequest* request, Outcome* out) except -1
    cdef int edit(self, int64_t t_ns, int32_t account, int64_t order_id,
                  const OrderRequest* request, Outcome* out) except -1
    cdef int cancel(self, int64_t t_ns, int32_t account, int64_t order_id, Outcome* out) except -1
    cpdef int32_t cancel_all(self, int64_t t_ns, int32_t account, int32_t market,
                             int32_t currency, int32_t connection, bytes label,
                             int32_t reason) except -1

    # ---- market interface: what takes part without an account
    cpdef int market_set_level(self, int64_t t_ns, int32_t market, int32_t side,
                               int64_t price_ticks, int64_t amount_contracts) except -1
    cpdef int market_clear(self, int64_t t_ns, int32_t market) except -1
    cpdef int market_trade(self, int64_t t_ns, int32_t market, int32_t taker_side,
                           int64_t price_ticks, int64_t amount_contracts, int32_t flags) except -1
    cpdef int market_index(self, int64_t t_ns, str index_name, double price_usd) except -1
    cpdef int market_mark(self, int64_t t_ns, int32_t market, double mark_usd) except -1
    cpdef int market_funding(self, int64_t t_ns, int32_t market, double rate_8h) except -1
    cpdef int market_state(self, int64_t t_ns, int32_t market, int32_t state) except -1
    cpdef int64_t advance(self, int64_t t_ns) except -1

    # ---- looking; best_ticks returns False on an empty side
    cdef bint best_ticks(self, int32_t market, int32_t side, int64_t* ticks) noexcept
    cdef int64_t level_contracts(self, int32_t market, int32_t side, int64_t ticks) noexcept
    cdef int64_t position_contracts(self, int32_t account, int32_t market) noexcept
    cdef const SimOrder* order(self, int64_t order_id) noexcept
