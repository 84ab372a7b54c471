"""Micro-price table (Stoikov 2018): what the expected future mid is off the mid, in ticks.

Rows by spread in ticks, columns by the share of the best bid in both best amounts; fitted offline.
"""
from libc.stdint cimport int32_t, int64_t

cdef enum:
    SPREADS_MAX = 8             # rows; a wider spread counts as the last
    SHARES_MAX = 20             # columns

cdef struct MicroTable:
    int32_t spreads             # 0: no table
    int32_t shares
    double ticks[SPREADS_MAX][SHARES_MAX]


cdef inline double micro_ticks(const MicroTable* table, int64_t spread_ticks,
                               const int64_t* contracts) noexcept nogil:
    """Look up the adjustment for a spread and the amounts (bid, ask) at the touch."""
    cdef int32_t row = table.spreads - 1
    cdef int32_t column = <int32_t>(
        <double>table.shares * <double>contracts[0] / <double>(contracts[0] + contracts[1]))
    if spread_ticks <= row:
        row = <int32_t>spread_ticks - 1 if spread_ticks > 1 else 0
    if column >= table.shares:
        column = table.shares - 1
    return table.ticks[row][column]


cdef int set_table(MicroTable* table, object rows) except -1
