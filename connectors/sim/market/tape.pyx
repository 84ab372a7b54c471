"""Keep what the exchange shows as events; see tape.pxd."""
import numpy as np

from connectors.replay.event import EVENT_DTYPE

from connectors.replay.event cimport (
    EVENT_INDEX,
    EVENT_LEVEL,
    EVENT_TRADE,
    FLAG_FIRST,
    FLAG_LAST,
    FLAG_SNAPSHOT,
)
from connectors.sim.levels cimport INTERVAL_RAW
from connectors.sim.matching cimport MatchBook
from connectors.sim.orders cimport SimTrade
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset
from mmcore.types cimport SIDE_ASK, SIDE_BID

cdef enum:
    FIRST_CAPACITY = 65536


cdef class EventTape(Outputs):
    """Listen to an exchange from now on: raw book changes, prints, index.

    It takes the place of the exchange's outputs and subscribes every market's raw book, whose
    present state becomes the first message of the tape.
    """

    def __init__(self, Exchange exchange not None, int64_t t_ns):
        cdef int32_t market
        self.exchange = exchange
        exchange.set_outputs(self)
        for market in range(exchange.market_count):
            exchange.subscribe_book(t_ns, market, INTERVAL_RAW)
            self.snapshot(t_ns, market)

    def __dealloc__(self):
        free(self.items)

    def __len__(self):
        return self.count

    def events(self):
        """Return a copy of the events so far, an array of EVENT_DTYPE."""
        events = np.zeros(self.count, dtype=EVENT_DTYPE)
        cdef Event[::1] target
        if self.count:
            target = events
            memcpy(&target[0], self.items, self.count * sizeof(Event))
        return events

    cdef int snapshot(self, int64_t t_ns, int32_t market) except -1:
        cdef MatchBook book = self.exchange.books[market]
        cdef int64_t first = self.count
        cdef int64_t ticks = 0
        cdef int32_t side
        cdef bint more
        cdef Event* event
        for side in range(2):
            more = self.exchange.best_ticks(market, side, &ticks)
            while more:
                event = self.append(t_ns, market, EVENT_LEVEL)
                event.side = <unsigned char>side
                event.price_ticks = ticks
                event.amount_contracts = self.exchange.level_contracts(market, side, ticks)
                event.flags = FLAG_SNAPSHOT
                more = book.levels.worse(side, &ticks)
        if self.count > first:
            self.items[first].flags |= FLAG_FIRST
            self.items[self.count - 1].flags |= FLAG_LAST
        return 0

    cdef Event* append(self, int64_t t_ns, int32_t market, int32_t kind) except NULL:
        cdef Event* grown
        cdef int64_t capacity
        if self.count == self.capacity:
            capacity = 2 * self.capacity if self.capacity else FIRST_CAPACITY
            grown = <Event*>realloc(self.items, capacity * sizeof(Event))
            if grown == NULL:
                raise MemoryError(f"{capacity} events")
            self.items = grown
            self.capacity = capacity
        grown = &self.items[self.count]
        self.count += 1
        memset(grown, 0, sizeof(Event))
        grown.exch_ns = t_ns
        grown.local_ns = t_ns
        grown.instrument = market
        grown.kind = <unsigned char>kind
        return grown

    cdef int on_book(self, const BookUpdate* update) except -1:
        cdef int64_t first = self.count
        cdef int32_t side, i
        cdef Event* event
        if update.interval != INTERVAL_RAW:
            return 0
        for side in range(2):
            for i in range(update.count[side]):
                event = self.append(update.t_ns, update.market, EVENT_LEVEL)
                event.side = <unsigned char>side
                event.price_ticks = update.changes[side][i].price_ticks
                event.amount_contracts = update.changes[side][i].amount_contracts
                event.sequence = update.change_id
                event.extra = update.prev_change_id
        if self.count > first:
            self.items[first].flags |= FLAG_FIRST
            self.items[self.count - 1].flags |= FLAG_LAST
        return 0

    cdef int on_trades(self, int64_t t_ns, int32_t market, int32_t interval,
                       int64_t first, int64_t end) except -1:
        cdef int64_t i
        cdef const SimTrade* trade
        cdef Event* event
        if interval != INTERVAL_RAW:
            return 0
        for i in range(first, end):
            trade = self.exchange.trades.at(i)
            event = self.append(trade.t_ns, market, EVENT_TRADE)
            event.side = SIDE_BID if trade.side == SIDE_BID else SIDE_ASK
            event.price_ticks = trade.price_ticks
            event.amount_contracts = trade.amount_contracts
            event.sequence = trade.trade_id
            event.extra = trade.trade_seq
            event.flags = FLAG_FIRST | FLAG_LAST
        return 0

    cdef int on_index(self, int64_t t_ns, int32_t index) except -1:
        cdef Event* event = self.append(t_ns, -1, EVENT_INDEX)
        event.value = self.exchange.indexes[index].price_usd
        event.flags = FLAG_FIRST | FLAG_LAST
        return 0
