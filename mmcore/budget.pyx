"""Request credits as the venue counts them (leaky pool, continuous refill)."""


cdef class Budget:
    """The account's matching-engine pool.

    Starts full at the tier of a new account (5 requests/s, burst 20) until the account summary
    says otherwise. The effective rate is 0.8 of the account's own, so that our clock and the
    venue's may differ.
    """

    def __cinit__(self):
        self.burst = 20.0
        self.rate = 5.0 * 0.8
        self.level = 20.0

    def configure(self, double burst, double rate):
        """Take the account's limits: burst requests, requests per second."""
        if burst < 1.0 or rate <= 0.0:
            raise ValueError(f"credit limits must be positive, not burst {burst} rate {rate}")
        self.set_limits(burst, rate)

    cdef void set_limits(self, double burst, double rate) noexcept nogil:
        self.rate = 0.8 * rate
        self.level += burst - self.burst     # what was spent stays spent, up or down
        self.burst = burst

    cdef double available(self, int64_t now_ns) noexcept nogil:
        """Requests that may be sent now."""
        cdef double level = self.level
        if now_ns > self.level_ns:
            level += <double>(now_ns - self.level_ns) * 1e-9 * self.rate
        return level if level < self.burst else self.burst

    cdef void spend(self, double requests, int64_t now_ns) noexcept nogil:
        self.level = self.available(now_ns) - requests
        self.level_ns = now_ns
        self.unanswered += <int32_t>requests

    cdef void answered(self, int32_t requests) noexcept nogil:
        self.unanswered -= requests
        if self.unanswered < 0:
            self.unanswered = 0

    @property
    def in_flight(self):
        """Matching-engine requests without an answer."""
        return self.unanswered

    def available_at(self, int64_t now_ns):
        """Requests that may be sent at a time, for tests and views."""
        return self.available(now_ns)

    def spend_at(self, double requests, int64_t now_ns):
        """Take requests out of the pool, for tests."""
        self.spend(requests, now_ns)


cdef bint rate_allows(RateCap* cap, double per_s, int64_t now_ns) noexcept nogil:
    """Refill a one-second bucket and say whether it holds a whole message."""
    cdef double full
    if now_ns > cap.level_ns:
        cap.level += <double>(now_ns - cap.level_ns) * 1e-9 * per_s
        full = per_s if per_s > 1.0 else 1.0    # slower than one a second: still one at a time
        if cap.level > full:
            cap.level = full
        cap.level_ns = now_ns
    return cap.level >= 1.0 - 1e-9


cdef void rate_spend(RateCap* cap) noexcept nogil:
    cap.level -= 1.0
