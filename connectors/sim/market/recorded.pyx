"""Play a recording into the exchange; see recorded.pxd.

Levels are absolute, prints fill resting client orders by the exchange's queue model. Within a book
message deletes go first, so that a move of the touch never crosses the message's own old levels.
"""
import numpy as np

from connectors.replay.event import EventFlag, EventKind
from connectors.replay.recording import venue_order
from connectors.sim.market.protocol import MAKER_FEE, TAKER_FEE, Listing

from connectors.replay.event cimport (
    EVENT_EMPTY,
    EVENT_LEVEL,
    EVENT_TRADE,
    FLAG_EXCLUDED,
    FLAG_GAP,
    FLAG_LAST,
    FLAG_SNAPSHOT,
)
from connectors.replay.player cimport apply_value
from connectors.sim.orders cimport SLOT_NONE, TRADE_BLOCK, TRADE_PLAIN
from libc.math cimport llround
from mmcore.types cimport InstrumentSpec

cdef int64_t QUIET_NS = 3600 * 1000000000       # a market that ended looks again this often
MS_PER_DAY = 86_400_000


def play_order(events, bint by_exchange_time):
    """Return (events in playing order, their running time in ns), best prices left out.

    by_exchange_time: streams of one recording come over different paths, so the venue's time
    orders them, prints before the book at the same time; else the recorded order stands.
    """
    chosen = events[events["kind"] != EventKind.EVENT_TOP]
    times = chosen["exch_ns"]
    if by_exchange_time:
        order, times = venue_order(chosen["kind"], times)
        chosen, times = chosen[order], times[order]
    return np.ascontiguousarray(chosen), np.maximum.accumulate(times)


def charging(InstrumentSpec spec not None, double maker_fee, double taker_fee):
    """Return the same instrument with other fees."""
    cdef InstrumentSpec changed = InstrumentSpec.__new__(InstrumentSpec)
    changed.c = spec.c
    changed.c.maker_fee_e8 = llround(maker_fee * 1e8)
    changed.c.taker_fee_e8 = llround(taker_fee * 1e8)
    return changed


def listing_of(spec, definition, begin_ms):
    """Return how the exchange lists a recorded instrument."""
    index_name = "btc_usd" if spec.inverse else "btc_usdc"
    if definition is not None:
        return Listing(spec=spec, index_name=index_name,
                       settlement_period=definition["settlement_period"],
                       instrument_id=definition["instrument_id"],
                       creation_ms=definition["creation_timestamp"])
    if spec.expiry_ms == 0:
        return Listing(spec=spec, index_name=index_name)
    days = (spec.expiry_ms - begin_ms) / MS_PER_DAY
    period = "day" if days <= 2 else "week" if days <= 14 else "month"
    return Listing(spec=spec, index_name=index_name, settlement_period=period,
                   instrument_id=spec.expiry_ms // 1000 % 1_000_000,
                   creation_ms=begin_ms - MS_PER_DAY)


