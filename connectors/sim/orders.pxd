"""Orders and trades as the exchange keeps them: fixed structs, one pool for all markets.

An order id is sequence << 20 | slot: ids grow, look like the venue's, and need no dictionary.
A closed order stays readable until its slot is taken again, oldest first.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

cdef enum:
    LABEL_MAX = 64
    ORDER_SLOT_BITS = 20
    SIDE_NONE = -1
    SLOT_NONE = -1
    QUOTE_ID_MAX = 32
    TIF_GTD = 3                 # beyond types.TimeInForce: expires 08:00 UTC
    ORDER_TRIGGERED = 5         # beyond types.VenueOrderState: its successor trades

cpdef enum SimOrderType:
    SIM_ORDER_LIMIT = 0
    SIM_ORDER_MARKET = 1

cpdef enum CancelReason:
    CANCEL_NONE = 0
    CANCEL_USER_REQUEST = 1
    CANCEL_DISCONNECT = 2
    CANCEL_EDIT_POST_ONLY = 3
    CANCEL_OVERLAP = 4          # self-trade prevention
    CANCEL_SETTLEMENT = 5
    CANCEL_UNFILLED = 6         # rest of an immediate order: the venue states user_request
    CANCEL_LIQUIDATION = 7
    CANCEL_MMP = 8
    CANCEL_DELIVERY = 9         # the contract expired: the venue states none

cpdef enum TriggerKind:
    TRIGGER_NONE = 0
    TRIGGER_STOP = 1            # a buy above, a sell below
    TRIGGER_TAKE = 2            # a buy below, a sell above

cpdef enum TriggerBy:
    TRIGGER_BY_MARK = 0
    TRIGGER_BY_INDEX = 1
    TRIGGER_BY_LAST = 2

# Which orders a request to cancel many means: bits of kinds and of types, 0 for any.
cpdef enum OrderScope:
    SCOPE_ANY = 0
    SCOPE_LIMIT = 1             # orders that wait for no trigger
    SCOPE_STOP = 2
    SCOPE_TAKE = 4
    SCOPE_FUTURE = 8
    SCOPE_COMBO = 16

# Names a maker gives his quotes; shown, never looked at.
cdef struct QuoteNames:
    int32_t id_size
    int32_t set_size
    char id[QUOTE_ID_MAX]
    char set_id[QUOTE_ID_MAX]

# What a client asks for. Amounts are totals, the filled part included.
cdef struct OrderRequest:
    int32_t market
    int32_t side
    int32_t kind                # SimOrderType
    int32_t time_in_force
    int64_t price_ticks         # ignored by a market order
    int64_t amount_contracts
    int64_t valid_until_ms      # 0: none
    bint post_only
    bint reject_post_only
    bint reduce_only
    bint mmp
    bint quote                  # of a mass quote
    bint liquidation
    int32_t mmp_group           # number in the account's groups, from 1; 0: the index's own
    int32_t trigger             # TriggerKind
    int32_t trigger_by
    int64_t trigger_ticks
    int64_t parent_id           # trigger order this one comes from
    QuoteNames names
    int32_t label_size
    char label[LABEL_MAX]

cdef struct SimOrder:
    int64_t order_id            # 0: the slot was never used
    int64_t price_ticks
    int64_t amount_contracts
    int64_t filled_contracts
    int64_t filled_entry        # as Position.entry: exact sum for the average price
    double ahead_contracts      # recorded liquidity estimated to stand before this order
    int64_t created_ns
    int64_t updated_ns
    int32_t account
    int32_t connection          # that created it; cancel-on-disconnect goes by it
    int32_t market
    int32_t side
    int32_t kind                # SimOrderType
    int32_t time_in_force
    int32_t state               # VenueOrderState
    int32_t cancel_reason       # CancelReason
    int32_t next                # slot behind in the level's queue
    int32_t prev
    int32_t account_next        # slot of the account's next open order
    int32_t account_prev
    bint post_only
    bint reject_post_only
    bint reduce_only
    bint mmp
    bint replaced
    bint resting                # in a level's queue
    bint held                   # by the speed bump
    bint quote
    bint liquidation
    int32_t mmp_group
    int32_t trigger
    int32_t trigger_by
    int64_t trigger_ticks
    int64_t parent_id
    QuoteNames names
    int32_t label_size
    char label[LABEL_MAX]

# What a request came to. The trades are trades.at(first_trade) .. trades.at(end_trade - 1).
cdef struct Outcome:
    int32_t error               # checks.SimError
    int32_t slot                # of the order; SLOT_NONE where the request made none
    int32_t market
    int32_t count               # orders cancelled by cancel_all
    int32_t kind                # of a ticket: waiting.WAIT_*
    int32_t account             # of a ticket
    int64_t ticket              # of SIM_PENDING
    int64_t limit_ticks         # of SIM_PRICE_TOO_LOW and SIM_PRICE_TOO_HIGH
    int64_t first_trade
    int64_t end_trade

# One participant's side of a trade.
cdef struct TradeLeg:
    int64_t order_id            # 0: recorded liquidity
    int64_t parent_id           # order in the combo's book whose leg this is
    int64_t fee_e8              # paid; negative is a rebate
    int64_t profit_e8           # realised by this trade
    int32_t slot                # SLOT_NONE: recorded liquidity
    int32_t account
    int32_t state               # of the order after this trade
    bint reduced                # the trade made the position smaller

cdef struct SimTrade:
    int64_t trade_id
    int64_t trade_seq
    int64_t t_ns
    int64_t price_ticks
    int64_t amount_contracts
    double mark_usd
    double index_usd
    int32_t market
    int32_t side                # of the taker
    int32_t tick_direction
    int32_t flags               # TradeFlag
    int32_t combo               # 1 + market of the spread this is a leg of; 0: none
    int64_t combo_trade_id
    TradeLeg taker
    TradeLeg maker

cpdef enum TradeFlag:
    TRADE_PLAIN = 0
    TRADE_BLOCK = 1
    TRADE_COMBO_LEG = 2
    TRADE_LIQUIDATION = 4


@cython.final
cdef class OrderPool:
    """Slots of orders; grows by doubling, never shrinks. A pointer dies with the next `take`."""
    cdef SimOrder* items
    cdef int32_t capacity
    cdef int32_t used           # slots ever used
    cdef int32_t* closed        # ring of closed slots, oldest first
    cdef int64_t closed_head
    cdef int64_t closed_tail
    cdef int32_t kept           # closed orders kept readable
    cdef uint64_t sequence

    cdef int32_t take(self) except -1
    cdef int release(self, int32_t slot) except -1
    cdef int32_t find(self, int64_t order_id) noexcept nogil


@cython.final
cdef class TradeLog:
    """The last trades of the exchange, oldest overwritten."""
    cdef SimTrade* items
    cdef int64_t capacity
    cdef int64_t count          # ever written; item i is at i % capacity

    cdef SimTrade* append(self) noexcept nogil
    cdef const SimTrade* at(self, int64_t index) noexcept nogil
    cdef int64_t first(self) noexcept nogil
