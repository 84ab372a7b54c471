"""A seeded generator of our own: the same numbers on every machine and Python."""
from libc.stdint cimport uint64_t

cdef struct Rng:
    uint64_t state

cdef inline uint64_t rng_next(Rng* rng) noexcept nogil:
    """splitmix64."""
    cdef uint64_t z
    rng.state += <uint64_t>0x9E3779B97F4A7C15
    z = rng.state
    z = (z ^ (z >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EB
    return z ^ (z >> 31)

cdef inline void rng_seed(Rng* rng, uint64_t seed) noexcept nogil:
    """Start far from where every other seed starts.

    The state only ever grows by one constant: seeds a multiple of it apart would give one
    sequence, shifted. So a seed goes through the output function first.
    """
    rng.state = seed
    rng.state = rng_next(rng)

cdef inline uint64_t rng_below(Rng* rng, uint64_t bound) noexcept nogil:
    """Uniform in [0, bound); the bias of the remainder is below 2^-40 for the bounds used here."""
    return (rng_next(rng) >> 11) % bound if bound > 0 else 0

cdef inline double rng_unit(Rng* rng) noexcept nogil:
    """Uniform in [0, 1)."""
    return <double>(rng_next(rng) >> 11) * (1.0 / 9007199254740992.0)
