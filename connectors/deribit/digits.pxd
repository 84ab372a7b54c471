"""Integers to decimal digits, eight at a time and without a loop."""
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef extern from *:
    """
    static inline int mm_low_digit(unsigned long long word) { return __builtin_ctzll(word); }
    """
    int mm_low_digit(unsigned long long word) noexcept nogil


cdef inline uint64_t eight_digits(uint32_t value) noexcept nogil:
    """The digits of a number below 1e8, one a byte, the highest in the lowest byte.

    Halved three times, all parts at once: a product and a shift divide each part by 100, then 10.
    """
    cdef uint64_t fours = (value // 10_000) | (<uint64_t>(value % 10_000) << 32)
    cdef uint64_t twos, high = ((fours * 10_486) >> 20) & 0x0000007F0000007FULL
    twos = high | ((fours - 100 * high) << 16)
    high = ((twos * 103) >> 10) & 0x000F000F000F000FULL
    return high | ((twos - 10 * high) << 8)


cdef inline char* put_eight(char* out, uint32_t value) noexcept nogil:
    """Write a number below 1e8 as eight digits."""
    cdef uint64_t digits = eight_digits(value) | 0x3030303030303030ULL
    memcpy(out, &digits, 8)
    return out + 8


cdef inline char* put_short(char* out, uint32_t value) noexcept nogil:
    """Write a number below 1e8; eight bytes are written, what follows covers those too many."""
    cdef uint64_t digits = eight_digits(value)
    cdef int32_t skipped = mm_low_digit(digits | (<uint64_t>1 << 56)) & 56
    digits = (digits | 0x3030303030303030ULL) >> skipped
    memcpy(out, &digits, 8)
    return out + 8 - (skipped >> 3)


cdef inline char* put_integer(char* out, int64_t value) noexcept nogil:
    """Write an integer; groups of eight digits do not wait for one another."""
    cdef uint64_t rest, high
    if value < 0:
        out[0] = c'-'
        out += 1
        rest = <uint64_t>(-(value + 1)) + 1
    else:
        rest = <uint64_t>value
    if rest < 100_000_000:
        return put_short(out, <uint32_t>rest)
    high = rest // 100_000_000
    if high < 100_000_000:
        out = put_short(out, <uint32_t>high)
    else:
        out = put_short(out, <uint32_t>(high // 100_000_000))
        out = put_eight(out, <uint32_t>(high % 100_000_000))
    return put_eight(out, <uint32_t>(rest % 100_000_000))
