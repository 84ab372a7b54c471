"""One instrument of the synthetic market: its maker slots, its pace, and orders on its book."""
from libc.stdint cimport int32_t, int64_t

from connectors.sim.exchange cimport Exchange

cdef enum:
    SLOTS = 64
    MAKERS = 6

cdef struct MakerSlot:
    int64_t order_id            # 0: none
    int64_t price_ticks

cdef struct Participants:
    int32_t makers[MAKERS]      # accounts; slot i belongs to maker i % MAKERS
    int32_t taker
    int32_t arbitrageur

cdef struct SyntheticCounters:
    int64_t new_orders
    int64_t edits
    int64_t cancels
    int64_t refused             # maker orders the exchange did not take
    int64_t bursts
    int64_t taker_orders
    int64_t jumps
    int64_t recentred           # the touch moved
    int64_t indexes

cdef struct Stage:
    int32_t market
    int32_t touch_count         # slots [0, touch), [touch, near), [near, count)
    int32_t near_end
    int32_t count
    int64_t near_ticks          # near slots lie within this far behind the touch
    int64_t far_ticks
    int64_t half_gap_ticks      # touch this far from the latent price's tick pair
    double tick_usd
    double basis_usd            # over the perpetual
    double basis_per_s          # it melts towards expiry
    double pace                 # share of the perpetual's event rates
    double depth                # factor on amounts
    int64_t bid_ticks           # where the touch belongs; the ask one tick above
    double book_s               # next maker action
    double burst_s              # next taker burst
    double hurry_s              # makers act faster until then
    int32_t taker_sign
    MakerSlot slots[2][SLOTS]

cdef void stage_set(Stage* stage, int32_t market, double tick_usd, double depth,
                    double basis_usd, double life_s) noexcept nogil
cdef bint misplaced(const Stage* stage, double price_usd) noexcept nogil
cdef int64_t touch_ticks(const Stage* stage, int32_t side) noexcept nogil
cdef bint touch_missing(Exchange exchange, const Stage* stage, int32_t side) noexcept
cdef int put_order(Exchange exchange, int64_t t_ns, const Participants* who, Stage* stage,
                   int32_t side, int32_t slot, int64_t price_ticks, int64_t contracts,
                   SyntheticCounters* counts) except -1
cdef int pull_order(Exchange exchange, int64_t t_ns, const Participants* who, Stage* stage,
                    int32_t side, int32_t slot, SyntheticCounters* counts) except -1
cdef int take_order(Exchange exchange, int64_t t_ns, int32_t account, const Stage* stage,
                    int32_t side, int64_t limit_ticks, int64_t contracts) except -1
