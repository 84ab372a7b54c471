"""The one place where a broken invariant is recorded.

`noexcept nogil` code cannot raise: it calls check(), the first failure is latched here, and the
engine turns it into `killed` at the end of the same turn.
"""


cdef class Faults:
    """Latch of the first fault and a count of all."""

    cdef bint check(self, bint condition, int32_t code) noexcept nogil:
        if not condition:
            self.count += 1
            if self.code == FAULT_NONE:
                self.code = code
        return condition

    def trip(self, int32_t code):
        """Record a fault from Python; True where it is the first."""
        first = self.code == FAULT_NONE
        self.check(False, code)
        return first
