"""First phase of a turn: every dirty market's signals and stance, the lead's before the others'."""
from libc.stdint cimport int32_t, int64_t

from mmcore.market cimport Market
from mmcore.windows cimport TimeWindows

cdef int32_t lead_of(list markets) noexcept
cdef void observe_markets(list markets, int32_t first, int32_t lead_index, TimeWindows windows,
                          int64_t wall_ns, int64_t now_ns) noexcept
cdef void react_to_taker(list markets, Market market, int32_t bits, int32_t taker_side,
                         int64_t now_ns) noexcept
cdef bint stays_alone(void** markets, int32_t count, int32_t lead_index, int32_t dirty,
                      int64_t now_ns) noexcept
