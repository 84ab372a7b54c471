"""Latency models; see latency.pxd."""
from libc.math cimport cos, exp, log, sqrt

import numpy as np

from connectors.sim.rng cimport rng_below, rng_seed, rng_unit

cdef double TWO_PI = 6.283185307179586
cdef int64_t LATENCY_MAX_NS = 60_000_000_000


cdef class Latency:
    """One direction of a path; made by one of the constructors below."""

    def __init__(self, seed=1):
        rng_seed(&self.rng, seed)

    @staticmethod
    def constant(int64_t ns):
        """Always ns."""
        return Latency.lognormal(ns, 0.0)

    @staticmethod
    def lognormal(int64_t median_ns, double sigma, seed=1):
        """A median, and the standard deviation of the logarithm."""
        cdef Latency made = Latency(seed)
        if not 0 <= median_ns <= LATENCY_MAX_NS or not 0.0 <= sigma <= 5.0:
            raise ValueError(f"latency of {median_ns} ns, sigma {sigma}: 0 to {LATENCY_MAX_NS} ns "
                             "and 0 to 5")
        made.kind = LATENCY_LOGNORMAL if sigma > 0.0 else LATENCY_CONSTANT
        made.constant_ns = median_ns
        made.sigma = sigma
        return made

    @staticmethod
    def sampled(values_ns, seed=1):
        """Drawn from a list of measured values."""
        cdef Latency made = Latency(seed)
        made.kind = LATENCY_SAMPLED
        made.keep(values_ns, None)
        return made

    @staticmethod
    def recorded(times_ns, values_ns):
        """Measured at times since the epoch, ascending; the last at or before now holds."""
        cdef Latency made = Latency()
        made.kind = LATENCY_RECORDED
        made.keep(values_ns, times_ns)
        return made

    def keep(self, values_ns, times_ns):
        """Take over what was measured."""
        cdef const int64_t[::1] view
        values = np.ascontiguousarray(values_ns, dtype=np.int64)
        if len(values) == 0:
            raise ValueError("a latency model needs at least one measured value")
        if values.min() < 0 or values.max() > LATENCY_MAX_NS:
            raise ValueError(f"latencies must be from 0 to {LATENCY_MAX_NS} ns, found "
                             f"{values.min()} to {values.max()}")
        view = values
        self.values_ns = &view[0]
        self.count = len(values)
        self.owner = (values,)
        if times_ns is None:
            return
        times = np.ascontiguousarray(times_ns, dtype=np.int64)
        if len(times) != len(values) or np.any(np.diff(times) < 0):
            raise ValueError("recorded latencies need one time each, in ascending order")
        view = times
        self.times_ns = &view[0]
        self.owner = (values, times)

    def with_spikes(self, double every_s, int64_t spike_ns, int64_t for_ns):
        """Add spikes: on average every so often, slower by spike_ns melting away over for_ns."""
        if not 0.0 <= every_s <= 1e9 or spike_ns < 0 or for_ns <= 0:
            raise ValueError(f"spikes every {every_s} s of {spike_ns} ns for {for_ns} ns: none "
                             "may be negative, and the last must be above 0")
        self.spike_every_s = every_s
        self.spike_ns = spike_ns
        self.spike_for_ns = for_ns
        return self

    def at_time(self, int64_t t_ns):
        """The latency of something that leaves at t_ns; times must not go back."""
        return self.draw(t_ns)

    def quantile(self, double share, int32_t draws=1000):
        """A quantile of the model without its spikes, drawn from a copy of its chance."""
        cdef Rng kept = self.rng
        if self.count:
            return int(np.quantile(self.owner[0], share, method="higher"))
        found = np.sort([self.draw_plain() for _ in range(draws)])
        self.rng = kept
        return int(found[min(draws - 1, int(share * draws))])

    def draw_plain(self):
        """One draw without spikes."""
        every, self.spike_every_s = self.spike_every_s, 0.0
        drawn = self.draw(0)
        self.spike_every_s = every
        return drawn

    cdef int64_t draw(self, int64_t t_ns) noexcept nogil:
        """The latency of something that leaves at t_ns, spikes included."""
        cdef int64_t ns = self.constant_ns
        cdef double normal
        if self.kind == LATENCY_LOGNORMAL:
            normal = sqrt(-2.0 * log(1.0 - rng_unit(&self.rng))) * cos(
                TWO_PI * rng_unit(&self.rng))
            ns = <int64_t>(<double>ns * exp(self.sigma * normal))
        elif self.kind == LATENCY_SAMPLED:
            ns = self.values_ns[rng_below(&self.rng, <unsigned long long>self.count)]
        elif self.kind == LATENCY_RECORDED:
            while self.at + 1 < self.count and self.times_ns[self.at + 1] <= t_ns:
                self.at += 1
            ns = self.values_ns[self.at]
        if self.spike_every_s > 0.0:
            ns += self.spike_at(t_ns)
        return min(ns, LATENCY_MAX_NS)

    cdef int64_t spike_at(self, int64_t t_ns) noexcept nogil:
        """What a spike adds now."""
        cdef int64_t since
        if self.spike_begin_ns == 0:
            self.spike_begin_ns = t_ns + self.next_gap()
        while t_ns >= self.spike_begin_ns + self.spike_for_ns:
            self.spike_begin_ns += self.spike_for_ns + self.next_gap()
        since = t_ns - self.spike_begin_ns
        if since < 0:
            return 0
        return <int64_t>(<double>self.spike_ns * (
            1.0 - <double>since / <double>self.spike_for_ns))

    cdef int64_t next_gap(self) noexcept nogil:
        return <int64_t>(-log(1.0 - rng_unit(&self.rng)) * self.spike_every_s * 1e9)
