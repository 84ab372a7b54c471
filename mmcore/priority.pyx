"""See priority.pxd. A print and the book change it makes come in either order."""
from libc.stdint cimport uint32_t

from mmcore.orders cimport ORDER_LIVE, mm_low_slot, slots_of
from mmcore.types cimport SIDE_ASK, SIDE_BID, SLOTS_QUOTE

cdef enum:
    QUOTE_SLOTS = (1 << SLOTS_QUOTE) - 1
    FRONT_SHARE = 5             # in the first fifth of the level is far up its queue


cdef int64_t own_at(OrderTable orders, int32_t side, int64_t price_ticks) noexcept nogil:
    """Contracts of our own that rest at a price."""
    cdef int64_t total = 0
    cdef uint32_t mask = orders.used & QUOTE_SLOTS & slots_of(side)
    cdef const Order* order
    while mask:
        order = &orders.orders[mm_low_slot(mask)]
        mask &= mask - 1
        if order.state >= ORDER_LIVE and order.price_ticks == price_ticks:
            total += order.amount_contracts - order.filled_contracts
    return total


cdef void settle(Order* order, int64_t others) noexcept nogil:
    """Bring one order's place up to what others have at its price now."""
    cdef int64_t gone = order.queue_others - others
    cdef double share
    if order.queue_ticks != order.price_ticks:          # placed or moved: the back of the queue
        order.queue_ticks = order.price_ticks
        order.ahead_contracts = <double>others
        order.queue_printed = order.queue_faded = 0
        order.queue_fresh = True
        order.queue_others = others
        return
    if gone > 0:
        if gone <= order.queue_printed:                 # told by prints before
            order.queue_printed -= gone
        else:
            gone -= order.queue_printed
            order.queue_printed = 0
            share = order.ahead_contracts / <double>(others + gone)
            order.ahead_contracts -= <double>gone * share
            order.queue_share = share
            order.queue_faded = gone                    # a print may still explain it
    elif gone < 0:
        order.queue_printed = order.queue_faded = 0
        if order.queue_fresh and -gone == order.amount_contracts - order.filled_contracts:
            order.ahead_contracts -= <double>gone       # ours came into the book only now
    if order.queue_others != others:
        order.queue_fresh = False
    if order.ahead_contracts > <double>others:
        order.ahead_contracts = <double>others
    order.queue_others = others


cdef void queue_update(OrderTable orders, OrderBook book) noexcept nogil:
    """Follow every resting quote's level in the book."""
    cdef uint32_t mask = orders.used & QUOTE_SLOTS
    cdef Order* order
    cdef int64_t others
    if not book.valid:
        return
    while mask:
        order = &orders.orders[mm_low_slot(mask)]
        mask &= mask - 1
        if order.state < ORDER_LIVE:
            continue
        others = book.amount_at(order.side, order.price_ticks) - own_at(
            orders, order.side, order.price_ticks)
        settle(order, others if others > 0 else 0)


cdef void queue_print(OrderTable orders, int32_t taker_side, int64_t price_ticks,
                      int64_t amount_contracts, int64_t near_ticks) noexcept nogil:
    """Take a print from the front of the queues it went through; count prints near an order."""
    cdef int32_t side = SIDE_ASK if taker_side == SIDE_BID else SIDE_BID
    cdef uint32_t mask = orders.used & QUOTE_SLOTS
    cdef Order* order
    cdef int64_t part, away
    while mask:
        order = &orders.orders[mm_low_slot(mask)]
        mask &= mask - 1
        if order.state < ORDER_LIVE or order.side != side:
            continue
        away = price_ticks - order.price_ticks
        if -near_ticks <= away <= near_ticks:
            order.near_prints += 1
        if away != 0 or order.queue_ticks != order.price_ticks:
            continue
        part = amount_contracts if amount_contracts < order.queue_faded else order.queue_faded
        order.queue_faded -= part           # seen as cancels before: these came from the front
        order.ahead_contracts -= <double>part * (1.0 - order.queue_share)
        order.ahead_contracts -= <double>(amount_contracts - part)
        order.queue_printed += amount_contracts - part
        if order.ahead_contracts < 0.0:
            order.ahead_contracts = 0.0


cdef bint far_up(const Order* order) noexcept nogil:
    """Whether a move would give away a good place: near the front, and more behind than ours."""
    cdef int64_t resting = order.amount_contracts - order.filled_contracts
    return (order.queue_ticks == order.price_ticks
            and order.ahead_contracts * FRONT_SHARE <= <double>order.queue_others
            and <double>order.queue_others - order.ahead_contracts >= <double>resting)
