"""DeribitFeed: payload in, engine events out. One route, one typed decode, no partial effect."""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

from connectors.deribit.decode cimport FrameView
from connectors.deribit.own cimport OwnFeed
from mmcore.engine cimport Engine
from mmcore.types cimport MARKETS_MAX, Instrument, LevelChange, TradePrint

cdef enum:
    PRINTS_MAX = 4096           # public trades of one message
    REQUEST_HEARTBEAT_ID = 1    # id of the answer to a test_request; nobody waits for its answer

cpdef enum FeedAsk:
    """What on_payload asks of the session that called it."""
    FEED_NOTHING = 0
    FEED_TEST_REQUEST = 1       # answer with public/test at once, or the venue closes
    FEED_DISTRUST = 2           # own orders or fills unreadable: connect again and reconcile

cdef struct FeedCounters:
    uint64_t payloads
    uint64_t scanned            # book changes read without the decoder
    uint64_t fallbacks          # first bytes were unfamiliar, the generic decoder found the way
    uint64_t malformed
    uint64_t ignored            # channels nobody here uses
    uint64_t cold               # answers handed to the RPC layer
    uint64_t unknown_ids


@cython.final
cdef class DeribitFeed:
    cdef readonly Engine engine
    cdef readonly OwnFeed own
    cdef readonly uint64_t states           # words on the state of an instrument, ours or not
    cdef public object on_cold              # callable(bytes) or None; answers to cold requests
    cdef int32_t market_count
    cdef Instrument specs[MARKETS_MAX]
    cdef uint64_t heads[MARKETS_MAX]    # first and last letters of each name, as numbers
    cdef uint64_t tails[MARKETS_MAX]
    cdef bint platform_locked[MARKETS_MAX]
    cdef bint maintenance
    cdef FeedCounters counters
    cdef double index_usd
    cdef int64_t index_ms
    cdef FrameView view
    cdef const char* channel                # in the message at hand; NULL: keys in another order
    cdef LevelChange* bids
    cdef LevelChange* asks
    cdef TradePrint* prints
    cdef list price_indexes                 # of str, by market

    cdef int on_payload(self, const char* ptr, Py_ssize_t size, int64_t now_ns) except -1
    # its own steps
    cdef int on_channel(self, const char* channel, Py_ssize_t size, int64_t now_ns) except -1
    cdef int on_protection(self, int64_t now_ns) except -1
    cdef int on_answer(self, int64_t request_id, int64_t now_ns) except -1
    cdef int malformed(self, int32_t market, int64_t now_ns) except -1
    cdef int on_unfamiliar(self, int64_t now_ns) except -1
    cdef int32_t market_of(self, const char* name, Py_ssize_t size) noexcept nogil
    cdef int on_book(self, int32_t market, int64_t now_ns) except -1
    cdef int on_ticker(self, int32_t market, int64_t now_ns) except -1
    cdef int on_trades(self, int32_t market, int64_t now_ns) except -1
    cdef int on_index(self, int64_t now_ns) except -1
    cdef int on_own(self, int32_t shape, int64_t now_ns) except -1
    cdef int control(self, int32_t kind, int32_t market, int64_t value, double real,
                     int64_t now_ns) except -1
    cdef int on_state(self, int64_t now_ns) except -1
    cdef int on_platform(self, int64_t now_ns) except -1
    cdef int on_cold_answer(self) except -1
    cdef void connected(self) noexcept
