"""Intake: owner of all state; the venue edge calls on_*, the engine decides on it."""
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from mmcore.budget cimport Budget
from mmcore.faults cimport Faults
from mmcore.hedge cimport Hedge
from mmcore.journal cimport Journal
from mmcore.limits cimport Limits
from mmcore.market cimport DUE_BOOK, Market
from mmcore.pairs cimport Pairs
from mmcore.params cimport Params
from mmcore.risk cimport RiskGate
from mmcore.sink cimport OrderSink
from mmcore.stats cimport CodeTally, LogHistogram
from mmcore.types cimport (
    MARKETS_MAX, ActionBatch, BookDelta, Fill, OrderEvent, TickerUpdate, TradePrint)
from mmcore.windows cimport TimeWindows

cpdef enum EngineFlag:
    """Cold work the turn asks of its runner; the bits of Engine.flags."""
    FLAG_RESYNC = 1             # markets in resync_mask need a fresh snapshot
    FLAG_RECONCILE = 2          # an order is unknown: ask the venue
    FLAG_KILLED = 4
    FLAG_DEFERRED = 8           # wanted to send more than the credits allow
    FLAG_SECOND_PATH = 16       # markets in second_path_mask: a pull is not answered: REST
    FLAG_TRADES = 32            # markets in trades_mask: own trades may be missing, ask for them

cdef enum:                      # index of Intake.stage_ns
    STAGE_APPLY = 0             # socket read to decision
    STAGE_DECIDE                # decision to its handing over
    STAGE_SEND                  # encoding and writing
    STAGES

cdef struct EngineCounters:
    uint64_t frames
    uint64_t malformed
    uint64_t book_updates       # change messages applied
    uint64_t book_snapshots
    uint64_t book_gaps
    uint64_t book_crossed
    uint64_t book_off_grid
    uint64_t trades
    uint64_t tickers
    uint64_t decisions          # pipeline runs
    uint64_t batches            # decisions that sent something
    uint64_t orders_new
    uint64_t orders_edit
    uint64_t orders_cancel
    uint64_t rejects
    uint64_t post_only_rejects
    uint64_t refused_by_risk    # actions the gate held back
    uint64_t deferred           # actions put off for want of credits
    uint64_t unknown_ids        # answers to requests we do not know
    uint64_t timeouts
    uint64_t duplicate_fills
    uint64_t foreign_fills
    uint64_t trade_gaps         # public trade numbers that never came: own trades may be among them
    uint64_t trade_repeats      # prints that came before
    uint64_t late_pulls         # cancels and pulls unanswered when the second path was due

cdef class Intake:
    cdef readonly Params params
    cdef readonly Faults faults
    cdef readonly Budget budget
    cdef readonly RiskGate risk
    cdef readonly Limits limits
    cdef readonly Pairs pairs
    cdef readonly Hedge hedge
    cdef uint32_t cancel_alls
    cdef bint cancel_all_due            # killed: the next batch begins with it
    cdef readonly Journal journal
    cdef readonly list markets          # of Market, by instrument index
    cdef readonly int32_t market_count
    cdef void* handles[MARKETS_MAX]     # the same, borrowed: a look at one costs no reference
    cdef readonly uint32_t flags        # EngineFlag; cleared by take_flags()
    cdef readonly uint32_t resync_mask
    cdef readonly uint32_t second_path_mask     # cleared with the flag by take_second_path()
    cdef readonly uint32_t trades_mask          # cleared with the flag by take_trades()
    cdef readonly int64_t wall_offset_ns
    cdef OrderSink sink
    cdef EngineCounters counters
    cdef ActionBatch batch
    cdef LogHistogram tick_to_order_ns      # written by the venue edge, like the stages
    cdef LogHistogram stage_ns[STAGES]
    cdef LogHistogram round_trip_ns         # decision to the venue's answer
    cdef CodeTally reject_codes
    cdef int64_t last_frame_ns
    cdef int32_t lead                       # the perpetual others are priced from; -1: none
    cdef readonly TimeWindows windows
    cdef readonly double equity_btc         # as the venue last said
    cdef readonly double equity_start_btc
    cdef readonly double max_abs_delta_btc
    cdef uint64_t journal_lost          # losses that were acted upon

    # apply: cheap, per frame
    cdef int on_frame(self, int64_t now_ns) noexcept
    cdef int on_book(self, int32_t market, const BookDelta* delta, int64_t now_ns) noexcept
    cdef int on_trade(self, int32_t market, const TradePrint* trade, int64_t now_ns) noexcept
    cdef int on_ticker(self, int32_t market, const TickerUpdate* ticker, int64_t now_ns) noexcept
    cdef int on_order(self, const OrderEvent* event, int64_t now_ns) noexcept
    cdef int on_fill(self, const Fill* fill, int64_t now_ns) noexcept
    cdef int on_malformed(self, int32_t market, int64_t now_ns) noexcept
    cdef int32_t outstanding(self, int32_t market, int32_t slot, int64_t request_id) noexcept
    # its own steps
    cdef void disconnected(self) noexcept
    cdef int32_t blocked_of(self, int32_t i, int64_t now_ns) noexcept
    cdef int32_t assess(self, Market market, int64_t now_ns) noexcept nogil
    cdef double target_btc(self) noexcept
    cdef int32_t first_dirty(self) noexcept
    cdef void watch_orders(self, Market market, int64_t now_ns) noexcept
    cdef void all_dirty(self) noexcept
    cdef void lose_book(self, Market market) noexcept
