"""OrderTable of one instrument: own orders in fixed slots and their state machine.

Written by the planner (what was sent) and by the venue's words; by nobody else. A slot holds one
order; it is free again only when the order is closed and its fills are all booked.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from mmcore.types cimport (
    ACTION_MASS_QUOTE, LEVELS_MAX, ORDER_ID_MAX, SIDE_BID, SLOTS_MAX, SLOTS_QUOTE, Action,
    Instrument, LevelChange, OrderEvent, delta_btc, price_usd, request_kind)

cdef enum:
    BACKOFF_NS = 20_000_000
    BACKOFF_DOUBLINGS = 7       # 2.56 s at most before another post-only price
    CANCEL_DOUBLINGS = 6        # 1.28 s at most before another cancel

cpdef enum OrderState:
    ORDER_CLOSED = 0
    ORDER_NEW_PENDING = 1
    ORDER_LIVE = 2
    ORDER_EDIT_PENDING = 3
    ORDER_CANCEL_PENDING = 4
    ORDER_UNKNOWN = 5           # counts as exposure, blocks its slot until the venue's word
    ORDER_STATES = 6

cpdef enum OrderSignal:
    """What can happen to an order; with the state it decides the next state."""
    SIGNAL_SENT_NEW = 0
    SIGNAL_SENT_EDIT = 1
    SIGNAL_SENT_CANCEL = 2
    SIGNAL_OPEN = 3             # the venue says open, and nothing of ours is outstanding
    SIGNAL_OPEN_BEFORE = 4      # the venue says open, not yet knowing what we sent
    SIGNAL_CLOSED = 5           # filled, cancelled or rejected
    SIGNAL_REFUSED = 6          # the request had no effect
    SIGNAL_GONE = 7             # refused because the order is closed already
    SIGNAL_UNSURE = 8           # refused, and it may have had effect
    SIGNAL_TIMEOUT = 9
    SIGNAL_LOST = 10            # the connection went
    SIGNAL_ABSENT = 11          # the venue was asked and has no such order
    SIGNAL_PASSED_ON = 12       # closed, and a mass quote may have put another in its place
    SIGNALS = 13

cpdef enum OrderOverdue:
    """Bits that watch() returns."""
    OVERDUE_PULL = 1            # a cancel or pull unanswered: the second path is due
    OVERDUE_FILL = 2            # the venue counts a fill we were never told

cpdef enum OrderOutcome:
    """Bits that on_event() returns."""
    OUTCOME_CHANGED = 1
    OUTCOME_UNKNOWN = 2         # the venue must be asked
    OUTCOME_REJECTED = 4
    OUTCOME_POST_ONLY = 8       # rejected for crossing
    OUTCOME_STRAY = 16          # answer to a request that is not ours any more
    OUTCOME_INVALID = 32        # a transition that cannot be: a broken invariant

cdef struct Order:
    int32_t state               # OrderState
    int32_t slot
    int32_t side
    uint32_t generation         # of the create; in the label
    int64_t price_ticks         # as the venue last confirmed
    int64_t amount_contracts    # total, filled part included
    int64_t pending_price_ticks     # what an outstanding new or edit asks for
    int64_t pending_amount_contracts
    int64_t filled_contracts    # the venue's count
    int64_t booked_contracts    # fills that reached the position
    int64_t request_id          # outstanding request
    int32_t request             # ActionKind of it
    int64_t sent_ns
    int64_t valid_until_ms
    int64_t live_since_ns
    int64_t last_update_ms
    bint must_cancel            # an edit or cancel failed: it goes by id at once
    int64_t again_ns            # a cancel was refused or not answered: no other before
    int32_t doublings           # of the pause before it
    int64_t pull_ns             # when a pull unanswered yet covered it; -1: answered
    bint pull_late              # its cancel or pull went unanswered for too long, and that was told
    int64_t missing_ns          # since when the venue counts a fill that never came; 0: none
    bint missing_told
    int32_t level               # rung it served at the last plan
    int64_t looked_ns           # when its price was last chosen, or looked at again
    int32_t near_prints         # prints near its price since then, or since its last fill
    double ahead_contracts      # estimate of others' contracts before it; see priority.pxd
    int64_t queue_ticks         # price the estimate is for; 0: none yet
    int64_t queue_others        # others' contracts at that price when last seen
    bint queue_fresh            # placed, and the level has not changed since
    int64_t queue_printed       # contracts printed that the book does not show yet
    int64_t queue_faded         # contracts that left without a print, last time
    double queue_share          # share of these taken as having stood before it
    bint twin                   # a mass quote without an answer may have made another of its name
    int64_t ended_contracts     # what the order before it filled, or may have; -1: all is booked
    int32_t ended_id_size       # id of that order; 0: it is in nobody's place
    char ended_id[ORDER_ID_MAX]
    int32_t order_id_size
    char order_id[ORDER_ID_MAX]


@cython.final
cdef class OrderTable:
    cdef Order orders[SLOTS_MAX]
    cdef uint32_t used          # a bit per slot that may hold something; a clear bit is a free slot
    cdef uint32_t sequence      # of requests; part of the JSON-RPC id
    cdef readonly int32_t open_count
    cdef readonly int32_t unknown_count
    cdef readonly uint64_t invalid_transitions
    cdef int64_t backoff_ns[2]              # no price of that side before: it was refused to cross
    cdef int32_t crossed[2]                 # such refusals in a row
    cdef readonly uint64_t late_pulls       # cancels and pulls unanswered for too long
    cdef readonly uint64_t missing_fills    # fills the venue counted and never told in time
    # Rungs under the venue's quote protection; 0: frozen. It binds mass quotes alone.
    cdef readonly int32_t protected_rungs

    cdef int step(self, Order* order, int32_t signal) noexcept nogil
    cdef void sent(self, const Action* action, int64_t now_ns) noexcept nogil
    cdef int on_event(self, const OrderEvent* event, int64_t now_ns) noexcept nogil
    cdef bint book_fill(self, int32_t slot, uint32_t generation,
                        int64_t amount_contracts) noexcept nogil
    cdef int32_t time_out(self, int64_t now_ns, int64_t after_ns) noexcept nogil
    cdef int32_t watch(self, int64_t now_ns, int64_t pull_ns, int64_t fill_ns) noexcept nogil
    cdef int32_t lose_all(self) noexcept nogil
    cdef void absent(self, int32_t slot) noexcept nogil
    cdef void all_booked(self) noexcept nogil
    cdef void pull_answered(self, int64_t request_id, bint refused) noexcept nogil
    cdef int64_t worst_contracts(self, int32_t side) noexcept nogil
    cdef void worst_btc(self, const Instrument* spec, double at_price_usd,
                        double* out) noexcept nogil
    cdef int32_t own_levels(self, int32_t side, LevelChange* levels) noexcept nogil
    cdef int64_t best_own(self, int32_t side, bint post_only) noexcept nogil
    cdef int learn(self, Order* order, const OrderEvent* event) noexcept nogil
    cdef int refused(self, Order* order, const OrderEvent* event,
                     int64_t now_ns) noexcept nogil
    cdef int on_ended(self, Order* order, const OrderEvent* event,
                      bint answered) noexcept nogil


cdef extern from *:
    """
    static inline int mm_low_slot(unsigned int mask) { return __builtin_ctz(mask); }
    """
    int mm_low_slot(unsigned int mask) noexcept nogil   # of a mask that is not 0


cdef inline uint32_t slots_of(int32_t side) noexcept nogil:
    """A bit per slot that may hold an order of a side: its quotes, and whatever is taken."""
    return (((<uint32_t>1 << LEVELS_MAX) - 1) << (side * LEVELS_MAX)) | (
        ~<uint32_t>0 << SLOTS_QUOTE)


cdef inline bint order_requoted(const Order* order) noexcept nogil:
    """Whether a mass quote is out that changes an order, or makes another where it has ended."""
    return order.order_id_size > 0 and order.pending_amount_contracts > 0 and (
        order.twin or (order.request_id != 0
                       and request_kind(order.request_id) == ACTION_MASS_QUOTE))


cdef inline void order_cleared(Order* order) noexcept nogil:
    """Forget what was before: the slot's next order begins."""
    order.filled_contracts = 0
    order.booked_contracts = 0
    order.last_update_ms = 0
    order.order_id_size = 0
    order.ended_id_size = 0
    order.twin = False
    order.must_cancel = False
    order.again_ns = 0
    order.doublings = 0
    order.pull_ns = 0
    order.missing_ns = 0
    order.missing_told = False
    order.queue_ticks = 0
    order.near_prints = 0


