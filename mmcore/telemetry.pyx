"""See telemetry.pxd. The tables here are the one description of every metric."""
import json

from cpython.buffer cimport (
    PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer)
from libc.string cimport memcpy, memset

from mmcore.stats cimport HISTOGRAM_BUCKETS, histogram_quantile

PAGE_MAGIC = 0x314547415030_4D4D        # "MM0PAGE1", little endian
PAGE_VERSION = 1
PAGE_SIZE = PAGE_BYTES

# (name, kind, help); order = EngineMetric, which a test compares
ENGINE_TABLE = (
    ("frames", "counter", "Frames received"),
    ("malformed", "counter", "Messages that could not be trusted"),
    ("book_updates", "counter", "Book change messages applied"),
    ("book_snapshots", "counter", "Book snapshots applied"),
    ("book_gaps", "counter", "Breaks of the change-id chain"),
    ("book_crossed", "counter", "Books that came out crossed"),
    ("trades", "counter", "Public prints"),
    ("tickers", "counter", "Ticker messages"),
    ("decisions", "counter", "Pipeline runs"),
    ("batches", "counter", "Decisions that sent something"),
    ("orders_new", "counter", "Creates sent"),
    ("orders_edit", "counter", "Edits sent"),
    ("orders_cancel", "counter", "Cancels sent"),
    ("rejects", "counter", "Requests the venue refused"),
    ("post_only_rejects", "counter", "Refusals for crossing"),
    ("refused_by_risk", "counter", "Actions held back by the risk gate"),
    ("deferred", "counter", "Actions put off for want of credits or rate"),
    ("unknown_ids", "counter", "Answers to requests not known here"),
    ("timeouts", "counter", "Requests without an answer in time"),
    ("duplicate_fills", "counter", "Trades reported twice, booked once"),
    ("foreign_fills", "counter", "Trades of orders not known here"),
    ("reject_storms", "counter", "Pauses for too many refusals"),
    ("fills", "counter", "Own trades"),
    ("maker_fills", "counter", "Own trades as maker"),
    ("risk_state", "gauge", "0 active, 1 reducing, 2 paused, 3 stopped, 4 killed"),
    ("fault", "gauge", "First fault code, 0 while none"),
    ("credits", "gauge", "Matching-engine requests that may be sent now"),
    ("unanswered", "gauge", "Matching-engine requests in flight"),
    ("unknown_orders", "gauge", "Orders whose state only the venue knows"),
    ("delta_btc", "gauge", "Net delta in BTC"),
    ("max_abs_delta_btc", "gauge", "Largest net delta of the session in BTC"),
    ("realized_btc", "gauge", "Realised profit before fees in BTC"),
    ("unrealized_btc", "gauge", "Unrealised profit at mark in BTC"),
    ("fees_btc", "gauge", "Fees paid in BTC"),
    ("funding_btc", "gauge", "Funding received in BTC"),
    ("equity_btc", "gauge", "Start equity plus everything earned in BTC"),
    ("equity_start_btc", "gauge", "Equity at the start in BTC"),
    ("journal_lost", "counter", "Journal records that found no room"),
    ("journal_depth_bytes", "gauge", "Journal bytes waiting for the recorder"),
    ("last_frame_age_seconds", "gauge", "Time since the last frame"),
)

