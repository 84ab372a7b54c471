"""Requests under way; see waiting.pxd."""
from libc.stdint cimport INT64_MAX
from libc.stdlib cimport free, realloc
from libc.string cimport memmove


cdef class WaitList:
    """Entries of `Waiting`, the next due first."""

    def __dealloc__(self):
        free(self.items)

    cdef int64_t due_ns(self) noexcept nogil:
        return self.items[0].due_ns if self.count > 0 else INT64_MAX

    cdef int add(self, const Waiting* entry) except -1:
        cdef Waiting* grown
        cdef int32_t place = self.count
        if self.count == self.capacity:
            grown = <Waiting*>realloc(self.items, (2 * self.capacity + 16) * sizeof(Waiting))
            if grown == NULL:
                raise MemoryError("waiting requests")
            self.items = grown
            self.capacity = 2 * self.capacity + 16
        while place > 0 and self.items[place - 1].due_ns > entry.due_ns:
            place -= 1
        memmove(&self.items[place + 1], &self.items[place],
                (self.count - place) * sizeof(Waiting))
        self.items[place] = entry[0]
        self.count += 1
        return 0

    cdef void remove(self, int32_t place) noexcept nogil:
        self.count -= 1
        memmove(&self.items[place], &self.items[place + 1],
                (self.count - place) * sizeof(Waiting))

    cdef int32_t queued(self, int32_t account, int32_t currency, int64_t* free_ns) noexcept nogil:
        """How many requests stand in a matching queue, and when the last of them is done."""
        cdef int32_t i
        cdef int32_t found = 0
        for i in range(self.count):
            if (self.items[i].account == account and self.items[i].currency == currency
                    and self.items[i].kind <= WAIT_QUOTE):
                found += 1
                free_ns[0] = max(free_ns[0], self.items[i].due_ns)
        return found
