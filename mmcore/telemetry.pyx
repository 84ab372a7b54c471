"""See telemetry.pxd; mmcore.telemetry_table describes every number in it."""
import json

from cpython.buffer cimport (
    PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer)
from libc.string cimport memcpy, memset

from mmcore.stats cimport CODES_MAX, HISTOGRAM_BUCKETS, histogram_quantile

from mmcore import telemetry_table as table

cdef enum:
    PAGE_VERSION_WORD = 2
cdef int64_t PAGE_MAGIC_WORD = 0x3145474150304D4D       # "MM0PAGE1", little endian
cdef int64_t LONG_LIFE_NS = 3_600_000_000_000
PAGE_MAGIC = PAGE_MAGIC_WORD
PAGE_VERSION = PAGE_VERSION_WORD
PAGE_SIZE = PAGE_BYTES
INFO_NAMES = ("version", "config", "venue", "instance")

cdef extern from *:
    """
    #define MM_FENCE() __atomic_thread_fence(__ATOMIC_SEQ_CST)
    """
    void MM_FENCE() noexcept nogil


if ((len(table.ENGINE_METRICS), len(table.MARKET_METRICS), len(table.PROCESS_METRICS),
     len(table.HISTOGRAM_METRICS)) != (ENGINE_SLOTS, MARKET_SLOTS, PROCESS_SLOTS, HISTOGRAMS)):
    raise ImportError("telemetry.pxd is not of this table; run python -m runner.metrics_docs")

ENGINE_PLACES = {m.slot: i for i, m in enumerate(table.ENGINE_METRICS)}
MARKET_PLACES = {m.slot: i for i, m in enumerate(table.MARKET_METRICS)}
PROCESS_PLACES = {m.slot: i for i, m in enumerate(table.PROCESS_METRICS)}


cdef Page LAYOUT                # never written: what offsets are measured on


cdef size_t offset_of(const void* field) noexcept nogil:
    return <size_t>field - <size_t>&LAYOUT


def schema():
    """What the page holds and where, as a dict: enough to read it without this module."""
    return {
        "version": PAGE_VERSION,
        "offsets": {
            "sequence": offset_of(&LAYOUT.sequence),
            "published_ns": offset_of(&LAYOUT.published_ns),
            "market_count": offset_of(&LAYOUT.market_count),
            "process_id": offset_of(&LAYOUT.process_id),
            "info": offset_of(&LAYOUT.info[0]), "engine": offset_of(&LAYOUT.values[0]),
            "process": offset_of(&LAYOUT.process[0]),
            "histograms": offset_of(&LAYOUT.histograms[0]),
            "markets": offset_of(&LAYOUT.markets[0]),
            "market_values": offset_of(&LAYOUT.markets[0].values[0])
            - offset_of(&LAYOUT.markets[0])},
        "sizes": {"info": INFO_BYTES, "histogram": sizeof(LogHistogram),
                  "market": sizeof(MarketBlock), "market_name": NAME_MAX},
        "info": list(INFO_NAMES),
        **{word: [{"name": m.slot, "kind": m.kind, "help": m.help} for m in rows]
           for word, rows in (("engine", table.ENGINE_METRICS), ("market", table.MARKET_METRICS),
                              ("process", table.PROCESS_METRICS))},
        "histograms": [{"name": h.slot, "help": h.help} for h in table.HISTOGRAM_METRICS]}


cdef int64_t starts_before(const Page* page) noexcept nogil:
    """How often engines were started in a row before, each dead within the hour."""
    if (page.magic != <uint64_t>PAGE_MAGIC_WORD or page.version != PAGE_VERSION_WORD
            or page.published_ns - page.started_ns > LONG_LIFE_NS):
        return 0
    return page.starts


