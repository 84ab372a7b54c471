"""DeribitSession and DeribitSink: where bytes come in and go out.

The only file of this package that cimports picows, whose object layout is compiled in.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t
from picows.picows cimport WSFrame, WSListener, WSTransport

from connectors.deribit.encode cimport Encoder
from connectors.deribit.feed cimport DeribitFeed
from mmcore.engine cimport Engine
from mmcore.journal cimport Journal
from mmcore.sink cimport OrderSink
from mmcore.types cimport ActionBatch

cdef enum:
    MESSAGE_MAX = 16777216      # bytes of one message, in however many frames


@cython.final
cdef class DeribitSink(OrderSink):
    cdef readonly Encoder encoder
    cdef Engine engine
    cdef Journal journal
    cdef WSTransport transport      # None while disconnected
    cdef ActionBatch emergency      # one cancel_all, for when the engine cannot be asked
    cdef int64_t emergency_sequence
    cdef bint real_time             # latency is measured; virtual time has none
    cdef int64_t turn_ns            # when the decision at hand began
    cdef readonly uint64_t writes
    cdef readonly uint64_t messages
    cdef readonly uint64_t refused  # actions that found no connection

    cdef bint connected(self) noexcept
    cdef int write(self, const char* data, Py_ssize_t size) except -1
    cdef int cancel_all(self, int64_t now_ns) except -1


@cython.final
cdef class DeribitSession(WSListener):
    cdef readonly Engine engine
    cdef readonly DeribitFeed feed
    cdef readonly DeribitSink sink
    cdef readonly bint orders       # orders live on this connection; False: market data only
    cdef Journal journal
    cdef object clock               # callable returning ns, or None: CLOCK_MONOTONIC
    cdef public object on_closed    # callable() or None
    cdef public bint redact         # an auth request is outstanding
    cdef readonly WSTransport transport
    cdef int64_t read_ns            # time of the socket read at hand; 0 between reads
    cdef bytearray partial          # a message in several frames; None otherwise
    cdef readonly uint64_t frames
    cdef readonly uint64_t reads
    cdef readonly uint64_t exceptions

    cdef int64_t clock_ns(self) except? -1
    cdef int take_frame(self, WSTransport transport, WSFrame frame) except -1
    cdef int take_part(self, WSFrame frame) except -1
    cdef int take_message(self, const char* ptr, Py_ssize_t size) except -1
    cdef int fail(self, int64_t now_ns) except -1
    cdef int lose(self) except -1
