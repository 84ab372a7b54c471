"""Integers to decimal digits, sixteen at a time and without a loop."""
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef extern from *:
    """
    #include <emmintrin.h>
    #include <stdint.h>
    /* The digits of both halves of v, each below 1e8, one a byte, the highest in the lowest byte.
       Halved three times, all parts at once: a product and a shift divide each part by 10,000,
       100, 10; what is left of a part moves to its upper half. */
    static inline __m128i mm_digits(__m128i v)
    {
        __m128i high = _mm_srli_epi64(_mm_mul_epu32(v, _mm_set1_epi64x(3518437209)), 45);
        v = _mm_sub_epi64(v, _mm_mul_epu32(high, _mm_set1_epi64x(10000)));
        v = _mm_or_si128(high, _mm_slli_epi64(v, 32));
        high = _mm_srli_epi32(_mm_mulhi_epu16(v, _mm_set1_epi32(5243)), 3);
        v = _mm_sub_epi32(v, _mm_mullo_epi16(high, _mm_set1_epi32(100)));
        v = _mm_or_si128(high, _mm_slli_epi32(v, 16));
        high = _mm_mulhi_epu16(v, _mm_set1_epi16(6554));
        v = _mm_sub_epi16(v, _mm_mullo_epi16(high, _mm_set1_epi16(10)));
        return _mm_or_si128(high, _mm_slli_epi16(v, 8));
    }
    static inline uint64_t mm_eight_digits(uint32_t value)
    {
        return (uint64_t)_mm_cvtsi128_si64(mm_digits(_mm_cvtsi32_si128((int)value)));
    }
    static inline uint64_t mm_sixteen_digits(uint32_t high, uint32_t low, uint64_t *lows)
    {
        const __m128i digits = mm_digits(_mm_set_epi64x(low, high));
        *lows = (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(digits, digits));
        return (uint64_t)_mm_cvtsi128_si64(digits);
    }
    static inline int mm_low_digit(uint64_t word) { return __builtin_ctzll(word); }
    """
    uint64_t mm_eight_digits(uint32_t value) noexcept nogil
    uint64_t mm_sixteen_digits(uint32_t high, uint32_t low, uint64_t* lows) noexcept nogil
    int mm_low_digit(uint64_t word) noexcept nogil


cdef inline char* put_digits(char* out, uint64_t digits) noexcept nogil:
    """Write eight digits."""
    digits |= 0x3030303030303030ULL
    memcpy(out, &digits, 8)
    return out + 8


cdef inline char* put_significant(char* out, uint64_t digits) noexcept nogil:
    """Write eight digits but for zeros in front; what follows covers the bytes too many."""
    cdef uint64_t skipped = <uint64_t>mm_low_digit(digits | (<uint64_t>1 << 56)) & 56
    digits = (digits | 0x3030303030303030ULL) >> skipped
    memcpy(out, &digits, 8)
    return out + 8 - (skipped >> 3)


cdef inline char* put_integer(char* out, int64_t value) noexcept nogil:
    """Write an integer; up to 8 bytes behind it may be written too."""
    cdef uint64_t rest, high, highs, lows = 0
    if value < 0:
        out[0] = c'-'
        out += 1
        rest = <uint64_t>(-(value + 1)) + 1
    else:
        rest = <uint64_t>value
    if rest < 100_000_000:
        return put_significant(out, mm_eight_digits(<uint32_t>rest))
    high = rest // 100_000_000
    if high >= 100_000_000:
        out = put_significant(out, mm_eight_digits(<uint32_t>(high // 100_000_000)))
        out = put_digits(out, mm_eight_digits(<uint32_t>(high % 100_000_000)))
        return put_digits(out, mm_eight_digits(<uint32_t>(rest % 100_000_000)))
    highs = mm_sixteen_digits(<uint32_t>high, <uint32_t>(rest - high * 100_000_000), &lows)
    return put_digits(put_significant(out, highs), lows)
