"""DeribitFeed: see feed.pxd. Reads like a table: channel prefix, decoder, checks, engine."""
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.string cimport memchr, memcmp, memcpy

from connectors.deribit.decode cimport (
    BOOK_LEVELS_MAX, book_delta_of, market_state_of, same_name, ticker_update_of,
    trade_print_of)
from connectors.deribit.labels cimport Labels
from connectors.deribit.own cimport OWN_CHANGES, OWN_ORDERS, OWN_TRADES, REQUEST_LISTED
from connectors.deribit.scan cimport scan_book
from mmcore.types cimport (
    CONTROL_MARKET_STATE, MARKET_HALTED, MARKET_LOCKED, MARKET_OPEN, BookDelta, Control,
    InstrumentSpec, TickerUpdate, request_kind, request_market)

import msgspec

from connectors.deribit import messages
from connectors.deribit.endpoints import price_index

cdef object NOT_SENT = msgspec.UNSET
cdef object decode_book = msgspec.json.Decoder(messages.BookNotification).decode
cdef object decode_trades = msgspec.json.Decoder(messages.TradesNotification).decode
cdef object decode_ticker = msgspec.json.Decoder(messages.TickerNotification).decode
cdef object decode_index = msgspec.json.Decoder(messages.IndexNotification).decode
cdef object decode_platform = msgspec.json.Decoder(messages.PlatformStateNotification).decode
cdef object decode_state = msgspec.json.Decoder(messages.InstrumentStateNotification).decode
cdef object decode_protection = msgspec.json.Decoder(messages.ProtectionNotification).decode
cdef object decode_route = msgspec.json.Decoder(messages.Route).decode

# The venue's own key order. Another order is legal JSON and takes the generic decoder.
cdef const char* NOTIFICATION = \
    b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"'
cdef Py_ssize_t NOTIFICATION_SIZE = 62
cdef const char* ANSWER = b'{"jsonrpc":"2.0","id":'
cdef Py_ssize_t ANSWER_SIZE = 22
cdef const char* HEARTBEAT = b'{"params":{"type":"heartbeat"},"method":"heartbeat","jsonrpc":"2.0"}'
cdef Py_ssize_t HEARTBEAT_SIZE = 68
cdef const char* TEST_REQUEST = \
    b'{"params":{"type":"test_request"},"method":"heartbeat","jsonrpc":"2.0"}'
cdef Py_ssize_t TEST_REQUEST_SIZE = 71
cdef int64_t ID_LIMIT = 1 << 53


cdef inline bint starts(const char* text, Py_ssize_t size, const char* head,
                        Py_ssize_t head_size) noexcept nogil:
    return size >= head_size and memcmp(text, head, <size_t>head_size) == 0


cdef enum:
    WORD = 8                    # letters of a name that are compared at a time


