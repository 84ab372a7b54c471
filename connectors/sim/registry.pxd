"""Markets, indexes, accounts and connections of one exchange: its state, and looking at it."""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

from connectors.sim.marking cimport IndexState, MarketData
from connectors.sim.orders cimport OrderPool, SimOrder, TradeLog
from connectors.sim.outputs cimport Outputs
from connectors.sim.rng cimport Rng
from mmcore.types cimport InstrumentSpec
from connectors.sim.account cimport CURRENCIES, VENUE_MARKETS_MAX
from connectors.sim.mmp cimport MmpGroup

cdef enum:
    INDEXES_MAX = 4
    HOUSE_ACCOUNT = 0           # the recorded market: counterpart of what has no identity

cdef struct ConnectionState:
    bint open
    int32_t account             # -1: not logged in
    bint cancel_on_disconnect


cdef class Registry:
    cdef readonly int64_t now_ns        # latest time seen
    cdef readonly int32_t market_count
    cdef readonly int32_t account_count
    cdef readonly list specs            # InstrumentSpec per market
    cdef readonly list accounts         # Account per number
    cdef dict account_by_client
    cdef readonly list books            # MatchBook per market
    cdef MarketData data[VENUE_MARKETS_MAX]
    cdef IndexState indexes[INDEXES_MAX]
    cdef int32_t index_count
    cdef bint unpublished       # nobody is shown changes as they happen
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
    cdef int64_t settled_ns             # end of the settlement going on; 0: none
    cdef int32_t tier                   # credit tier of new accounts
    cdef readonly list settlements      # of accounts, oldest first; see settlement.pyx
    cdef readonly list settled_markets  # the same of whole markets
    cdef readonly list deliveries       # (ms, index number, price) of expired dates
    cdef readonly list index_names
    cdef object lister                  # what else is listed from a time on
    cdef int64_t delivery_rest[CURRENCIES]  # what rounding of deliveries left over

    # ---- set-up
    cpdef int32_t add_market(self, object spec, str index_name, bint perpetual) except -1
    cpdef int32_t add_spread(self, object spec, int32_t bought, int32_t sold) except -1
    cpdef int set_speed_bump(self, int32_t market, int64_t bump_ns) except -1
    cdef int make_market(self, InstrumentSpec spec, bint perpetual, int64_t base_ticks) except -1
    cdef int32_t index_of(self, str index_name, int32_t market) except -1
    cdef int set_outputs(self, Outputs outputs) except -1
    cpdef int32_t open_account(self, str client_id, int64_t t_ns, int64_t balance_btc_e8,
                               int64_t balance_usdc_e8, bint silent) except -1
    cdef int32_t open_connection(self) except -1
    cdef int close_connection(self, int32_t connection) except -1
    cpdef int set_cancel_on_disconnect(self, int32_t connection, bint account_scope,
                                       bint enabled) except -1
    cpdef bint cancels_on_disconnect(self, int32_t connection, bint account_scope) except -1
    cpdef bint take_credit(self, int64_t t_ns, int32_t account, int32_t credit_class) except -1

    cdef uint64_t draw(self) noexcept

    # ---- money, in the currency; see margin.pxd
    cdef double initial_of(self, int32_t account, int32_t currency) except? -1.0
    cdef double maintenance_of(self, int32_t account, int32_t currency) except? -1.0
    cdef double margin_price(self, int32_t market) noexcept
    cdef double profit_of(self, int32_t account, int32_t currency) except? -1e300
    cdef double equity_of(self, int32_t account, int32_t currency) except? -1e300

    cdef MmpGroup mmp_group(self, int32_t account, int32_t index, int32_t number)

    # ---- looking; best_ticks returns False on an empty side
    cdef bint is_spread(self, int32_t market) noexcept nogil
    cdef bint best_ticks(self, int32_t market, int32_t side, int64_t* ticks) noexcept
    cdef int64_t level_contracts(self, int32_t market, int32_t side, int64_t ticks) noexcept
    cdef int64_t position_contracts(self, int32_t account, int32_t market) noexcept
    cdef const SimOrder* order(self, int64_t order_id) noexcept
