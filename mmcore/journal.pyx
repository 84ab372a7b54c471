"""See journal.pxd for the layout."""
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.string cimport memcpy, memset

RING_MAGIC = 0x31474E4952304D4D      # "MM0RING1", little endian
RING_VERSION = 1

cdef extern from *:
    """
    #define MM_PUBLISH(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
    #define MM_OBSERVE(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
    """
    void MM_PUBLISH(uint64_t* target, uint64_t value) noexcept nogil
    uint64_t MM_OBSERVE(uint64_t* source) noexcept nogil


cdef class Journal:
    """Writer of the ring; without a buffer it keeps nothing and costs one test.

    buffer is a writable mapping of RING_DATA_OFFSET plus a power of two of bytes. A ring left by
    a process that died is continued, so that its undrained records survive.
    """

    def __init__(self, buffer=None):
        cdef Py_ssize_t capacity
        if buffer is None:
            return
        PyObject_GetBuffer(buffer, &self.view, PyBUF_WRITABLE)
        self.has_view = True
        self.buffer = buffer
        capacity = self.view.len - RING_DATA_OFFSET
        if capacity < 4096 or capacity & (capacity - 1):
            raise ValueError(f"a journal ring needs {RING_DATA_OFFSET} bytes plus a power of two, "
                             f"not {self.view.len}")
        self.header = <RingHeader*>self.view.buf
        self.data = <char*>self.view.buf + RING_DATA_OFFSET
        self.mask = <uint64_t>capacity - 1
        if self.header.magic != <uint64_t>RING_MAGIC:
            memset(self.view.buf, 0, RING_DATA_OFFSET)
            self.header.version = RING_VERSION
            self.header.capacity = <uint64_t>capacity
            MM_PUBLISH(&self.header.magic, <uint64_t>RING_MAGIC)
        elif self.header.capacity != <uint64_t>capacity or self.header.version != RING_VERSION:
            raise ValueError("the journal ring belongs to another version; drain and remove it")

    def __dealloc__(self):
        if self.has_view:
            PyBuffer_Release(&self.view)

    cdef bint append(self, int32_t kind, int32_t source, int64_t now_ns, const void* payload,
                     uint32_t size) noexcept nogil:
        """Write one record; False where it is lost because the ring is full."""
        cdef uint64_t written, room, used, offset, to_end, lost
        cdef JournalRecord* record
        if self.header == NULL:
            return True
        used = (sizeof(JournalRecord) + <uint64_t>size + 15) & ~<uint64_t>15
        written = self.header.written
        room = self.mask + 1 - (written - MM_OBSERVE(&self.header.drained))
        if self.gap > 0:
            # room for the record too, so that a full ring is not filled with gaps alone; twice,
            # because either may have to start anew at the ring's beginning
            if room < 2 * (GAP_BYTES + used):
                self.drop()
                return False
            lost = self.gap
            self.gap = 0
            self.append(JOURNAL_GAP, 0, now_ns, &lost, sizeof(lost))
            written = self.header.written
            room = self.mask + 1 - (written - MM_OBSERVE(&self.header.drained))
        offset = written & self.mask
        to_end = self.mask + 1 - offset
        if used > to_end:               # never split a record: pad to the end first
            if room < to_end + used:
                self.drop()
                return False
            record = <JournalRecord*>(self.data + offset)
            record.size = <uint32_t>(to_end - sizeof(JournalRecord))
            record.kind = JOURNAL_PAD
            written += to_end
            offset = 0
        elif room < used:
            self.drop()
            return False
        record = <JournalRecord*>(self.data + offset)
        record.size = size
        record.kind = <uint16_t>kind
        record.source = <uint16_t>source
        record.now_ns = now_ns
        if size:
            memcpy(<char*>record + sizeof(JournalRecord), payload, size)
        MM_PUBLISH(&self.header.written, written + used)
        return True

    cdef void drop(self) noexcept nogil:
        self.gap += 1
        self.header.lost += 1

    cdef uint64_t lost_count(self) noexcept nogil:
        """Records that found no room so far."""
        return self.header.lost if self.header != NULL else 0

    cdef uint64_t capacity(self) noexcept nogil:
        """Bytes the ring holds."""
        return self.mask + 1 if self.header != NULL else 0

    cdef uint64_t recorder_word(self, int32_t word) noexcept nogil:
        """One of the numbers the recorder keeps in the ring's header."""
        return MM_OBSERVE(<uint64_t*>self.header + word) if self.header != NULL else 0

    def write(self, int32_t kind, int32_t source, int64_t now_ns, const unsigned char[::1] payload):
        """Append from Python (cold); False where the ring is full."""
        cdef const void* start = &payload[0] if payload.shape[0] else NULL
        return self.append(kind, source, now_ns, start, <uint32_t>payload.shape[0])

    @property
    def lost(self):
        """Records that found no room."""
        return self.lost_count()

    @property
    def disk_fault(self):
        """Whether the recorder cannot write."""
        return self.recorder_word(RECORDER_FAULT) != 0

    @property
    def depth(self):
        """Bytes waiting for the recorder."""
        if self.header == NULL:
            return 0
        return self.header.written - MM_OBSERVE(&self.header.drained)
