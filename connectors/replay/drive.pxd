"""Drive: the hot path without a socket, for replay, benchmarks and instruction counts."""
from libc.stdint cimport int32_t, int64_t, uint64_t

from connectors.deribit.encode cimport Encoder
from connectors.deribit.feed cimport DeribitFeed
from mmcore.engine cimport Engine
from mmcore.sink cimport OrderSink
from mmcore.types cimport ActionBatch, LevelChange

cdef enum:
    DELTA_LEVELS_MAX = 32       # levels a side of a prepared delta


cdef class PayloadSink(OrderSink):
    cdef readonly Engine engine
    cdef readonly Encoder encoder
    cdef public bint keep               # collect the texts in `payloads`
    cdef public bint connected          # a session without a connection writes nothing
    cdef public bint answer             # confirm every action at once, as a venue without delay
    cdef public bint silent             # write no message: what is left is the deciding
    cdef readonly list payloads         # bytes, one per batch: texts, each with a newline
    cdef readonly uint64_t actions
    cdef readonly uint64_t text_bytes
    cdef int64_t answer_ms
    cdef bint timed                     # note when a decision arrives, and when it is encoded
    cdef int64_t decided_ns
    cdef int64_t written_ns

    cdef int confirm(self, const ActionBatch* batch, int64_t now_ns) except -1


cdef struct PreparedDelta:
    int32_t bid_count
    int32_t ask_count
    LevelChange bids[DELTA_LEVELS_MAX]
    LevelChange asks[DELTA_LEVELS_MAX]


cdef class Drive:
    cdef readonly Engine engine
    cdef readonly DeribitFeed feed
    cdef readonly PayloadSink sink
    cdef PreparedDelta prepared[2]
    cdef int64_t change_id

    cdef int book_loop(self, int64_t count, int64_t now_ns, int64_t step_ns) except -1
    cdef int turn_loop(self, int64_t count, int64_t now_ns, int64_t step_ns) except -1
    cdef int decision_loop(self, list times, int64_t count, int64_t now_ns,
                           int64_t step_ns) except -1
    cdef int payload_loop(self, list payloads, int64_t now_ns, int64_t step_ns) except -1
    cdef int wire_loop(self, list payloads, int64_t now_ns, int64_t step_ns) except -1
    cdef int written_loop(self, list times, list payloads, int64_t now_ns,
                          int64_t step_ns) except -1
    cdef int apply_prepared(self, int64_t i, bint snapshot, int64_t now_ns) except -1
    cdef int tick_loop(self, int64_t count, int64_t now_ns, int64_t step_ns) except -1
    cdef int encode_loop(self, int64_t count) except -1
