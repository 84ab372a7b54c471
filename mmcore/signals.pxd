"""Signals of one instrument, on the venue's book minus our own orders."""
from libc.stdint cimport int32_t, int64_t

from mmcore.book cimport OrderBook
from mmcore.orders cimport OrderTable
from mmcore.params cimport QuoteParams, SignalParams
from mmcore.types cimport Instrument, TickerUpdate, TradePrint

cpdef enum ReferenceSource:
    REFERENCE_MID = 0
    REFERENCE_MICRO = 1
    REFERENCE_LAST = 2
    REFERENCE_MARK = 3
    REFERENCE_NONE = 4

cdef struct SignalState:
    int64_t best_ticks[2]       # venue's touch, own orders included; NO_BID / NO_ASK
    int64_t others_ticks[2]     # touch without our own orders
    int64_t others_contracts[2]
    bint two_sided              # others quote both sides
    double mid_usd              # of the others; 0 while not two-sided
    double micro_usd            # size-weighted mid of the others' touch
    double spread_usd
    double imbalance            # (bids - asks) / (bids + asks) over the levels, in [-1, 1]
    double vol_usd              # EWMA of mid moves, USD per sqrt(s)
    double reference_usd        # what quotes are built on; 0: none
    int32_t reference_source    # ReferenceSource
    double last_usd
    double mark_usd
    double index_usd
    double min_price_usd        # the venue's band
    double max_price_usd
    double current_funding
    double funding_8h
    int64_t ticker_ns           # when the last ticker came
    double variance             # USD^2 per s
    double sample_mid_usd
    int64_t sample_ns           # 0: the next sample only sets the base
    bint seeded                 # variance holds at least one move's time


cdef class Signals:
    cdef SignalState s

    cdef void restart(self) noexcept nogil
    cdef void on_trade(self, const Instrument* spec, const TradePrint* trade) noexcept nogil
    cdef void on_ticker(self, const TickerUpdate* ticker, int64_t now_ns) noexcept nogil
    cdef void update(self, const Instrument* spec, OrderBook book, OrderTable orders,
                     const SignalParams* params, const QuoteParams* quote,
                     int64_t now_ns) noexcept nogil
    cdef void top(self, OrderBook book, OrderTable orders, int32_t depth) noexcept nogil
    cdef void sample_variance(self, double half_life_s, int64_t now_ns) noexcept nogil
