"""Telemetry page: counters and gauges in shared memory, written by the engine, read by others.

One writer, any number of readers, a sequence lock, no system call on either side. The page
describes itself: a JSON schema made from the tables in telemetry.pyx lies inside it.
"""
from libc.stdint cimport int32_t, int64_t, uint64_t

from mmcore.stats cimport LogHistogram
from mmcore.types cimport MARKETS_MAX, NAME_MAX

cdef enum:
    PAGE_BYTES = 262144
    SCHEMA_BYTES = 65536
    BOOK_ROWS = 10              # levels a side that readers see
    LADDER_ROWS = 10

cdef enum:                      # EngineMetric; same order as its table in telemetry.pyx
    ENGINE_FRAMES = 0
    ENGINE_MALFORMED
    ENGINE_BOOK_UPDATES
    ENGINE_BOOK_SNAPSHOTS
    ENGINE_BOOK_GAPS
    ENGINE_BOOK_CROSSED
    ENGINE_TRADES
    ENGINE_TICKERS
    ENGINE_DECISIONS
    ENGINE_BATCHES
    ENGINE_ORDERS_NEW
    ENGINE_ORDERS_EDIT
    ENGINE_ORDERS_CANCEL
    ENGINE_REJECTS
    ENGINE_POST_ONLY_REJECTS
    ENGINE_REFUSED_BY_RISK
    ENGINE_DEFERRED
    ENGINE_UNKNOWN_IDS
    ENGINE_TIMEOUTS
    ENGINE_DUPLICATE_FILLS
    ENGINE_FOREIGN_FILLS
    ENGINE_REJECT_STORMS
    ENGINE_FILLS
    ENGINE_MAKER_FILLS
    ENGINE_RISK_STATE
    ENGINE_FAULT
    ENGINE_CREDITS
    ENGINE_UNANSWERED
    ENGINE_UNKNOWN_ORDERS
    ENGINE_DELTA_BTC
    ENGINE_MAX_ABS_DELTA_BTC
    ENGINE_REALIZED_BTC
    ENGINE_UNREALIZED_BTC
    ENGINE_FEES_BTC
    ENGINE_FUNDING_BTC
    ENGINE_EQUITY_BTC
    ENGINE_EQUITY_START_BTC
    ENGINE_JOURNAL_LOST
    ENGINE_JOURNAL_DEPTH_BYTES
    ENGINE_LAST_FRAME_AGE_SECONDS
    ENGINE_METRICS              # how many

cdef enum:                      # MarketMetric; same order as its table in telemetry.pyx
    MARKET_BOOK_VALID = 0
    MARKET_BEST_BID_USD
    MARKET_BEST_ASK_USD
    MARKET_MID_USD
    MARKET_MICRO_USD
    MARKET_MARK_USD
    MARKET_INDEX_USD
    MARKET_SPREAD_USD
    MARKET_IMBALANCE
    MARKET_VOL_USD
    MARKET_REFERENCE_USD
    MARKET_HALF_SPREAD_USD
    MARKET_FEE_FLOOR_USD
    MARKET_SKEW_USD
    MARKET_ALPHA_USD
    MARKET_REMOVED_BID
    MARKET_REMOVED_ASK
    MARKET_QUOTE_BID_USD
    MARKET_QUOTE_ASK_USD
    MARKET_POSITION_USD
    MARKET_POSITION_BTC
    MARKET_AVERAGE_USD
    MARKET_REALIZED_BTC
    MARKET_UNREALIZED_BTC
    MARKET_FEES_BTC
    MARKET_FUNDING_BTC
    MARKET_VOLUME_USD
    MARKET_BOOK_UPDATES_TOTAL
    MARKET_FILLS
    MARKET_MAKER_FILLS
    MARKET_ORDERS_NEW_TOTAL
    MARKET_ORDERS_EDIT_TOTAL
    MARKET_ORDERS_CANCEL_TOTAL
    MARKET_REJECTS_TOTAL
    MARKET_OPEN_ORDERS
    MARKET_FEED_LAG_SECONDS
    MARKET_BOOK_AGE_SECONDS
    MARKET_REGIME
    MARKET_VOL_YEAR
    MARKET_CARRY_USD
    MARKET_HALF_BASE_USD
    MARKET_HALF_VOL_USD
    MARKET_PAD_USD
    MARKET_SPREAD_FACTOR
    MARKET_SIZE_FACTOR
    MARKET_TOP_RATE
    MARKET_FILLS_PER_MIN
    MARKET_MARKOUT_BID_BPS
    MARKET_MARKOUT_ASK_BPS
    MARKET_METRICS

cdef enum:                      # HistogramMetric; same order as its table in telemetry.pyx
    HISTOGRAM_TICK_TO_ORDER = 0
    HISTOGRAMS

cdef struct PageRow:
    double price_usd
    double amount

cdef struct MarketBlock:
    char name[NAME_MAX]
    double values[MARKET_METRICS]
    PageRow book[2][BOOK_ROWS]
    PageRow ladder[2][LADDER_ROWS]      # our own resting orders

cdef struct Page:
    uint64_t magic
    uint64_t version
    uint64_t sequence           # odd while the writer is inside
    int64_t published_ns        # the engine's clock
    int64_t market_count
    int64_t schema_bytes
    double values[ENGINE_METRICS]
    LogHistogram histograms[HISTOGRAMS]
    MarketBlock markets[MARKETS_MAX]
    char schema[SCHEMA_BYTES]


cdef class TelemetryPage:
    cdef object buffer
    cdef Py_buffer view
    cdef bint has_view
    cdef Page* page

    cdef void begin(self) noexcept nogil
    cdef void end(self, int64_t now_ns) noexcept nogil