cdef class TelemetryPage:
    """Writer of the page; without a buffer it holds the page in memory of its own.

    names: of the instruments. info: the texts of INFO_NAMES, cut to the room there is.
    process_id: of the writer, for those who watch it.
    """

    def __init__(self, buffer=None, names=(), info=None, int64_t process_id=0):
        cdef bytes text = json.dumps(schema()).encode()
        cdef bytes name
        cdef int64_t starts
        self.buffer = bytearray(sizeof(Page)) if buffer is None else buffer
        PyObject_GetBuffer(self.buffer, &self.view, PyBUF_WRITABLE)
        self.has_view = True
        if self.view.len < <Py_ssize_t>sizeof(Page) or len(text) > SCHEMA_BYTES:
            raise ValueError(f"the telemetry page needs {sizeof(Page)} bytes, not {self.view.len}")
        if len(names) > MARKETS_MAX:
            raise ValueError(f"the telemetry page holds {MARKETS_MAX} markets, not {len(names)}")
        self.page = <Page*>self.view.buf
        starts = 1 + starts_before(self.page)
        memset(self.page, 0, sizeof(Page))
        self.page.starts = starts
        memcpy(self.page.schema, <const char*>text, len(text))
        self.page.schema_bytes = len(text)
        self.page.market_count = len(names)
        for i, each in enumerate(names):
            name = each.encode("ascii")[:NAME_MAX - 1]
            memcpy(self.page.markets[<int>i].name, <const char*>name, len(name))
        for i, field in enumerate(INFO_NAMES):
            name = (info or {}).get(field, "").encode("ascii", "replace")[:INFO_BYTES - 1]
            memcpy(self.page.info[<int>i], <const char*>name, len(name))
        self.page.process_id = process_id
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
        if self.page.started_ns == 0:
            self.page.started_ns = now_ns
        self.page.published_ns = now_ns
        MM_FENCE()
        self.page.sequence += 1

    cdef double* place(self, str slot, int32_t market) except NULL:
        if market >= 0:
            if market >= self.page.market_count:
                raise ValueError(f"the page has {self.page.market_count} markets, not {market + 1}")
            return &self.page.markets[market].values[<int>MARKET_PLACES[slot]]
        if slot in PROCESS_PLACES:
            return &self.page.process[<int>PROCESS_PLACES[slot]]
        return &self.page.values[<int>ENGINE_PLACES[slot]]

    def put(self, dict values not None, int64_t now_ns, int32_t market=-1):
        """Write numbers by slot, whole for every reader; KeyError where there is no such slot.

        The runner's own are of PROCESS_METRICS; publish() writes over the others.
        """
        cdef double* target
        for slot in values:
            self.place(slot, market)
        self.begin()
        for slot, value in values.items():
            target = self.place(slot, market)
            target[0] = value
        self.end(now_ns)


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
        out = {slot: self.copy.values[<int>i] for slot, i in ENGINE_PLACES.items()}
        out["published_ns"] = self.copy.published_ns
        out["sequence"] = self.copy.sequence
        out["process_id"] = self.copy.process_id
        out["starts"] = self.copy.starts
        out["info"] = {name: (<bytes>self.copy.info[<int>i]).decode("ascii")
                       for i, name in enumerate(INFO_NAMES)}
        out["process"] = {slot: self.copy.process[<int>i] for slot, i in PROCESS_PLACES.items()}
        out["refused"] = [self.copy.refused[i] for i in range(REFUSALS_MAX)]
        out["reject_codes"] = {
            self.copy.reject_codes.rows[i].code: self.copy.reject_codes.rows[i].count
            for i in range(min(self.copy.reject_codes.used, CODES_MAX))}
        out["histograms"] = {
            each.slot: self.histogram(<int>i) for i, each in enumerate(table.HISTOGRAM_METRICS)}
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
            slot: block.values[<int>k] for slot, k in MARKET_PLACES.items()}
        out["name"] = (<bytes>block.name).decode("ascii")
        for side, word in enumerate(("bids", "asks")):
            out[word] = [(block.book[<int>side][k].price_usd, block.book[<int>side][k].amount)
                         for k in range(BOOK_ROWS) if block.book[<int>side][k].amount > 0]
            out["own_" + word] = [
                (block.ladder[<int>side][k].price_usd, block.ladder[<int>side][k].amount)
                for k in range(LADDER_ROWS) if block.ladder[<int>side][k].amount > 0]
        return out