cdef inline void cancel_later(Order* order, int32_t doublings, int64_t now_ns) noexcept nogil:
    """Let a pause pass before a cancel in vain is sent again, a longer one each time."""
    order.again_ns = now_ns + (<int64_t>BACKOFF_NS << order.doublings)
    order.doublings += doublings
    if order.doublings > CANCEL_DOUBLINGS:
        order.doublings = CANCEL_DOUBLINGS


cdef inline int64_t order_worst(const Order* order) noexcept nogil:
    """Contracts that may still fill or have filled without being booked.

    An order under a mass quote may fill and be followed by another: both count.
    """
    cdef int64_t total
    if order.state == ORDER_CLOSED:
        total = order.filled_contracts
    elif order_requoted(order):
        total = order.amount_contracts + order.pending_amount_contracts
    elif order.pending_amount_contracts > order.amount_contracts:
        total = order.pending_amount_contracts
    else:
        total = order.amount_contracts
    total -= order.booked_contracts
    return total if total > 0 else 0


cdef inline int64_t order_edited(const Order* order, const Action* action) noexcept nogil:
    """Contracts of an order that may fill, were this edit to leave: by a mass quote, both."""
    cdef int64_t total = action.amount_contracts - order.booked_contracts
    if request_kind(action.request_id) == ACTION_MASS_QUOTE:
        total += order.amount_contracts
    return total


