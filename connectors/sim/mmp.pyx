"""Quote protection; see mmp.pxd."""

cdef double SECOND_NS = 1e9


cdef class MmpGroup:
    """One group; limits come with `configure`."""

    def __init__(self, str name not None, int32_t index):
        self.name = name
        self.index = index

    def configure(self, double interval_s, double frozen_s, double quantity_limit,
                  double delta_limit, double vega_limit, double max_quote_quantity):
        """Replace all limits; 0 is no limit, and an interval of 0 ends the protection."""
        self.interval_s = interval_s
        self.frozen_s = frozen_s
        self.quantity_limit = quantity_limit
        self.delta_limit = delta_limit
        self.vega_limit = vega_limit
        self.max_quote_quantity = max_quote_quantity
        self.configured = interval_s > 0.0
        self.reset()

    cdef int reset(self) except -1:
        """Count from nothing, and thaw."""
        self.frozen = False
        self.frozen_until_ns = 0
        self.first_ns = 0
        self.quantity_btc = 0.0
        self.delta_btc = 0.0
        return 0

    cdef bint blocks(self, int64_t t_ns) noexcept:
        """Is the group frozen? One whose time is over thaws."""
        if self.frozen and 0 < self.frozen_until_ns <= t_ns:
            self.frozen = False
            self.frozen_until_ns = 0
            self.first_ns = 0
            self.quantity_btc = 0.0
            self.delta_btc = 0.0
        return self.frozen

    cdef bint note(self, int64_t t_ns, double signed_btc) noexcept:
        """Count a trade; True where it runs over a limit, which freezes the group."""
        cdef double size = signed_btc if signed_btc > 0.0 else -signed_btc
        if not self.configured or self.frozen:
            return False
        if self.first_ns == 0 or t_ns - self.first_ns > <int64_t>(self.interval_s * SECOND_NS):
            self.first_ns = t_ns
            self.quantity_btc = 0.0
            self.delta_btc = 0.0
        self.quantity_btc += size
        self.delta_btc += signed_btc
        size = self.delta_btc if self.delta_btc > 0.0 else -self.delta_btc
        if not (0.0 < self.quantity_limit <= self.quantity_btc
                or 0.0 < self.delta_limit <= size):
            return False
        self.frozen = True
        if self.frozen_s > 0.0:
            self.frozen_until_ns = t_ns + <int64_t>(self.frozen_s * SECOND_NS)
        return True

    def frozen_until_ms(self):
        """When the group thaws; 0 until reset by hand, None while it is not frozen."""
        return self.frozen_until_ns // 1000000 if self.frozen else None