cdef class DeribitFeed:
    """Decoder of one connection's payloads into one engine.

    specs: the engine's instruments in its order. labels: how own orders are recognised.
    """

    def __cinit__(self, *args, **kwargs):
        self.bids = <LevelChange*>PyMem_Malloc(BOOK_LEVELS_MAX * sizeof(LevelChange))
        self.asks = <LevelChange*>PyMem_Malloc(BOOK_LEVELS_MAX * sizeof(LevelChange))
        self.prints = <TradePrint*>PyMem_Malloc(PRINTS_MAX * sizeof(TradePrint))
        if not (self.bids and self.asks and self.prints):
            raise MemoryError

    def __dealloc__(self):
        PyMem_Free(self.bids)
        PyMem_Free(self.asks)
        PyMem_Free(self.prints)

    def __init__(self, Engine engine not None, list specs not None, Labels labels not None):
        cdef InstrumentSpec spec
        cdef int32_t i
        if not 0 < len(specs) <= MARKETS_MAX:
            raise ValueError(f"{len(specs)} instruments: from 1 to {MARKETS_MAX} fit")
        self.engine = engine
        self.view = FrameView()
        self.own = OwnFeed(engine, specs, labels)
        self.market_count = <int32_t>len(specs)
        self.price_indexes = []
        for i in range(self.market_count):
            spec = specs[i]
            self.specs[i] = spec.c
            self.specs[i].index = i
            if spec.c.name_size >= WORD:
                memcpy(&self.heads[i], spec.c.name, WORD)
                memcpy(&self.tails[i], &spec.c.name[spec.c.name_size - WORD], WORD)
            self.price_indexes.append(price_index(spec.name))

    # ------------------------------------------------------------ routing
    cdef int on_payload(self, const char* ptr, Py_ssize_t size, int64_t now_ns) except -1:
        """Take one message; returns a FeedAsk. What is malformed only reaches on_malformed()."""
        cdef const char* end
        cdef const char* channel
        cdef Py_ssize_t i
        cdef int64_t request_id = 0
        self.counters.payloads += 1
        self.engine.on_frame(now_ns)
        self.view.ptr = ptr
        self.view.size = size
        if starts(ptr, size, NOTIFICATION, NOTIFICATION_SIZE):
            channel = ptr + NOTIFICATION_SIZE
            end = <const char*>memchr(channel, c'"', <size_t>(size - NOTIFICATION_SIZE))
            if end == NULL:
                return self.malformed(-1, now_ns)
            self.channel = channel
            return self.on_channel(channel, end - channel, now_ns)
        if starts(ptr, size, ANSWER, ANSWER_SIZE):
            i = ANSWER_SIZE
            while i < size and c'0' <= ptr[i] <= c'9' and request_id < ID_LIMIT:
                request_id = request_id * 10 + (ptr[i] - c'0')
                i += 1
            if ANSWER_SIZE < i < size and ptr[i] == c',' and request_id < ID_LIMIT:
                return self.on_answer(request_id, now_ns)
        if size == TEST_REQUEST_SIZE and starts(ptr, size, TEST_REQUEST, TEST_REQUEST_SIZE):
            return FEED_TEST_REQUEST
        if size == HEARTBEAT_SIZE and starts(ptr, size, HEARTBEAT, HEARTBEAT_SIZE):
            return FEED_NOTHING
        return self.on_unfamiliar(now_ns)

    cdef int on_unfamiliar(self, int64_t now_ns) except -1:
        """Find the route of a message whose keys come in another order."""
        cdef object route = self.view.decoded(decode_route)
        cdef bytes channel
        self.counters.fallbacks += 1
        self.channel = NULL
        if route is None:
            return self.malformed(-1, now_ns)
        if route.method == "heartbeat" and route.params is not NOT_SENT:
            return FEED_TEST_REQUEST if route.params.type == "test_request" else FEED_NOTHING
        if route.method == "subscription" and route.params is not NOT_SENT:
            channel = route.params.channel.encode()
            return self.on_channel(channel, len(channel), now_ns)
        if route.result is NOT_SENT and route.error is NOT_SENT:
            return self.malformed(-1, now_ns)
        if isinstance(route.id, int) and 0 <= route.id < ID_LIMIT:
            return self.on_answer(route.id, now_ns)
        return self.on_cold_answer()

    cdef int on_channel(self, const char* channel, Py_ssize_t size, int64_t now_ns) except -1:
        cdef int32_t market
        if starts(channel, size, b"book.", 5):
            market = self.market_of(channel + 5, size - 5)
            return self.malformed(-1, now_ns) if market < 0 else self.on_book(market, now_ns)
        if starts(channel, size, b"ticker.", 7):
            market = self.market_of(channel + 7, size - 7)
            return self.malformed(-1, now_ns) if market < 0 else self.on_ticker(market, now_ns)
        if starts(channel, size, b"trades.", 7):
            market = self.market_of(channel + 7, size - 7)
            return self.malformed(-1, now_ns) if market < 0 else self.on_trades(market, now_ns)
        if starts(channel, size, b"user.changes.", 13):
            return self.on_own(OWN_CHANGES, now_ns)
        if starts(channel, size, b"user.orders.", 12):
            return self.on_own(OWN_ORDERS, now_ns)
        if starts(channel, size, b"user.trades.", 12):
            return self.on_own(OWN_TRADES, now_ns)
        if starts(channel, size, b"user.mmp_trigger.", 17):
            return self.on_protection(now_ns)
        if starts(channel, size, b"deribit_price_index.", 20):
            return self.on_index(now_ns)
        if starts(channel, size, b"platform_state", 14) and size == 14:
            return self.on_platform(now_ns)
        if starts(channel, size, b"instrument.state.", 17):
            return self.on_state(now_ns)
        self.counters.ignored += 1
        return FEED_NOTHING

    cdef int32_t market_of(self, const char* name, Py_ssize_t size) noexcept nogil:
        """Find the market of `name.interval`; -1 for another instrument or a grouped book."""
        cdef int32_t i
        cdef Py_ssize_t known
        cdef uint64_t head = 0, tail = 0
        if size >= WORD:
            memcpy(&head, name, WORD)
        for i in range(self.market_count):
            known = self.specs[i].name_size
            if size <= known + 1 or name[known] != c'.':
                continue
            if known >= WORD:           # its first and last letters as numbers: mostly the whole
                memcpy(&tail, name + known - WORD, WORD)
                if head != self.heads[i] or tail != self.tails[i]:
                    continue
            if ((WORD <= known <= 2 * WORD
                 or memcmp(name, self.specs[i].name, <size_t>known) == 0)
                    and memchr(name + known + 1, c'.', <size_t>(size - known - 1)) == NULL):
                return i
        return -1

    cdef int malformed(self, int32_t market, int64_t now_ns) except -1:
        """Count it; a market is named only by a book message, because it costs that book."""
        self.counters.malformed += 1
        self.engine.on_malformed(market, now_ns)
        return FEED_NOTHING

    # ------------------------------------------------------------ market data
    cdef int on_book(self, int32_t market, int64_t now_ns) except -1:
        """Apply a book message; what the scanner does not know to the last byte is decoded."""
        cdef object message
        cdef BookDelta delta
        cdef Py_ssize_t at = 0          # of the interval in the channel's name
        if self.channel != NULL:
            at = self.channel - self.view.ptr + 6 + self.specs[market].name_size
        if at and scan_book(self.view.ptr + at, self.view.size - at, &self.specs[market],
                            self.bids, self.asks, &delta):
            self.counters.scanned += 1
        else:
            message = self.view.decoded(decode_book)
            if message is None or not book_delta_of(message.params.data, &self.specs[market],
                                                    self.bids, self.asks, &delta):
                return self.malformed(market, now_ns)
        self.engine.on_book(market, &delta, now_ns)
        return FEED_NOTHING

    cdef int on_ticker(self, int32_t market, int64_t now_ns) except -1:
        cdef object message = self.view.decoded(decode_ticker)
        cdef TickerUpdate ticker
        if message is None or not ticker_update_of(message.params.data, &self.specs[market],
                                                   &ticker):
            return self.malformed(-1, now_ns)
        if ticker.state == MARKET_OPEN and (self.maintenance or self.platform_locked[market]):
            # The ticker of a locked currency may still say open.
            ticker.state = MARKET_HALTED if self.maintenance else MARKET_LOCKED
        self.engine.on_ticker(market, &ticker, now_ns)
        return FEED_NOTHING

    cdef int on_trades(self, int32_t market, int64_t now_ns) except -1:
        cdef object message = self.view.decoded(decode_trades)
        cdef object trades
        cdef Py_ssize_t i, size
        if message is None:
            return self.malformed(-1, now_ns)
        trades = message.params.data
        size = PyList_GET_SIZE(trades)
        if size > PRINTS_MAX:
            return self.malformed(-1, now_ns)
        for i in range(size):
            if not trade_print_of(<object>PyList_GET_ITEM(trades, i), &self.specs[market],
                                  &self.prints[i]):
                return self.malformed(-1, now_ns)
        for i in range(size):
            self.engine.on_trade(market, &self.prints[i], now_ns)
        return FEED_NOTHING

    cdef int on_index(self, int64_t now_ns) except -1:
        cdef object message = self.view.decoded(decode_index)
        if message is None:
            return self.malformed(-1, now_ns)
        self.index_usd = message.params.data.price
        self.index_ms = message.params.data.timestamp
        return FEED_NOTHING

    cdef int on_own(self, int32_t shape, int64_t now_ns) except -1:
        """Apply own orders and fills; one that cannot be read may be a fill nobody counts."""
        if self.own.on_notification(self.view, shape, now_ns):
            return FEED_NOTHING
        self.malformed(-1, now_ns)
        return FEED_DISTRUST

    cdef int on_protection(self, int64_t now_ns) except -1:
        """The venue froze a group of quote protection: one of ours ends all quotes of its index."""
        cdef object message = self.view.decoded(decode_protection)
        if message is None:
            return self.malformed(-1, now_ns)
        data = message.params.data
        if data.mmp_group in self.own.groups:
            self.own.frozen(data.index_name, now_ns)
        return FEED_NOTHING

    # ------------------------------------------------------------ states
    cdef void connected(self) noexcept:
        """Forget what an earlier connection said of the platform: its end may go unheard."""
        cdef int32_t market
        self.maintenance = False
        for market in range(MARKETS_MAX):
            self.platform_locked[market] = False

    cdef int control(self, int32_t kind, int32_t market, int64_t value, double real,
                     int64_t now_ns) except -1:
        cdef Control control
        control.kind = kind
        control.market = market
        control.value = value
        control.real = real
        self.engine.on_control(&control, now_ns)
        return 0

    cdef int on_state(self, int64_t now_ns) except -1:
        cdef object message = self.view.decoded(decode_state)
        cdef int32_t market
        if message is None:
            return self.malformed(-1, now_ns)
        data = message.params.data
        self.states += 1
        for market in range(self.market_count):
            if same_name(data.instrument_name, &self.specs[market]):
                self.control(CONTROL_MARKET_STATE, market, market_state_of(data.state), 0.0,
                             now_ns)
        return FEED_NOTHING

    cdef int on_platform(self, int64_t now_ns) except -1:
        """Follow maintenance and index locks; unlocking opens only what a lock had closed."""
        cdef object message = self.view.decoded(decode_platform)
        cdef int32_t market
        cdef bint locked, was_locked
        if message is None:
            return self.malformed(-1, now_ns)
        data = message.params.data
        if data.maintenance is not NOT_SENT:
            was_locked = self.maintenance
            self.maintenance = data.maintenance
            for market in range(self.market_count):
                if self.maintenance != was_locked:
                    self.control(CONTROL_MARKET_STATE, market,
                                 MARKET_HALTED if self.maintenance else MARKET_OPEN, 0.0, now_ns)
        if data.price_index is NOT_SENT or data.locked is NOT_SENT:
            return FEED_NOTHING if data.maintenance is not NOT_SENT else self.malformed(-1, now_ns)
        locked = data.locked
        for market in range(self.market_count):
            if (data.price_index == self.price_indexes[market]
                    and self.platform_locked[market] != locked):
                self.platform_locked[market] = locked
                self.control(CONTROL_MARKET_STATE, market,
                             MARKET_LOCKED if locked else MARKET_OPEN, 0.0, now_ns)
        return FEED_NOTHING

    # ------------------------------------------------------------ answers
    cdef int on_answer(self, int64_t request_id, int64_t now_ns) except -1:
        """Route an answer by the kind its id carries; what is not ours to decode is handed on."""
        cdef int32_t kind = request_kind(request_id)
        cdef int32_t market = request_market(request_id)
        if kind == 0:
            return FEED_NOTHING if request_id == REQUEST_HEARTBEAT_ID else self.on_cold_answer()
        if kind > REQUEST_LISTED or market >= self.market_count:
            self.counters.unknown_ids += 1
            return FEED_NOTHING
        if not self.own.on_answer(self.view, request_id, now_ns):
            return self.malformed(-1, now_ns)
        return FEED_NOTHING

    cdef int on_cold_answer(self) except -1:
        self.counters.cold += 1
        if self.on_cold is not None:
            self.on_cold((<bytes>self.view.ptr[:self.view.size]))
        return FEED_NOTHING

    # ------------------------------------------------------------ Python face
    def payload(self, bytes payload not None, now_ns):
        """Take one message as on_payload() does; returns a FeedAsk. For tests and replays."""
        return FeedAsk(self.on_payload(payload, len(payload), now_ns))

    @property
    def index(self):
        """(price in USD, venue time in ms) of the last index message; zeros before one."""
        return self.index_usd, self.index_ms

    @property
    def counts(self):
        """Counters by name."""
        return dict(self.counters, foreign=self.own.foreign)
