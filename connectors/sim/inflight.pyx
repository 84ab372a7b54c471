"""Queues of what is under way; see inflight.pxd."""
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

cdef int64_t NEVER_NS = 0x7FFFFFFFFFFFFFFF
cdef enum:
    FIRST_CAPACITY = 64


cdef void* grown(void* items, int64_t head, int64_t capacity, size_t size) except NULL:
    """Twice the room, the oldest entry first."""
    cdef char* old = <char*>items
    cdef char* more = <char*>calloc(2 * capacity, size)
    cdef int64_t first = head & (capacity - 1)
    if more == NULL:
        raise MemoryError("requests under way")
    memcpy(more, old + first * size, (capacity - first) * size)
    memcpy(more + (capacity - first) * size, old, first * size)
    free(items)
    return more


cdef class RequestQueue:
    """Requests on their way to the exchange."""

    def __cinit__(self):
        self.capacity = FIRST_CAPACITY
        self.due_ns = NEVER_NS
        self.items = <Request*>calloc(FIRST_CAPACITY, sizeof(Request))
        if self.items == NULL:
            raise MemoryError("requests under way")

    def __dealloc__(self):
        free(self.items)

    cdef Request* push(self, int64_t due_ns) except NULL:
        """The entry behind all others, zeroed; it arrives no earlier than the one before it."""
        cdef Request* entry
        if self.count == self.capacity:
            self.items = <Request*>grown(self.items, self.head, self.capacity, sizeof(Request))
            self.capacity *= 2
            self.head = 0
        entry = &self.items[(self.head + self.count) & (self.capacity - 1)]
        memset(entry, 0, sizeof(Request))
        self.last_ns = max(self.last_ns, due_ns)
        entry.due_ns = self.last_ns
        if self.count == 0:
            self.due_ns = self.last_ns
        self.count += 1
        return entry

    cdef Request* pop(self) noexcept nogil:
        """The oldest entry; valid until the next push. The queue must not be empty."""
        self.head += 1
        self.count -= 1
        self.due_ns = (self.items[self.head & (self.capacity - 1)].due_ns if self.count
                       else NEVER_NS)
        return &self.items[(self.head - 1) & (self.capacity - 1)]


cdef class DeliveryQueue:
    """Messages on their way to the maker."""

    def __cinit__(self):
        self.capacity = FIRST_CAPACITY
        self.due_ns = NEVER_NS
        self.items = <Delivery*>calloc(FIRST_CAPACITY, sizeof(Delivery))
        if self.items == NULL:
            raise MemoryError("messages under way")

    def __dealloc__(self):
        free(self.items)

    cdef Delivery* push(self, int64_t due_ns, int32_t kind, int32_t market) except NULL:
        """As RequestQueue.push."""
        cdef Delivery* entry
        if self.count == self.capacity:
            self.items = <Delivery*>grown(self.items, self.head, self.capacity, sizeof(Delivery))
            self.capacity *= 2
            self.head = 0
        entry = &self.items[(self.head + self.count) & (self.capacity - 1)]
        memset(entry, 0, sizeof(Delivery))
        self.last_ns = max(self.last_ns, due_ns)
        entry.due_ns = self.last_ns
        if self.count == 0:
            self.due_ns = self.last_ns
        entry.kind = kind
        entry.market = market
        self.count += 1
        return entry

    cdef Delivery* pop(self) noexcept nogil:
        """As RequestQueue.pop."""
        self.head += 1
        self.count -= 1
        self.due_ns = (self.items[self.head & (self.capacity - 1)].due_ns if self.count
                       else NEVER_NS)
        return &self.items[(self.head - 1) & (self.capacity - 1)]
