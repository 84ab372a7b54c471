"""Market: what the core knows of one instrument, and what it wants there."""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

from mmcore.book cimport OrderBook
from mmcore.budget cimport RateCap
from mmcore.calendar cimport Calendar
from mmcore.funding cimport FundingState
from mmcore.ladder cimport Placement
from mmcore.ledger cimport EDGE_BUCKETS, Ledger
from mmcore.orders cimport OrderTable
from mmcore.params cimport Params
from mmcore.planning cimport Settled
from mmcore.position cimport Position
from mmcore.quote cimport Inventory
from mmcore.reaction cimport Reaction, Stance
from mmcore.regime cimport RegimeState
from mmcore.risk cimport Exposure, Health, RiskGate
from mmcore.signals cimport Signals
from mmcore.standing cimport Grounds
from mmcore.statement cimport Statement
from mmcore.types cimport (
    ApprovedQuotes, BookDelta, Control, Fill, Instrument, InstrumentSpec, TargetQuotes, Why)
from mmcore.windows cimport WindowTable


cdef enum:
    THROTTLE_FILLS_MAX = 512    # fills of a side remembered against repeated execution
    DUE_ALL = 1                 # anything may have changed; what True means where it is set
    DUE_BOOK = 2                # a book message was applied


cdef dict explain(const Why* why)


@cython.final
cdef class Market:
    cdef readonly InstrumentSpec spec_object
    cdef Instrument spec
    cdef readonly Params params         # the engine's, with this instrument's overrides
    cdef readonly OrderBook book
    cdef readonly Signals signals
    cdef readonly OrderTable orders
    cdef readonly Position position
    cdef readonly Ledger ledger
    cdef readonly Statement statement
    cdef double funding_session         # the venue's figure for the session under way
    cdef bint settled                   # the session ended: its figure starts again at 0
    cdef FundingState funding           # our own count of it
    cdef readonly int64_t matched_contracts     # signed: another position hedges them
    cdef bint overlaid[2]               # a side is quoted for a hedge or a pair
    cdef readonly int32_t taking        # TakeReason of the take that left last
    cdef readonly double preference     # share of its size that it keeps
    cdef double score
    cdef double lead_micro_usd          # the lead's micro-price this one was last priced from
    cdef Health health
    cdef Exposure exposure
    cdef Inventory inventory
    cdef RegimeState regime
    cdef Reaction reaction
    cdef Stance stance
    cdef Placement placement
    cdef Calendar calendar
    cdef readonly int32_t predecessor   # market that this one waits for and replaces; -1: none
    cdef readonly int64_t rolls_ms      # when its place is taken, before it expires; 0: it is not
    cdef double turn_share              # of its size that the predecessor has left to it
    cdef RateCap rate
    cdef TargetQuotes target
    cdef ApprovedQuotes approved
    cdef Grounds grounds                # what these two were made from
    cdef readonly bint stands           # and would be made from again: they were kept
    cdef int64_t throttle_ns[2][THROTTLE_FILLS_MAX]
    cdef double throttle_btc[2][THROTTLE_FILLS_MAX]
    cdef uint64_t throttle_count[2]
    cdef int64_t barred_ns[2]           # repeated execution: nothing adds on a side before
    cdef int64_t edge_until_ns[2][EDGE_BUCKETS]
    cdef double risk_spread_factor      # of the day's loss and the equity
    cdef double risk_size_factor
    cdef readonly bint stopping         # the position is being closed for its loss
    cdef int64_t slice_ns               # when it last took to close
    cdef bint measured                  # its exposure is as its orders and position are
    cdef readonly int32_t dirty         # what changed since the last decision, DUE_* bits
    cdef bint waiting                   # wanted more than it could send; look again
    cdef Settled settled_orders         # what the last plan left alone
    cdef readonly int32_t blocked       # RemovedReason bits of the last decision
    cdef int64_t refresh_ns             # when it is looked at even if nothing happens
    cdef uint64_t refresh_lot           # drawn from anew at each decision
    # counters of this instrument, as in the session summary
    cdef readonly uint64_t book_updates
    cdef readonly uint64_t book_gaps
    cdef readonly uint64_t book_crossed
    cdef readonly uint64_t orders_new
    cdef readonly uint64_t orders_edit
    cdef readonly uint64_t orders_cancel
    cdef readonly uint64_t rejects
    cdef int64_t trade_seq              # of the newest public print; 0: none since the connection
    cdef readonly int64_t own_trade_seq  # highest of our own trades
    cdef double fill_rate               # own fills a minute, decaying, as of fill_rate_ns
    cdef int64_t fill_rate_ns

    cdef double price_for_limits(self) noexcept nogil
    cdef double position_btc(self) noexcept nogil
    cdef void measure(self, double scale, int64_t now_ns) noexcept nogil
    cdef void book_trade(self, const Fill* fill, int64_t now_ns) noexcept nogil
    cdef void on_funding(self, double session) noexcept nogil
    cdef void accrue(self, int64_t wall_offset_ns, int64_t now_ns) noexcept nogil
    cdef void on_state(self, int32_t state) noexcept nogil
    cdef void observe(self, int64_t now_ns) noexcept nogil
    cdef void take_stance(self, const WindowTable* windows, int64_t now_ns) noexcept nogil
    cdef void keep_hours(self, int64_t now_ns) noexcept nogil
    cdef bint ladder_stands(self, int32_t blocked, RiskGate gate) noexcept nogil
    cdef bint is_still(self, int64_t wall_ns, int64_t now_ns) noexcept nogil
    cdef bint out_of_time(self) noexcept nogil
    cdef bint is_unquoted(self) noexcept nogil
    cdef void on_quote_filled(self, const Fill* fill, int64_t now_ns) noexcept nogil
    cdef void on_taken(self, int64_t now_ns) noexcept nogil
    cdef void decided(self, int64_t now_ns) noexcept nogil
    cdef void on_control(self, const Control* control) noexcept nogil
    cdef double fills_per_min(self, int64_t now_ns) noexcept nogil
    cdef void on_book_applied(self, const BookDelta* delta, int64_t now_ns,
                              int64_t wall_offset_ns) noexcept nogil
