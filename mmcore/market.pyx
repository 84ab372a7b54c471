"""See market.pxd."""
from mmcore.types cimport SIDE_ASK, SIDE_BID, delta_btc


cdef enum:
    LAG_SHARE = 8               # feed lag is averaged over about this many book messages


cdef class Market:
    """Book, signals, orders, position and ledger of one instrument."""

    def __init__(self, InstrumentSpec spec not None, Params params not None, int32_t index):
        self.spec_object = spec
        self.spec = spec.c
        self.spec.index = index
        self.params = params.copy()
        self.book = OrderBook()
        self.signals = Signals()
        self.orders = OrderTable()
        self.position = Position()
        self.ledger = Ledger()
        self.dirty = True

    cdef double price_for_limits(self) noexcept nogil:
        """The lower of reference and mark: contracts are worth most BTC there."""
        cdef double price = self.signals.s.reference_usd
        cdef double mark = self.signals.s.mark_usd
        if mark > 0.0 and (price <= 0.0 or mark < price):
            return mark
        return price

    cdef void measure(self) noexcept nogil:
        """Bring exposure and inventory up to date with orders and position."""
        cdef double price = self.price_for_limits()
        self.exposure.at_price_usd = price
        self.exposure.position_btc = delta_btc(&self.spec, self.position.contracts, price)
        self.exposure.worst_btc[SIDE_BID] = delta_btc(
            &self.spec, self.orders.worst_contracts(SIDE_BID), price)
        self.exposure.worst_btc[SIDE_ASK] = delta_btc(
            &self.spec, self.orders.worst_contracts(SIDE_ASK), price)
        self.exposure.limit_btc = self.params.v.inventory.limit_btc
        self.inventory.limit_btc = self.params.v.inventory.limit_btc
        self.inventory.contracts = self.position.contracts

    cdef void on_book_applied(self, const BookDelta* delta, int64_t now_ns,
                              int64_t wall_offset_ns) noexcept nogil:
        """Keep age and lag of the feed; a snapshot starts the warm-up anew."""
        cdef int64_t lag_ns
        self.health.book_ns = now_ns
        if delta.snapshot:
            self.health.synced_ns = now_ns
            self.health.lag_ns = 0
            self.signals.restart()
            return
        self.book_updates += 1
        if wall_offset_ns != 0 and delta.timestamp_ms > 0:
            lag_ns = now_ns + wall_offset_ns - delta.timestamp_ms * 1_000_000
            self.health.lag_ns += (lag_ns - self.health.lag_ns) // LAG_SHARE

    @property
    def name(self):
        """The venue's name of the instrument."""
        return self.spec_object.name

    def why(self):
        """How the last decision came to be, as a dict."""
        why = self.approved.why
        return {"reference_usd": why.reference_usd, "carry_usd": why.carry_usd,
                "alpha_usd": why.alpha_usd, "skew_usd": why.skew_usd,
                "half_floor_usd": why.half_floor_usd, "half_vol_usd": why.half_vol_usd,
                "half_usd": why.half_usd, "position_btc": why.position_btc,
                "sigma_usd": why.sigma_usd, "reference_source": why.reference_source,
                "removed": (why.removed[0], why.removed[1])}

    def quotes(self):
        """The approved ladder of the last decision: ([(price_ticks, contracts)], asks)."""
        sides = []
        for side in range(2):
            sides.append([(self.approved.rungs[<int>side][<int>i].price_ticks,
                           self.approved.rungs[<int>side][<int>i].amount_contracts)
                          for i in range(self.approved.count[<int>side])])
        return tuple(sides)