cdef inline double order_btc(const Order* order, int64_t contracts, const Instrument* spec,
                             double at_price_usd) noexcept nogil:
    """BTC worth of contracts of an order: a bid's most at the lower of its own price and the mark.

    Both prices of an edit in flight count; asks count at `at_price_usd`, as the position does.
    """
    cdef int64_t lowest = order.price_ticks
    if contracts == 0:
        return 0.0
    if order.side == SIDE_BID:
        if order.pending_amount_contracts > 0 and order.pending_price_ticks < lowest:
            lowest = order.pending_price_ticks
        at_price_usd = bid_price_usd(spec, lowest, at_price_usd)
    return delta_btc(spec, contracts, at_price_usd)


cdef inline double bid_price_usd(const Instrument* spec, int64_t price_ticks,
                                 double at_price_usd) noexcept nogil:
    """Price at which contracts of a bid are worth most BTC."""
    return dearest_usd(price_usd(spec, price_ticks) if price_ticks > 0 else 0.0, at_price_usd)


cdef inline double dearest_usd(double own_usd, double at_price_usd) noexcept nogil:
    """The lower of a bid's own price and another: contracts are worth most BTC there."""
    return (own_usd if own_usd > 0.0 and (own_usd < at_price_usd or at_price_usd <= 0.0)
            else at_price_usd)


cdef inline bint order_slot_free(const Order* order) noexcept nogil:
    return (order.state == ORDER_CLOSED
            and order.booked_contracts >= order.filled_contracts)


cdef inline bint same_id(const char* text, int32_t size, const OrderEvent* event) noexcept nogil:
    return size > 0 and size == event.order_id_size and memcmp(
        text, event.order_id, <size_t>size) == 0


cdef inline void succeed(Order* order, int64_t ended_contracts) noexcept nogil:
    """Let a slot stand for the order a mass quote has made, or may have, after the one it named.

    What that one has filled and was not booked yet is booked by the same name: it goes on as a
    count below zero.
    """
    memcpy(order.ended_id, order.order_id, ORDER_ID_MAX)
    order.ended_id_size = order.order_id_size
    order.ended_contracts = ended_contracts
    order.booked_contracts -= ended_contracts
    order.filled_contracts = 0
    order.last_update_ms = 0
    order.order_id_size = 0
    order.price_ticks = order.pending_price_ticks
    order.amount_contracts = order.pending_amount_contracts
    order.twin = False
    order.missing_ns = 0
    order.missing_told = False
    order.queue_ticks = 0
