"""See player.pxd."""
import numpy as np

from libc.stdint cimport uint64_t

from connectors.replay.event import EventFlag, EventKind
from connectors.replay.recording import venue_order

from connectors.replay.event cimport (
    EVENT_EMPTY, EVENT_FUNDING, EVENT_INDEX, EVENT_LEVEL, EVENT_MARK, EVENT_STATE, EVENT_TRADE,
    FLAG_EXCLUDED, FLAG_LAST, FLAG_SNAPSHOT,
)
from connectors.sim.levels cimport LEVEL_PAGE_BITS, LEVEL_SPAN_BITS, Level, LevelMap
from connectors.sim.matching cimport MatchBook
from connectors.sim.orders cimport TRADE_BLOCK, TRADE_PLAIN

cdef extern from *:
    void __builtin_prefetch(const void* address, int write) noexcept nogil

cdef int64_t NEVER_NS = 0x7FFFFFFFFFFFFFFF
cdef enum:
    FETCH_EVENTS = 16


def play_rows(events, bint by_exchange_time):
    """Return the first row of every message that is played, in playing order; int64.

    Best prices are left out: the book has them. by_exchange_time: the streams of one recording
    came over different paths, so the venue's clock orders them, prints before the book at the same
    time; else the recorded order stands.
    """
    first = np.flatnonzero((events["flags"] & EventFlag.FLAG_FIRST != 0)
                           & (events["kind"] != EventKind.EVENT_TOP))
    if not by_exchange_time or not len(first):
        return first
    order, _ = venue_order(events["kind"][first], events["exch_ns"][first])
    return first[order]


cdef int apply_value(Exchange exchange, int64_t t_ns, const Event* event,
                     list index_names) except -1:
    """Put one number into the exchange: index, mark, funding or state."""
    cdef int32_t market = event.instrument
    if event.kind == EVENT_INDEX:
        exchange.market_index(t_ns, index_names[market if market >= 0 else 0], event.value)
    elif event.kind == EVENT_MARK:
        exchange.market_mark(t_ns, market, event.value)
    elif event.kind == EVENT_FUNDING:
        exchange.market_funding(t_ns, market, event.value)
    elif event.kind == EVENT_STATE:
        exchange.market_state(t_ns, market, <int32_t>event.extra)
    return 0


cdef int64_t fetch_message(LevelMap levels, const Event* first, int64_t most) noexcept nogil:
    """Count the events of a message, `most` at most, and ask for its levels: they lie far apart."""
    cdef const Event* event = first
    cdef const Event* end = first + most
    cdef uint64_t at
    cdef Level* page
    cdef bint last = False
    while event < end and not last:
        at = <uint64_t>(event.price_ticks - levels.base_ticks)
        if at < (<uint64_t>1 << LEVEL_SPAN_BITS):
            page = levels.pages[at >> LEVEL_PAGE_BITS]
            if page != NULL:
                __builtin_prefetch(&page[at & ((1 << LEVEL_PAGE_BITS) - 1)], 1)
        last = event.flags & FLAG_LAST
        event += 1
    return event - first


cdef class Player:
    """Plays messages one by one.

    events: array of EVENT_DTYPE whose instrument numbers are the exchange's markets; rows: see
    play_rows; index_names: the index of every market.
    """

    def __init__(self, events, rows, list index_names not None):
        cdef const Event[::1] items = events
        cdef const int64_t[::1] places = rows
        if not len(events) or not len(rows):
            raise ValueError("the recording has no event to play")
        self.owner = (events, rows)
        self.items = &items[0]
        self.count = len(events)
        self.rows = &places[0]
        self.messages = len(rows)
        self.index_names = index_names
        self.find_due()

    cdef void find_due(self) noexcept nogil:
        if self.next == self.messages:
            self.due_ns = NEVER_NS
        else:
            self.due_ns = max(self.due_ns, self.items[self.rows[self.next]].exch_ns)

    cdef int step(self, Exchange exchange) except -1:
        """Apply the next message at its time."""
        cdef int64_t begin = self.rows[self.next], i
        cdef MatchBook book
        cdef const Event* event = &self.items[begin]
        cdef int64_t t_ns = self.due_ns
        if event.kind == EVENT_LEVEL or event.kind == EVENT_EMPTY:
            book = exchange.books[event.instrument]
            exchange.market_levels(t_ns, event.instrument, event,
                                   fetch_message(book.levels, event, self.count - begin))
            if event.flags & FLAG_SNAPSHOT and not self.open[event.instrument]:
                self.open[event.instrument] = True
                exchange.refresh_marks(t_ns)
        elif event.kind == EVENT_TRADE:
            if self.open[event.instrument]:
                self.prints += 1
                exchange.market_trade(
                    t_ns, event.instrument, event.side, event.price_ticks,
                    event.amount_contracts,
                    TRADE_BLOCK if event.flags & FLAG_EXCLUDED else TRADE_PLAIN)
            else:
                self.prints_before_book += 1
        else:
            apply_value(exchange, t_ns, event, self.index_names)
        self.next += 1
        self.find_due()
        # The file is larger than any cache: ask for the message after the next one now.
        if self.next + 1 < self.messages:
            event = &self.items[self.rows[self.next + 1]]
            for i in range(FETCH_EVENTS):       # beyond the last there is no harm in asking
                __builtin_prefetch(event + i, 0)
        return 0
