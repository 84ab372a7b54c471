"""See microprice.pxd. The fit is runner/micro_price.py."""
from libc.math cimport isfinite
from libc.string cimport memset


cdef int set_table(MicroTable* table, object rows) except -1:
    """Take rows of equal length, ticks per share of the bid; none at all is no table.

    ValueError where a row does not fit.
    """
    cdef int32_t i, k
    memset(table, 0, sizeof(MicroTable))
    if not rows:
        return 0
    shares = len(rows[0])
    if len(rows) > SPREADS_MAX or not 2 <= shares <= SHARES_MAX:
        raise ValueError(f"a micro-price table has 1 to {SPREADS_MAX} rows of 2 to {SHARES_MAX} "
                         f"numbers, not {len(rows)} of {shares}")
    for i, row in enumerate(rows):
        if len(row) != shares:
            raise ValueError(f"micro-price table: row {i} has {len(row)} numbers, row 0 {shares}")
        for k, ticks in enumerate(row):
            table.ticks[i][k] = ticks
            if not isfinite(table.ticks[i][k]):
                raise ValueError(f"micro-price table: row {i} holds {ticks}")
    table.shares = <int32_t>shares
    table.spreads = <int32_t>len(rows)
    return 0
