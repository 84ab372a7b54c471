"""Ledger of one instrument: what our fills were worth afterwards, and counts of them."""
from libc.stdint cimport int32_t, int64_t, uint64_t

from mmcore.types cimport HORIZONS

cdef enum:
    LEDGER_FILLS_MAX = 4096     # fills whose markouts are still open
    TRADE_IDS_MAX = 2048        # trade ids remembered against duplicates

cdef struct OpenMarkout:
    int64_t now_ns
    double price_usd
    double sign                 # +1 bought, -1 sold


cdef class Ledger:
    cdef OpenMarkout open_fills[LEDGER_FILLS_MAX]
    cdef uint64_t recorded                  # fills ever recorded
    cdef uint64_t next_due[HORIZONS]        # first fill whose markout at that horizon is open
    cdef double markout_sum_bps[2][HORIZONS]
    cdef uint64_t markout_count[2][HORIZONS]
    cdef double markout_recent_bps[2][HORIZONS]     # mean that forgets: about the last 50 fills
    cdef uint64_t trade_ids[TRADE_IDS_MAX]
    cdef uint64_t trade_count
    cdef readonly uint64_t fills
    cdef readonly uint64_t maker_fills
    cdef readonly uint64_t missed_markouts

    cdef bint is_duplicate(self, uint64_t trade_id) noexcept nogil
    cdef void record(self, int32_t side, double price_usd, bint maker,
                     int64_t now_ns) noexcept nogil
    cdef void mark_out(self, double mid_usd, int64_t now_ns) noexcept nogil
