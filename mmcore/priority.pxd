"""Queue position of own orders: how much of others' amount stands before each at its price.

An estimate: the venue shows amounts of levels, not of orders. Contracts ahead start as what others
have there when the order arrives; prints at the price take from the front; what leaves without a
print left evenly from before and behind; what is added joins behind.
"""
from libc.stdint cimport int32_t, int64_t

from mmcore.book cimport OrderBook
from mmcore.orders cimport Order, OrderTable

cdef void queue_update(OrderTable orders, OrderBook book) noexcept nogil
cdef void queue_print(OrderTable orders, int32_t taker_side, int64_t price_ticks,
                      int64_t amount_contracts, int64_t near_ticks) noexcept nogil
cdef bint far_up(const Order* order) noexcept nogil
