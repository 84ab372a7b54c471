"""See pairing.pxd. Augmenting paths; a side has ten orders at most, and mostly none has to move."""
from mmcore.orders cimport mm_low_slot


cdef bint augment(Pairing* p, int32_t order, uint32_t* seen) noexcept nogil:
    """Find a rung for an order, moving others to another rung that suits them as well."""
    cdef uint32_t mask = p.keeps[order] & ~seen[0]
    cdef int32_t rung
    while mask:
        rung = mm_low_slot(mask)
        seen[0] |= <uint32_t>1 << rung
        if p.order_of[rung] < 0 or augment(p, p.order_of[rung], seen):
            p.order_of[rung] = order
            p.rung_of[order] = rung
            return True
        mask = p.keeps[order] & ~seen[0]
    return False


cdef void pair(Pairing* p, int32_t orders, const int32_t* first_choice) noexcept nogil:
    """Pair the most orders with rungs they serve; `keeps` is given, the rest is filled in.

    first_choice: by order, the rung it served before: it stays there where it can.
    """
    cdef int32_t i, rung
    cdef uint32_t seen
    for i in range(LEVELS_MAX):
        p.rung_of[i] = -1
        p.order_of[i] = -1
    for i in range(orders):
        rung = first_choice[i]
        if 0 <= rung < LEVELS_MAX and p.order_of[rung] < 0 and (
                p.keeps[i] & (<uint32_t>1 << rung)):
            p.order_of[rung] = i
            p.rung_of[i] = rung
    for i in range(orders):
        if p.rung_of[i] < 0:
            seen = 0
            augment(p, i, &seen)
