"""What a channel is about; see channel.pxd."""
from connectors.sim.account cimport currency_of
from connectors.sim.exchange cimport Exchange
from connectors.sim.matching cimport MatchBook
from connectors.sim.orders cimport SCOPE_COMBO, SCOPE_FUTURE


cdef class Channel:
    """A name, what it means, and who listens."""

    def __init__(self, str name, str kind, *, int32_t market=-1, int32_t interval=0,
                 int32_t currency=-1, int32_t account=-1, int32_t depth=0, int32_t group=0,
                 int32_t product=0):
        self.name = name
        self.kind = kind
        self.market = market
        self.interval = interval
        self.currency = currency
        self.account = account
        self.depth = depth
        self.group = group
        self.product = product
        self.raw_name = name.encode("ascii")
        self.sessions = []
        self.waiting = []

    def covers(self, Exchange exchange not None, int32_t market):
        """Is a market among those the channel is about?"""
        return ((self.market < 0 or market == self.market)
                and (self.product == 0 or self.product == (
                    <int>SCOPE_COMBO if exchange.is_spread(market) else <int>SCOPE_FUTURE))
                and (self.currency < 0 or currency_of(
                    &(<MatchBook>exchange.books[market]).spec) == self.currency))

    def markets(self, Exchange exchange not None):
        """Market numbers the channel covers."""
        return [m for m in range(exchange.market_count) if self.covers(exchange, m)]
