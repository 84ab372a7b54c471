"""How long a request takes to the exchange, or its answer back: one model per direction.

constant    always the same
lognormal   a median and the standard deviation of its logarithm
sampled     drawn from a list of measured values, each as likely
recorded    measured at known times: the last one at or before now holds

Spikes come on top of any: at random times a path is slower by some time, which melts away.
Everything drawn comes from the model's own seed.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t

from connectors.sim.rng cimport Rng

cdef enum LatencyKind:
    LATENCY_CONSTANT = 0
    LATENCY_LOGNORMAL = 1
    LATENCY_SAMPLED = 2
    LATENCY_RECORDED = 3


@cython.final
cdef class Latency:
    cdef int32_t kind
    cdef int64_t constant_ns    # also the median of lognormal
    cdef double sigma
    cdef object owner           # numpy arrays; the pointers below look into them
    cdef const int64_t* values_ns
    cdef const int64_t* times_ns
    cdef int64_t count
    cdef int64_t at             # of recorded: place of the last time at or before now
    cdef double spike_every_s   # mean time between spikes; 0: none
    cdef int64_t spike_ns       # how much slower at its begin
    cdef int64_t spike_for_ns   # until it has melted
    cdef int64_t spike_begin_ns     # of the next or present one; 0: not drawn yet
    cdef Rng rng

    cdef int64_t draw(self, int64_t t_ns) noexcept nogil
    cdef int64_t spike_at(self, int64_t t_ns) noexcept nogil
    cdef int64_t next_gap(self) noexcept nogil
