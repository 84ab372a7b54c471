"""Ladder: from distances to prices on the grid and amounts in lots, rung by rung."""
from libc.stdint cimport int32_t, int64_t

from mmcore.params cimport QuoteParams
from mmcore.signals cimport SignalState
from mmcore.types cimport Instrument, Why

cdef enum:                      # quote.placement, in the order of the config
    PLACEMENT_MODEL = 0
    PLACEMENT_JOIN = 1
    PLACEMENT_STEP = 2
    PLACEMENT_HANG_BACK = 3
    PLACEMENT_AUTO = 4

# A bucket of undercuts: full holds as many as a minute refills.
cdef struct Undercuts:
    double left
    int64_t at_ns

# What the placement of adding quotes remembers, per instrument.
cdef struct Placement:
    int64_t stepped_ticks[2]    # where we stand one tick ahead; 0: nowhere
    int64_t last_ticks[2]       # our last top price; 0: none
    Undercuts undercuts[2]

# One side of a ladder to be made.
cdef struct SideInput:
    int32_t side
    bint reducing
    bint hang_back              # regime or inventory ask for caution (placement auto)
    double fair_usd
    double distance_usd         # of the first rung from fair plus skew
    double floor_usd            # least distance from fair of an adding quote
    double step_usd             # between rungs
    double cover_usd            # a covering side's first rung lies this far ahead of the best
    int64_t top_ticks           # price of the first rung, once it is made
    int64_t now_ns

cdef int64_t on_step(const Instrument* spec, int64_t ticks, int32_t side) noexcept nogil
cdef int64_t rung_ticks(const Instrument* spec, const SignalState* signal,
                        const QuoteParams* params, SideInput* at, int32_t level,
                        const Why* why, Placement* placement) noexcept nogil
cdef double size_factor(double share, bint reducing) noexcept nogil
