"""Trades of future spreads: one price in a book of its own, booked as two on the legs."""
from libc.stdint cimport int32_t, int64_t

from connectors.sim.clearing cimport Clearing
from connectors.sim.orders cimport SimTrade, TradeLeg


cdef class Spreads(Clearing):
    cdef int leg_ticks(self, int32_t market, int64_t price_ticks, int64_t* bought,
                       int64_t* sold) except -1
    cdef int book_party(self, SimTrade* trade, TradeLeg* leg, SimTrade** legs, int32_t slot,
                        bint maker) except -1
