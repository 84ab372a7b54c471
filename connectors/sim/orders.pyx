"""The pool of orders and the log of trades; see orders.pxd."""
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memset

cdef enum:
    FIRST_CAPACITY = 1024
    SLOT_MASK = (1 << ORDER_SLOT_BITS) - 1
    FIRST_SEQUENCE = 70000      # order ids look like the venue's: eleven digits


cdef class OrderPool:
    """Orders of one exchange; `kept` closed ones stay readable."""

    def __cinit__(self, int32_t kept=20000):
        self.kept = kept
        self.capacity = FIRST_CAPACITY
        self.items = <SimOrder*>calloc(self.capacity, sizeof(SimOrder))
        self.closed = <int32_t*>malloc(sizeof(int32_t) << ORDER_SLOT_BITS)
        self.sequence = FIRST_SEQUENCE
        if self.items == NULL or self.closed == NULL:
            raise MemoryError("order pool")

    def __dealloc__(self):
        free(self.items)
        free(self.closed)

    cdef int32_t take(self) except -1:
        """A zeroed slot with a fresh order id. Pointers into the pool are invalid afterwards."""
        cdef int32_t slot
        cdef SimOrder* grown
        cdef SimOrder* order
        if self.closed_tail - self.closed_head > self.kept or (
                self.used == SLOT_MASK and self.closed_tail > self.closed_head):
            slot = self.closed[self.closed_head & SLOT_MASK]
            self.closed_head += 1
        elif self.used == SLOT_MASK:
            raise MemoryError("more than a million open orders")
        else:
            if self.used == self.capacity:
                grown = <SimOrder*>realloc(self.items, 2 * self.capacity * sizeof(SimOrder))
                if grown == NULL:
                    raise MemoryError("order pool")
                self.items = grown
                self.capacity *= 2
            slot = self.used
            self.used += 1
        order = &self.items[slot]
        memset(order, 0, sizeof(SimOrder))
        self.sequence += 1
        order.order_id = <int64_t>((self.sequence << ORDER_SLOT_BITS) | <uint64_t>slot)
        order.next = SLOT_NONE
        order.prev = SLOT_NONE
        order.account_next = SLOT_NONE
        order.account_prev = SLOT_NONE
        return slot

    cdef int release(self, int32_t slot) except -1:
        """Mark an order closed: readable until its slot comes up again."""
        self.closed[self.closed_tail & SLOT_MASK] = slot
        self.closed_tail += 1
        return 0

    cdef int32_t find(self, int64_t order_id) noexcept nogil:
        cdef int64_t slot = order_id & SLOT_MASK
        if order_id <= 0 or slot >= self.used or self.items[slot].order_id != order_id:
            return SLOT_NONE
        return <int32_t>slot


cdef class TradeLog:
    def __cinit__(self, int64_t capacity=65536):
        self.capacity = capacity
        self.items = <SimTrade*>calloc(capacity, sizeof(SimTrade))
        if self.items == NULL:
            raise MemoryError("trade log")

    def __dealloc__(self):
        free(self.items)

    cdef SimTrade* append(self) noexcept nogil:
        """The next record, zeroed."""
        cdef SimTrade* trade = &self.items[self.count % self.capacity]
        memset(trade, 0, sizeof(SimTrade))
        self.count += 1
        return trade

    cdef const SimTrade* at(self, int64_t index) noexcept nogil:
        return &self.items[index % self.capacity]

    cdef int64_t first(self) noexcept nogil:
        """Index of the oldest trade still held."""
        return self.count - self.capacity if self.count > self.capacity else 0