cdef class RecordedMarket:
    """A recording as a Market.

    recording: connectors.replay.recording.Recording; speed divides the recorded gaps; once: end
    after the last event, else the market stays open and quiet. Clients pay the fees given, by
    default those since August 2026, whatever was due when the recording was made.
    """

    def __init__(self, recording, *, double speed=1.0, bint once=False,
                 double maker_fee=MAKER_FEE, double taker_fee=TAKER_FEE):
        cdef const Event[::1] items
        cdef const int64_t[::1] times
        if not 0.0 < speed <= 1e6:
            raise ValueError(f"speed {speed} must be above 0 and at most 1e6")
        self.speed = speed
        self.once = once
        self.waits_for_book = True
        self.events, self.play_ns = play_order(recording.events, recording.format == "collector")
        definitions = {d["instrument_name"]: d for d in recording.definitions}
        begin_ms = int(self.play_ns[0]) // 1_000_000
        self.listings = [listing_of(charging(spec, maker_fee, taker_fee),
                                    definitions.get(spec.name), begin_ms)
                         for spec in recording.instruments]
        self.index_names = [listing.index_name for listing in self.listings]
        snapshots = np.flatnonzero(self.events["flags"] & EventFlag.FLAG_SNAPSHOT)
        if not len(snapshots):
            raise ValueError("the recording has no book snapshot to start from")
        items = self.events
        times = self.play_ns
        self.items = &items[0]
        self.times = &times[0]
        self.count = len(self.events)
        self.first = snapshots[0]
        self.origin_ns = self.times[self.first]

    def instruments(self):
        """Return what is traded, in the recording's order."""
        return list(self.listings)

    def counters(self):
        """Return the counts of what was played, by name."""
        return self.counts

    @property
    def length_s(self):
        """Recorded seconds from the first snapshot to the end."""
        return (self.times[self.count - 1] - self.origin_ns) / 1e9

    def start(self, Exchange exchange not None, int64_t t_ns):
        """Put the first snapshot and all known before it into the exchange."""
        cdef int64_t end
        self.start_ns = t_ns
        while self.next <= self.first:
            end = self.message_end(self.next)
            if self.items[self.next].kind == EVENT_TRADE:
                self.counts.prints_before_book += 1
            else:
                self.apply_message(exchange, t_ns, self.next, end)
            self.next = end
        return self.advance(exchange, t_ns)

    def advance(self, Exchange exchange not None, int64_t t_ns):
        """Apply every event due at or before t_ns; return when the next is due, None at the end."""
        cdef int64_t due_ns, end
        while self.next < self.count:
            due_ns = self.due_ns()
            if due_ns > t_ns:
                return due_ns
            end = self.message_end(self.next)
            self.apply_message(exchange, due_ns, self.next, end)
            self.next = end
        self.ended = True
        return None if self.once else t_ns + QUIET_NS

    cdef int64_t due_ns(self) noexcept nogil:
        """Exchange time of the next event."""
        cdef int64_t gap_ns = self.times[self.next] - self.origin_ns
        if self.speed == 1.0:
            return self.start_ns + gap_ns
        return self.start_ns + <int64_t>(<double>gap_ns / self.speed)

    cdef int64_t message_end(self, int64_t begin) noexcept nogil:
        """The event after the last of the message that begins here."""
        while begin < self.count and not self.items[begin].flags & FLAG_LAST:
            begin += 1
        return begin + 1 if begin < self.count else self.count

    cdef int apply_message(self, Exchange exchange, int64_t t_ns, int64_t begin,
                           int64_t end) except -1:
        cdef const Event* event = &self.items[begin]
        if event.flags & FLAG_GAP:
            self.counts.gaps += 1
        if event.kind == EVENT_LEVEL or event.kind == EVENT_EMPTY:
            return self.apply_levels(exchange, t_ns, begin, end)
        if event.kind == EVENT_TRADE:
            return self.apply_print(exchange, t_ns, event)
        return apply_value(exchange, t_ns, event, self.index_names)

    cdef int apply_levels(self, Exchange exchange, int64_t t_ns, int64_t begin,
                          int64_t end) except -1:
        cdef const Event* event = &self.items[begin]
        cdef bint snapshot = event.flags & FLAG_SNAPSHOT
        cdef MatchBook book = exchange.books[event.instrument]
        cdef int64_t unchanged = book.unknown_deletes + book.empty_changes + book.out_of_span
        cdef int64_t trades = exchange.trades.count
        cdef int64_t levels = end - begin if event.kind == EVENT_LEVEL else 0
        exchange.market_levels(t_ns, event.instrument, event, end - begin)
        self.count_fills(exchange, trades)
        if snapshot:
            self.counts.snapshots += 1
            return 0
        unchanged = book.unknown_deletes + book.empty_changes + book.out_of_span - unchanged
        self.counts.diffs += 1
        self.counts.noop_diffs += unchanged == levels
        self.counts.levels += levels
        self.counts.noop_levels += unchanged
        return 0

    cdef int apply_print(self, Exchange exchange, int64_t t_ns, const Event* event) except -1:
        cdef int64_t trades = exchange.trades.count
        exchange.market_trade(t_ns, event.instrument, event.side, event.price_ticks,
                              event.amount_contracts,
                              TRADE_BLOCK if event.flags & FLAG_EXCLUDED else TRADE_PLAIN)
        self.counts.prints += 1
        return self.count_fills(exchange, trades)

    cdef int count_fills(self, Exchange exchange, int64_t first) except -1:
        """Count the trades since `first` that a client's resting order took part in."""
        cdef int64_t i
        for i in range(first, exchange.trades.count):
            if exchange.trades.at(i).maker.slot != SLOT_NONE:
                self.counts.fills += 1
                self.counts.fill_contracts += exchange.trades.at(i).amount_contracts
        return 0