# order = MarketMetric
MARKET_TABLE = (
    ("book_valid", "gauge", "1 while the book may be trusted"),
    ("best_bid_usd", "gauge", "Venue's best bid"),
    ("best_ask_usd", "gauge", "Venue's best ask"),
    ("mid_usd", "gauge", "Mid without our own orders"),
    ("micro_usd", "gauge", "Size-weighted mid without our own orders"),
    ("mark_usd", "gauge", "Mark price"),
    ("index_usd", "gauge", "Index price"),
    ("spread_usd", "gauge", "Spread without our own orders"),
    ("imbalance", "gauge", "Depth imbalance in [-1, 1]"),
    ("vol_usd", "gauge", "Volatility, USD per square root of a second"),
    ("reference_usd", "gauge", "Price the quotes are built on"),
    ("half_spread_usd", "gauge", "Half-spread of the last decision"),
    ("fee_floor_usd", "gauge", "Least distance of an adding quote"),
    ("skew_usd", "gauge", "Reservation price minus fair value"),
    ("alpha_usd", "gauge", "Fair value minus reference from signals"),
    ("removed_bid", "gauge", "Why the bid side is empty, bits of RemovedReason"),
    ("removed_ask", "gauge", "Why the ask side is empty, bits of RemovedReason"),
    ("quote_bid_usd", "gauge", "Our best bid, 0 while none"),
    ("quote_ask_usd", "gauge", "Our best ask, 0 while none"),
    ("position_usd", "gauge", "Position in USD, signed"),
    ("position_btc", "gauge", "Position in BTC at mark, signed"),
    ("average_usd", "gauge", "Average entry price"),
    ("realized_btc", "gauge", "Realised profit before fees"),
    ("unrealized_btc", "gauge", "Unrealised profit at mark"),
    ("fees_btc", "gauge", "Fees paid"),
    ("funding_btc", "gauge", "Funding received"),
    ("volume_usd", "counter", "Own traded volume in USD"),
    ("book_updates", "counter", "Book change messages applied"),
    ("fills", "counter", "Own trades"),
    ("maker_fills", "counter", "Own trades as maker"),
    ("orders_new", "counter", "Creates sent"),
    ("orders_edit", "counter", "Edits sent"),
    ("orders_cancel", "counter", "Cancels sent"),
    ("rejects", "counter", "Requests refused"),
    ("open_orders", "gauge", "Orders that are not closed"),
    ("feed_lag_seconds", "gauge", "Arrival minus venue time of book messages, averaged"),
    ("book_age_seconds", "gauge", "Time since the last book message"),
    ("regime", "gauge", "Regime of the market: normal, calm, volatile, trending, stand aside"),
    ("vol_year", "gauge", "One-minute realised volatility, annualised"),
    ("carry_usd", "gauge", "Shift of the fair value for funding or basis"),
    ("half_base_usd", "gauge", "Half-spread of the model without risk"),
    ("half_vol_usd", "gauge", "What volatility adds to the half-spread"),
    ("pad_usd", "gauge", "Distance added for the round trip"),
    ("spread_factor", "gauge", "Width factor of regime, time of day and speed of the touch"),
    ("size_factor", "gauge", "Size factor of adding quotes"),
    ("top_rate", "gauge", "Changes of the best prices in the last second"),
    ("fills_per_min", "gauge", "Own fills a minute, half-life five minutes"),
    ("markout_bid_bps", "gauge", "Recent mean 5 s markout of our bids"),
    ("markout_ask_bps", "gauge", "Recent mean 5 s markout of our asks"),
)
HISTOGRAM_TABLE = (
    ("tick_to_order_ns", "First byte of a socket read to the write of its orders"),
)

cdef extern from *:
    """
    #define MM_FENCE() __atomic_thread_fence(__ATOMIC_SEQ_CST)
    """
    void MM_FENCE() noexcept nogil


if len(ENGINE_TABLE) != ENGINE_METRICS or len(MARKET_TABLE) != MARKET_METRICS:
    raise ImportError("the metric tables do not fit telemetry.pxd")


def schema():
    """What the page holds, as a dict: names, kinds and help of every metric."""
    return {
        "version": PAGE_VERSION,
        "engine": [{"name": n, "kind": k, "help": h} for n, k, h in ENGINE_TABLE],
        "market": [{"name": n, "kind": k, "help": h} for n, k, h in MARKET_TABLE],
        "histograms": [{"name": n, "help": h} for n, h in HISTOGRAM_TABLE]}


