"""Player: recorded events into the exchange, in the order of the venue's own clock."""
cimport cython
from libc.stdint cimport int32_t, int64_t

from connectors.replay.event cimport Event
from connectors.sim.account cimport VENUE_MARKETS_MAX
from connectors.sim.exchange cimport Exchange


@cython.final
cdef class Player:
    cdef object owner               # arrays; the pointers below look into them
    cdef const Event* items
    cdef int64_t count              # events
    cdef const int64_t* rows        # first event of each message, in playing order
    cdef int64_t messages
    cdef int64_t next               # message
    cdef int64_t due_ns             # when the next one happens; never goes back
    cdef bint open[VENUE_MARKETS_MAX]   # the first snapshot of a market has come
    cdef list index_names           # per market
    cdef readonly int64_t prints
    cdef readonly int64_t prints_before_book

    cdef int step(self, Exchange exchange) except -1
    cdef void find_due(self) noexcept nogil


cdef int apply_value(Exchange exchange, int64_t t_ns, const Event* event,
                     list index_names) except -1
