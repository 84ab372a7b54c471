"""Base of the exchange's fronts; see outputs.pxd."""


cdef class Outputs:
    """A front that ignores everything."""

    cdef int on_book(self, const BookUpdate* update) except -1:
        return 0

    cdef int on_quote(self, int64_t t_ns, int32_t market) except -1:
        return 0

    cdef int on_window(self, int64_t t_ns, int32_t market, int32_t interval) except -1:
        return 0

    cdef int on_trades(self, int64_t t_ns, int32_t market, int32_t interval,
                       int64_t first, int64_t end) except -1:
        return 0

    cdef int on_ticker(self, int64_t t_ns, int32_t market, int32_t interval) except -1:
        return 0

    cdef int on_index(self, int64_t t_ns, int32_t index) except -1:
        return 0

    cdef int on_market_state(self, int64_t t_ns, int32_t market) except -1:
        return 0

    cdef int on_order(self, int64_t t_ns, const SimOrder* order) except -1:
        return 0

    cdef int on_user_trade(self, int64_t t_ns, const SimOrder* order, const SimTrade* trade,
                           const TradeLeg* leg) except -1:
        return 0

    cdef int on_outcome(self, int64_t t_ns, const Outcome* outcome) except -1:
        """What a request that had to wait came to."""
        return 0

    cdef int on_mmp(self, int64_t t_ns, int32_t account, int32_t index, str group,
                    int64_t frozen_until_ns) except -1:
        """A quote protection has frozen; until 0: until it is reset."""
        return 0

    cdef int on_listed(self, int64_t t_ns, int32_t market) except -1:
        """A market was added while the exchange runs."""
        return 0

    cdef int on_event_end(self, int64_t t_ns) except -1:
        return 0
