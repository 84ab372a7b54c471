"""Fault codes: what can be wrong inside, each with one consequence (see faults.pyx)."""
from libc.stdint cimport int32_t

cpdef enum FaultCode:
    FAULT_NONE = 0
    FAULT_EXCEPTION = 1         # an exception escaped the pipeline
    FAULT_INVARIANT = 2         # a check() failed
    FAULT_JOURNAL_FULL = 3      # the helper no longer drains the ring
    FAULT_OPERATOR = 4          # a person killed it
    FAULT_REJECT_STORM = 5      # the venue refuses most of what we send
    FAULT_ENCODE = 6            # an action that cannot be written as a message
    FAULT_FOREIGN_TRADE = 7     # a trade on the account that we did not send
    FAULT_DRAWDOWN = 8          # the day's loss limit
    FAULT_THROTTLE = 9          # repeated execution, again and again
    FAULT_LATCHED = 10          # killed in an earlier run


cdef class Faults:
    cdef readonly int32_t code          # the first fault; 0 while none
    cdef readonly int32_t count

    cdef bint check(self, bint condition, int32_t code) noexcept nogil
