"""One channel with subscribers."""
cimport cython
from libc.stdint cimport int32_t


@cython.final
cdef class Channel:
    """One channel somebody is subscribed to; the same name of two accounts is two channels."""
    cdef readonly str name
    cdef readonly str kind          # book, window, trades, ticker, ... user.orders, ...
    cdef readonly int32_t market    # -1: any
    cdef readonly int32_t interval
    cdef readonly int32_t currency  # -1: any
    cdef readonly int32_t product   # SCOPE_FUTURE, SCOPE_COMBO; 0: any
    cdef readonly int32_t account   # -1: public
    cdef readonly int32_t depth
    cdef readonly int32_t group
    cdef readonly bytes raw_name
    cdef readonly list sessions
    cdef list waiting               # user events until the next 100 ms or second
    cdef object shown               # change id of the last window sent
