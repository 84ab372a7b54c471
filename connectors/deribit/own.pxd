"""OwnFeed: own orders, trades and positions, from notifications and from answers."""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

from connectors.deribit.decode cimport FrameView
from connectors.deribit.labels cimport Labels
from mmcore.engine cimport Engine
from mmcore.types cimport MARKETS_MAX, Fill, Instrument, OrderEvent

cdef enum:
    OWN_EVENTS_MAX = 512        # own orders, and own trades, of one message; more is malformed
    REQUEST_QUERY = 6           # id kind of get_order_state_by_label; its sequence = generation
    REQUEST_TRADES = 7          # id kind of get_user_trades_by_instrument
    REQUEST_STATE = 9           # of get_order_state; sequence = generation, like the next
    REQUEST_LISTED = 10         # of get_open_orders_by_instrument, asked for one order
    OWN_CHANGES = 0             # user.changes
    OWN_ORDERS = 1              # user.orders
    OWN_TRADES = 2              # user.trades

cdef struct VenuePosition:
    uint64_t updates            # 0: never heard
    int64_t contracts           # signed, long > 0
    double average_usd
    double realized_btc
    double funding_btc          # realised funding of the session
    double total_btc            # total_profit_loss


@cython.final
cdef class OwnFeed:
    cdef Engine engine
    cdef readonly Labels labels
    cdef int32_t market_count
    cdef readonly uint64_t recovered        # trades first heard of by asking for them
    cdef readonly uint64_t liquidations     # messages by which the venue took over our risk
    cdef bint risky                         # the message at hand is one
    cdef readonly uint64_t unauthorized     # answers that say we are not logged in
    cdef readonly uint64_t timed_out        # orders that came past their valid_until
    cdef readonly uint64_t foreign  # own orders or trades on instruments we do not run
    cdef readonly int64_t trades_answered   # last question for own trades; negated: refused
    cdef readonly int64_t trades_next_seq   # where its next page begins; 0: that was the last
    cdef list price_indexes                 # of str, by market
    cdef readonly frozenset groups          # names of our groups of quote protection
    cdef Instrument specs[MARKETS_MAX]
    cdef VenuePosition positions[MARKETS_MAX]
    cdef OrderEvent* orders
    cdef Fill* fills

    cdef int on_notification(self, FrameView view, int32_t shape, int64_t now_ns) except -1
    cdef int on_answer(self, FrameView view, int64_t request_id, int64_t now_ns) except -1
    # its own steps; 0 means malformed
    cdef int32_t market_named(self, object name) noexcept
    cdef int take_fills(self, list trades, int32_t* count) except -1
    cdef int take_orders(self, list orders, int32_t* count) except -1
    cdef int on_liquidation(self, int64_t now_ns) except -1
    cdef int positions_fit(self, list positions) except -1
    cdef int on_mass_answer(self, object answer, int64_t request_id, int64_t now_ns) except -1
    cdef int refuse(self, int32_t market, int32_t slot, int64_t request_id, int64_t code,
                    bint alone, int64_t now_ns) except -1
    cdef int frozen(self, object index, int64_t now_ns) except -1
    cdef int take_position(self, object data, int64_t now_ns) except -1
    cdef int on_order_answer(self, object answer, int64_t request_id, int64_t now_ns) except -1
    cdef int on_state_answer(self, object answer, int64_t request_id, int64_t now_ns) except -1
    cdef int absent(self, int64_t request_id, int64_t now_ns) except -1
    cdef int on_trades_answer(self, object answer, int64_t request_id, int64_t now_ns) except -1
    cdef int on_query_answer(self, object answer, int64_t request_id, int64_t now_ns) except -1