cdef class TelemetryPage:
    """Writer of the page; without a buffer it holds the page in memory of its own."""

    def __init__(self, buffer=None, names=()):
        cdef bytes text = json.dumps(schema()).encode()
        cdef bytes name
        self.buffer = bytearray(sizeof(Page)) if buffer is None else buffer
        PyObject_GetBuffer(self.buffer, &self.view, PyBUF_WRITABLE)
        self.has_view = True
        if self.view.len < <Py_ssize_t>sizeof(Page) or len(text) > SCHEMA_BYTES:
            raise ValueError(f"the telemetry page needs {sizeof(Page)} bytes, not {self.view.len}")
        if len(names) > MARKETS_MAX:
            raise ValueError(f"the telemetry page holds {MARKETS_MAX} markets, not {len(names)}")
        self.page = <Page*>self.view.buf
        memset(self.page, 0, sizeof(Page))
        memcpy(self.page.schema, <const char*>text, len(text))
        self.page.schema_bytes = len(text)
        self.page.market_count = len(names)
        for i, each in enumerate(names):
            name = each.encode("ascii")[:NAME_MAX - 1]
            memcpy(self.page.markets[<int>i].name, <const char*>name, len(name))
        self.page.version = PAGE_VERSION
        MM_FENCE()
        self.page.magic = <uint64_t>PAGE_MAGIC

    def __dealloc__(self):
        if self.has_view:
            PyBuffer_Release(&self.view)

    cdef void begin(self) noexcept nogil:
        """Enter the write section; readers retry until end()."""
        self.page.sequence += 1
        MM_FENCE()

    cdef void end(self, int64_t now_ns) noexcept nogil:
        self.page.published_ns = now_ns
        MM_FENCE()
        self.page.sequence += 1


cdef class TelemetryReader:
    """Read a page somebody else writes, from a buffer that maps it.

    ValueError where it is no telemetry page or one of another version.
    """
    cdef object buffer
    cdef Py_buffer view
    cdef bint has_view
    cdef Page* page
    cdef Page* copy
    cdef bytearray room

    def __init__(self, buffer not None):
        PyObject_GetBuffer(buffer, &self.view, PyBUF_SIMPLE)
        self.has_view = True
        self.buffer = buffer
        if self.view.len < <Py_ssize_t>sizeof(Page):
            raise ValueError(f"{self.view.len} bytes are too few for a telemetry page")
        self.page = <Page*>self.view.buf
        if self.page.magic != <uint64_t>PAGE_MAGIC or self.page.version != PAGE_VERSION:
            raise ValueError("this is no telemetry page of this version")
        self.room = bytearray(sizeof(Page))
        self.copy = <Page*><char*>self.room

    def __dealloc__(self):
        if self.has_view:
            PyBuffer_Release(&self.view)

    cdef bint snapshot(self) noexcept:
        cdef uint64_t before
        cdef int32_t attempts = 10000
        while attempts > 0:
            attempts -= 1
            before = self.page.sequence
            MM_FENCE()
            if before & 1:
                continue
            memcpy(self.copy, self.page, sizeof(Page) - SCHEMA_BYTES)
            MM_FENCE()
            if self.page.sequence == before:
                return True
        return False

    def read(self):
        """One consistent copy as a dict: engine values by name, "markets" and "histograms".

        TimeoutError where the writer stopped in the middle of a write.
        """
        if not self.snapshot():
            raise TimeoutError("the writer of the telemetry page stopped inside a write")
        out = {name: self.copy.values[<int>i] for i, (name, _, _) in enumerate(ENGINE_TABLE)}
        out["published_ns"] = self.copy.published_ns
        out["sequence"] = self.copy.sequence
        out["histograms"] = {
            name: self.histogram(<int>i) for i, (name, _) in enumerate(HISTOGRAM_TABLE)}
        out["markets"] = [self.market(i) for i in range(self.copy.market_count)]
        return out

    cdef dict histogram(self, int i):
        cdef LogHistogram* h = &self.copy.histograms[i]
        return {"count": h.count, "sum": h.sum, "max": h.max,
                "p50": histogram_quantile(h, 0.5), "p90": histogram_quantile(h, 0.9),
                "p99": histogram_quantile(h, 0.99), "p999": histogram_quantile(h, 0.999),
                "buckets": [h.buckets[k] for k in range(HISTOGRAM_BUCKETS)]}

    cdef dict market(self, int i):
        cdef MarketBlock* block = &self.copy.markets[i]
        cdef dict out = {
            name: block.values[<int>k] for k, (name, _, _) in enumerate(MARKET_TABLE)}
        out["name"] = (<bytes>block.name).decode("ascii")
        for side, word in enumerate(("bids", "asks")):
            out[word] = [(block.book[<int>side][k].price_usd, block.book[<int>side][k].amount)
                         for k in range(BOOK_ROWS) if block.book[<int>side][k].amount > 0]
            out["own_" + word] = [
                (block.ladder[<int>side][k].price_usd, block.ladder[<int>side][k].amount)
                for k in range(LADDER_ROWS) if block.ladder[<int>side][k].amount > 0]
        return out
