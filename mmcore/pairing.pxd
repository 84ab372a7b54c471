"""Pairing of live orders with rungs: as many as possible keep their place without a message."""
from libc.stdint cimport int32_t, uint32_t

from mmcore.types cimport LEVELS_MAX

cdef struct Pairing:
    uint32_t keeps[LEVELS_MAX]      # by order: a bit for each rung it serves as it is
    uint32_t due[LEVELS_MAX]        # by order: a bit for each rung whose price it must move to
    int32_t rung_of[LEVELS_MAX]     # by order; -1: none
    int32_t order_of[LEVELS_MAX]    # by rung; -1: none

cdef void pair(Pairing* p, int32_t orders, const int32_t* first_choice) noexcept nogil
