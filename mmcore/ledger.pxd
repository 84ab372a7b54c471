"""Ledger of one instrument: what our fills were worth afterwards, and counts of them."""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

from mmcore.types cimport HORIZONS, Instrument

cdef enum:
    LEDGER_FILLS_MAX = 4096     # fills whose markouts are still open
    TRADE_IDS_MAX = 2048        # trade ids remembered against duplicates
    EDGE_BUCKETS = 4            # by distance of the fill from the mid: under 2, 4, 8 bps, beyond
    NET_FILLS = 200             # fills whose net result is judged together

cdef struct OpenMarkout:
    int64_t now_ns
    double price_usd
    double sign                 # +1 bought, -1 sold
    double amount               # as the venue counts it; 0: markouts only
    double mid_usd              # as it happened; 0 where there was none
    double fee_bps              # paid > 0
    bint quote                  # of a resting quote: counts for its side's edge

cdef struct EdgeStat:
    int64_t fills
    double mean_bps             # move of the mid after the fill, for us > 0
    double spread_bps           # of those moves: mean square around the mean


cdef int32_t edge_bucket(double distance_bps) noexcept nogil
cdef bint edge_barred(const double* floors_bps) noexcept nogil


@cython.final
cdef class Ledger:
    cdef OpenMarkout open_fills[LEDGER_FILLS_MAX]
    cdef uint64_t recorded                  # fills ever recorded
    cdef uint64_t next_due[HORIZONS]        # first fill whose markout at that horizon is open
    cdef int64_t due_ns                     # no open markout is due before
    cdef double markout_sum_bps[2][HORIZONS]
    cdef uint64_t markout_count[2][HORIZONS]
    cdef double markout_recent_bps[2][HORIZONS]     # mean that forgets: about the last 50 fills
    cdef Instrument spec
    cdef EdgeStat edges[2][EDGE_BUCKETS]            # at 5 s, forgetting after NET_FILLS
    cdef double adverse                     # what the mid did in 5 s after our fills, summed
    cdef double net_ring[NET_FILLS]         # of the last quote fills: markout less fee, in bps
    cdef double net_sum_bps
    cdef readonly uint64_t net_count        # since the last verdict
    cdef uint64_t trade_ids[TRADE_IDS_MAX]
    cdef uint64_t trade_count
    cdef readonly uint64_t fills
    cdef readonly uint64_t maker_fills
    cdef readonly uint64_t missed_markouts

    cdef bint is_duplicate(self, uint64_t trade_id) noexcept nogil
    cdef void record(self, int32_t side, double price_usd, bint maker,
                     int64_t now_ns) noexcept nogil
    cdef void qualify(self, double amount, double mid_usd, double fee_bps,
                      bint quote) noexcept nogil
    cdef void learn_edge(self, const OpenMarkout* entry, double mid_usd,
                         double markout_bps) noexcept nogil
    cdef bint net_negative(self) noexcept nogil
    cdef void mark_out(self, double mid_usd, int64_t now_ns) noexcept nogil
