"""Margin of positions, orders and quotes; see margin.pxd."""
from mmcore.types cimport INSTRUMENT_LINEAR, InstrumentSpec, delta_btc

cdef double INITIAL_RATE = 0.02
cdef double MAINTENANCE_RATE = 0.01
cdef double SLOPE = 0.00005         # more per BTC of size
cdef double QUOTES_RATE = 0.03      # of a quote protection's largest quantity


cdef double margin_at(const Instrument* spec, double price_usd, int64_t contracts,
                      double rate) noexcept nogil:
    cdef double size_btc = delta_btc(spec, contracts, price_usd)
    cdef double margin = size_btc * (rate + SLOPE * size_btc)
    return margin * price_usd if spec.kind == INSTRUMENT_LINEAR else margin


cdef double initial_margin(const Instrument* spec, double price_usd,
                           int64_t contracts) noexcept nogil:
    """To open or hold so many contracts, in the settlement currency."""
    return margin_at(spec, price_usd, contracts, INITIAL_RATE)


cdef double maintenance_margin(const Instrument* spec, double price_usd,
                               int64_t contracts) noexcept nogil:
    """Below this equity a position of so many contracts is liquidated."""
    return margin_at(spec, price_usd, contracts, MAINTENANCE_RATE)


cdef double quotes_margin(double max_quantity_btc) noexcept nogil:
    """Reserved for one quote protection group, in BTC."""
    return QUOTES_RATE * max_quantity_btc


cdef int64_t worst_contracts(int64_t size, int64_t open_buys, int64_t open_sells) noexcept nogil:
    """The largest position, in contracts without sign, the open orders can lead to."""
    return max(size, -size, size + open_buys, open_sells - size)


cdef int64_t liquidation_part(int64_t held_contracts, int64_t lot_contracts) noexcept nogil:
    """What the next liquidation order of a position closes."""
    cdef int64_t part = held_contracts // LIQUIDATION_PARTS
    part = (part + lot_contracts - 1) // lot_contracts * lot_contracts
    return min(held_contracts, max(part, lot_contracts))


def rates():
    """Return the rates in force, by name; fees as fractions of notional."""
    return {"initial": INITIAL_RATE, "maintenance": MAINTENANCE_RATE, "slope_per_btc": SLOPE,
            "quotes": QUOTES_RATE, "liquidation_fee": LIQUIDATION_FEE_E8 * 1e-8,
            "delivery_fee": DELIVERY_FEE_E8 * 1e-8}


def margins_of(InstrumentSpec spec not None, double price_usd, int64_t contracts):
    """Return (initial, maintenance) margin of contracts at a price."""
    return (initial_margin(&spec.c, price_usd, contracts),
            maintenance_margin(&spec.c, price_usd, contracts))
