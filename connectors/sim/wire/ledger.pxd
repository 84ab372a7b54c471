"""What was booked on the accounts that have an owner, trade by trade."""
cimport cython
from libc.stdint cimport int32_t

from connectors.sim.exchange cimport Exchange
from connectors.sim.orders cimport SimTrade, TradeLeg


@cython.final
cdef class Ledger:
    cdef dict rows              # account -> deque of Booking, oldest first

    cdef int note(self, Exchange exchange, const SimTrade* trade, const TradeLeg* leg,
                  bint taker) except -1
