"""A recording as the market of the exchange: its events played in the exchange's time."""
cimport cython
from libc.stdint cimport int32_t, int64_t

from connectors.replay.event cimport Event
from connectors.sim.exchange cimport Exchange
from connectors.sim.matching cimport MatchBook

cdef struct RecordedCounters:
    int64_t snapshots
    int64_t diffs               # incremental book messages applied
    int64_t noop_diffs          # of these: changed nothing
    int64_t levels              # level changes in them, snapshots apart
    int64_t noop_levels         # of these: dropped, because they change nothing
    int64_t prints
    int64_t prints_before_book  # dropped: the book was not there yet
    int64_t fills               # of client orders, by prints and by levels
    int64_t fill_contracts
    int64_t gaps                # messages the recording lacks


@cython.final
cdef class RecordedMarket:
    cdef public bint waits_for_book
    cdef readonly double speed
    cdef readonly bint once
    cdef readonly bint ended
    cdef list listings
    cdef list index_names       # per market
    cdef object events          # numpy arrays; the pointers below look into them
    cdef object play_ns
    cdef const Event* items
    cdef const int64_t* times   # per event, running; recording's time
    cdef int64_t count
    cdef int64_t next           # event
    cdef int64_t first          # event: the first snapshot
    cdef int64_t origin_ns      # recording's time that ...
    cdef int64_t start_ns       # ... is this of the exchange
    cdef RecordedCounters counts

    cdef int64_t due_ns(self) noexcept nogil
    cdef int64_t message_end(self, int64_t begin) noexcept nogil
    cdef int apply_message(self, Exchange exchange, int64_t t_ns, int64_t begin,
                           int64_t end) except -1
    cdef int apply_levels(self, Exchange exchange, int64_t t_ns, int64_t begin,
                          int64_t end) except -1
    cdef int apply_print(self, Exchange exchange, int64_t t_ns, const Event* event) except -1
    cdef int count_fills(self, Exchange exchange, int64_t first) except -1
