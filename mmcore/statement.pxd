"""Statement of one instrument: where its profit came from, each part exact enough to close.

Amounts are in the settlement currency (BTC if inverse, USD if linear). realized and entry are
kept in 1e-18 without the venue's rounding; Position keeps what the venue books.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

from mmcore.types cimport Instrument

cdef extern from *:
    """
    #ifndef MM_WIDE_E18
    #define MM_WIDE_E18
    typedef __int128 mm_e18_t;
    /* a * b / c for c > 0, half away from zero */
    static inline mm_e18_t mm_e18_share(mm_e18_t a, mm_e18_t b, mm_e18_t c) {
        mm_e18_t product = a * b;
        return (product >= 0 ? product + c / 2 : product - c / 2) / c;
    }
    static inline double mm_e18_double(mm_e18_t a) {
        long long small = (long long)a;
        if ((mm_e18_t)small == a) {     /* up to nine BTC: no division of 128 bits */
            long long billions = small / 1000000000;
            return (double)billions * 1e-9 + (double)(small - billions * 1000000000) * 1e-18;
        }
        long long whole = (long long)(a / 1000000000);      /* in 1e-9 */
        return (double)whole * 1e-9 + (double)(long long)(a - (mm_e18_t)whole * 1000000000) * 1e-18;
    }
    #endif
    """
    ctypedef long long mm_e18_t
    mm_e18_t mm_e18_share(mm_e18_t a, mm_e18_t b, mm_e18_t c) noexcept nogil
    double mm_e18_double(mm_e18_t a) noexcept nogil

# What a statement adds up; profit == realized + unrealized + funding - fees.
cdef struct Parts:
    double realized
    double unrealized           # at the mark
    double fees                 # paid > 0, rebates < 0
    double funding
    double profit
    double capture              # fills of quotes against the mid of their moment
    double hedge                # the same of aggressive fills: what haste cost
    double drift                # unmatched position against the moves of the mid, both parts of it
    double basis                # the same of what another instrument's position is matched with
    double adverse              # of it: what the mid did in the seconds after each fill
    double mid_to_mark
    double carried              # taken over with a position that was not traded here
    double unexplained          # profit less all parts: rounding


@cython.final
cdef class Statement:
    cdef readonly int64_t contracts         # signed
    cdef mm_e18_t entry_e18                 # cost of |contracts|
    cdef mm_e18_t realized_e18
    cdef mm_e18_t trip_realized_e18         # as the round trip began
    cdef int64_t trip_fees_e8
    cdef readonly int64_t matched           # contracts, signed, that another position hedges
    cdef double mid_usd                     # up to which drift is counted
    cdef readonly double capture
    cdef readonly double hedge
    cdef readonly double drift
    cdef readonly double basis
    cdef readonly double carried
    cdef double funding_sum
    cdef double funding_rest                # what the sum's rounding left over
    cdef readonly int64_t fees_e8
    cdef readonly int64_t rebates_e8        # of them, as a positive figure
    cdef readonly double volume_usd
    cdef readonly double maker_volume_usd
    cdef readonly uint64_t round_trips
    cdef readonly uint64_t round_trips_won
    cdef readonly double round_trip_profit  # after fees
    cdef readonly uint64_t planned_takers
    cdef readonly uint64_t unplanned_takers     # a post-only quote that took: never meant

    cdef void on_fill(self, const Instrument* spec, int32_t side, int64_t price_ticks,
                      int64_t amount_contracts, int64_t fee_e8, double mid_usd, bint maker,
                      bint aggressive) noexcept nogil
    cdef void match(self, int64_t contracts) noexcept nogil
    cdef void adopt(self, const Instrument* spec, int64_t contracts,
                    double average_usd) noexcept nogil
    cdef void settle(self, const Instrument* spec, double price_usd, bint deliver) noexcept nogil
    cdef void add_funding(self, double amount) noexcept nogil
    cdef double funding(self) noexcept nogil
    cdef double entry(self) noexcept nogil
    cdef double average_usd(self, const Instrument* spec) noexcept nogil
    cdef double unrealized(self, const Instrument* spec, double mark_usd) noexcept nogil
    cdef double profit(self, double unrealized) noexcept nogil
    cdef void mark_to(self, const Instrument* spec, double mid_usd) noexcept nogil
    cdef void parts(self, const Instrument* spec, double mark_usd, double adverse,
                    Parts* out) noexcept nogil
    cdef void end_trip(self) noexcept nogil


cdef double value_of(const Instrument* spec, double price_usd) noexcept nogil
