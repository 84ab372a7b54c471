"""What a position must be backed by, and the rates nobody else states: the one place for them.

Standard margin of one currency (segregated): initial 2 % + 0.005 % per BTC of size, maintenance
1 % + 0.005 %. The venue announced another model in August 2026 and no formula is public, so this
one, in force until then, is used.
"""
from libc.stdint cimport int64_t

from mmcore.types cimport Instrument

cdef enum:
    LIQUIDATION_FEE_E8 = 1000000        # of notional, in place of the taker fee
    DELIVERY_FEE_E8 = 25000             # of dated contracts, but for weekly ones
    LIQUIDATION_PARTS = 5               # a position is closed by fifths of what it is then
    PERIOD_WEEK = 1                     # settlement periods of dated contracts
    PERIOD_MONTH = 2

cdef double initial_margin(const Instrument* spec, double price_usd,
                           int64_t contracts) noexcept nogil
cdef double maintenance_margin(const Instrument* spec, double price_usd,
                               int64_t contracts) noexcept nogil
cdef double quotes_margin(double max_quantity_btc) noexcept nogil
cdef int64_t worst_contracts(int64_t size, int64_t open_buys, int64_t open_sells) noexcept nogil
cdef int64_t liquidation_part(int64_t held_contracts, int64_t lot_contracts) noexcept nogil
