"""Reaction of one instrument to moves, large trades and own fills: what to hold back, how long.

A Reaction is the state; a Stance is what it, the regime and the time of day allow at this
decision. Deadlines are stored and compared, never scheduled; `wake_ns` says when to look again.
"""
from libc.stdint cimport int32_t, int64_t, uint32_t

from mmcore.params cimport OrderParams, ParamValues
from mmcore.regime cimport RegimeState
from mmcore.signals cimport SignalState
from mmcore.types cimport Fill
from mmcore.windows cimport WindowTable

cdef enum:
    MOVE_BUCKETS = 9            # of the momentum window: eight whole ones and the running one

cdef struct Reaction:
    # extremes of the mid, newest bucket at move_bucket % MOVE_BUCKETS
    double high_usd[MOVE_BUCKETS]
    double low_usd[MOVE_BUCKETS]
    int64_t move_bucket
    double moved_mid_usd
    int64_t momentum_ns[2]      # a side stays pulled until then
    int64_t sweep_ns[2]
    int64_t follow_ns[2]        # the perpetual was filled on that side: nothing adds until then
    # the hold after a fill
    int64_t hold_ns             # its end; 0: none
    int64_t stagger_ns          # nothing adds before; 0: none
    int32_t hold_side           # of the fill
    int32_t hold_level          # deepest level filled
    int32_t extensions
    double hold_mid_usd
    int64_t fill_contracts      # filled on that side since the hold began …
    double fill_usd             # … at this mean price
    # fills of one side in a row
    int32_t row_side
    int32_t row
    int32_t row_slot
    uint32_t row_generation
    int64_t row_pause_ns[2]
    # covering an adverse fill
    int64_t cover_ns            # when it began; 0: none
    int32_t cover_side          # the side that covers
    int64_t cover_contracts     # still to be bought or sold back …
    double cover_fill_usd       # … of what was filled at this price
    int64_t take_ns             # when liquidity was last taken for it
    # moves of the mid in a row, sampled: up above 0
    int32_t moves
    double move_mid_usd
    int64_t move_ns

cdef struct Stance:
    int32_t removed[2]          # RemovedReason bits that empty a side
    int32_t removed_adding[2]   # bits that empty it unless it reduces
    int32_t removed_held[2]     # bits that empty it unless it reduces beyond two thirds
    int32_t first[2]            # rungs before it stay empty
    double spread_factor
    double size_factor          # of adding quotes
    double row_factor[2]        # so too, per side
    double cover_bps[2]         # a covering side stands this far ahead of the best; 0: no cover
    int32_t take                # TakeReason
    int32_t take_side
    int64_t take_contracts
    bint tiny                   # quote.tiny_size_btc instead of standing aside
    int32_t regime
    int64_t wake_ns             # next deadline; 0: none

cdef void react_to_mid(Reaction* state, double mid_usd, const OrderParams* params,
                       int64_t now_ns) noexcept nogil
cdef bint reaction_rests(const Reaction* state, int64_t now_ns) noexcept nogil
cdef void react_to_trade(Reaction* state, int32_t bits, int32_t taker_side,
                         const OrderParams* params, int64_t now_ns) noexcept nogil
cdef void react_to_lead(Reaction* state, const Reaction* lead) noexcept nogil
cdef void react_to_fill(Reaction* state, const Fill* fill, double filled_share, double fill_usd,
                        double mid_usd, const ParamValues* params, int64_t now_ns) noexcept nogil
cdef void stance_of(Reaction* state, const SignalState* signal, const RegimeState* regime,
                    const WindowTable* windows, const ParamValues* params, int64_t now_ns,
                    Stance* out) noexcept nogil
cdef void wake_at(Stance* out, int64_t when_ns, int64_t now_ns) noexcept nogil
