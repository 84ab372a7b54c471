"""Journal: every engine input and outbound payload, into a preallocated ring.

One producer (the reactor), one consumer (the recorder process), no lock, no file call here.
Record = 16-byte header + payload, padded to a multiple of 16 in the ring.
"""
from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t, uint64_t

cpdef enum JournalKind:
    JOURNAL_HEADER = 1          # JSON: build, config, instruments, seeds; first in every segment
    JOURNAL_FRAME_IN = 2        # payload as received; auth answers redacted
    JOURNAL_OUT = 3             # order payloads of one decision, before masking
    JOURNAL_TURN = 4            # a decision was made here
    JOURNAL_TIMER = 5
    JOURNAL_CONTROL = 6         # struct Control
    JOURNAL_WHY = 7             # struct Why of a market whose orders changed
    JOURNAL_GAP = 8             # uint64 records lost before this one
    JOURNAL_PAD = 9             # fills the ring's end; never on disk
    JOURNAL_SESSION = 10        # connection opened or closed; payload says which

cdef struct JournalRecord:
    uint32_t size               # of the payload in bytes
    uint16_t kind               # JournalKind
    uint16_t source             # market or connection
    int64_t now_ns

cdef struct RingHeader:
    uint64_t magic
    uint64_t version
    uint64_t capacity           # bytes of the data area, a power of two
    uint64_t written            # bytes ever written; the producer's
    uint64_t drained            # bytes ever taken; the consumer's
    uint64_t lost               # records that found no room

cdef enum:                      # words of 8 bytes in the ring's header that the recorder writes
    RECORDER_ID = 256           # of the ring, made by its first recorder
    RECORDER_FAULT              # 1 while it cannot write to the disk
    RECORDER_BYTES              # written to segments
    RECORDER_SEGMENTS           # begun
    RECORDER_DELETED            # segments removed for the quota

cdef enum:
    RING_DATA_OFFSET = 4096
    GAP_BYTES = 32              # a JOURNAL_GAP record in the ring

cdef class Journal:
    cdef object buffer          # keeps the mapping alive
    cdef Py_buffer view
    cdef RingHeader* header
    cdef char* data
    cdef uint64_t mask
    cdef uint64_t gap           # lost since the last record that fitted
    cdef bint has_view

    cdef bint append(self, int32_t kind, int32_t source, int64_t now_ns, const void* payload,
                     uint32_t size) noexcept nogil
    cdef void drop(self) noexcept nogil
    cdef uint64_t lost_count(self) noexcept nogil
    cdef uint64_t capacity(self) noexcept nogil
    cdef uint64_t recorder_word(self, int32_t word) noexcept nogil
