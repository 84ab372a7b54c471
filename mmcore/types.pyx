"""Ticks, contracts and instruments; see types.pxd."""
from decimal import Decimal, InvalidOperation

from libc.math cimport ceil, fabs, floor, isfinite, llround
from libc.string cimport memcpy, memset

# A price or amount may miss its grid by this share of a step: decimal text made it, not a fill.
cdef double GRID_SLACK = 1e-4
cdef double STEPS_LIMIT = 9.0e15


cdef bint ticks_of_price(const Instrument* spec, double price, int64_t* ticks) noexcept nogil:
    """Convert a price on the grid to ticks; False where it is no finite number or off the grid."""
    cdef double steps
    if not isfinite(price):
        return False
    steps = price * <double>spec.price_scale / <double>spec.tick_units
    if fabs(steps) > STEPS_LIMIT:
        return False
    ticks[0] = llround(steps)
    return fabs(steps - <double>ticks[0]) <= GRID_SLACK


cdef bint contracts_of_amount(const Instrument* spec, double amount,
                              int64_t* contracts) noexcept nogil:
    """Convert an amount >= 0 on the contract grid; False otherwise."""
    cdef double steps
    if not isfinite(amount) or amount < 0.0:
        return False
    steps = amount * <double>spec.amount_scale / <double>spec.contract_units
    if steps > STEPS_LIMIT:
        return False
    contracts[0] = llround(steps)
    return fabs(steps - <double>contracts[0]) <= GRID_SLACK


cdef int64_t step_ticks_at(const Instrument* spec, int64_t ticks) noexcept nogil:
    cdef int64_t step = 1
    cdef int32_t i
    for i in range(spec.tick_step_count):
        if ticks > spec.tick_steps[i].above_ticks:
            step = spec.tick_steps[i].step_ticks
    return step


cdef int64_t ticks_down(const Instrument* spec, double price) noexcept nogil:
    """Round a price down to the grid valid there; a price within a hair of the grid stays."""
    cdef int64_t ticks = <int64_t>floor(price * <double>spec.price_scale
                                        / <double>spec.tick_units + 1e-9)
    cdef int64_t step = step_ticks_at(spec, ticks)
    if step > 1:
        ticks -= ticks % step
    return ticks


cdef int64_t ticks_up(const Instrument* spec, double price) noexcept nogil:
    """Round a price up to the grid valid there; a price within a hair of the grid stays."""
    cdef int64_t ticks = <int64_t>ceil(price * <double>spec.price_scale
                                       / <double>spec.tick_units - 1e-9)
    cdef int64_t step = step_ticks_at(spec, ticks)
    if step > 1 and ticks % step:
        ticks += step - ticks % step
    return ticks


cdef int64_t lots_down(const Instrument* spec, double contracts) noexcept nogil:
    """Round contracts down to a whole number of lots; never below 0."""
    cdef int64_t whole
    if not contracts > 0.0 or contracts > STEPS_LIMIT:
        return 0
    whole = <int64_t>floor(contracts + 1e-9)
    return whole if spec.lot_contracts == 1 else whole - whole % spec.lot_contracts


cdef tuple scaled(object value, str what):
    """Split a positive decimal into (units, scale) with value == units / scale."""
    try:
        number = Decimal(repr(value) if isinstance(value, float) else str(value))
    except InvalidOperation:
        raise ValueError(f"{what} {value!r} is not a number") from None
    if not number.is_finite() or number <= 0:
        raise ValueError(f"{what} {value!r} must be above 0")
    number = number.normalize()
    decimals = max(0, -number.as_tuple().exponent)
    if decimals > 9 or number > 10**9:
        raise ValueError(f"{what} {value!r} is outside 1e-9 to 1e9")
    return int(number.scaleb(decimals)), 10**decimals, decimals


cdef int set_tick_steps(Instrument* c, str name, object tick_steps) except -1:
    cdef int64_t above = 0, step = 0
    if len(tick_steps) > TICK_STEPS_MAX:
        raise ValueError(f"{name}: more than {TICK_STEPS_MAX} tick steps")
    for price, size in tick_steps:
        if not (ticks_of_price(c, float(price), &above)
                and ticks_of_price(c, float(size), &step) and step > 0):
            raise ValueError(f"{name}: tick step ({price}, {size}) is off the base tick")
        c.tick_steps[c.tick_step_count].above_ticks = above
        c.tick_steps[c.tick_step_count].step_ticks = step
        c.tick_step_count += 1
    return 0


cdef class InstrumentSpec:
    """One instrument as the core counts it.

    tick_size and contract_size are decimals as the venue prints them; amounts are multiples of
    min_amount; fees are fractions of notional (0.00015 = 1.5 bps). tick_steps is a list of
    (above_price, tick_size), each a multiple of the base tick. Raises ValueError naming the field.
    """

    def __init__(self, str name not None, *, tick_size, contract_size, min_amount=None,
                 bint inverse=True, double maker_fee=0.0, double taker_fee=0.0,
                 int64_t expiry_ms=0, tick_steps=()):
        cdef bytes raw = name.encode("ascii", "replace")
        cdef Instrument* c = &self.c
        memset(c, 0, sizeof(Instrument))
        if not 0 < len(raw) < NAME_MAX:
            raise ValueError(f"instrument name {name!r} must have 1 to {NAME_MAX - 1} characters")
        memcpy(c.name, <const char*>raw, len(raw))
        c.name_size = <int32_t>len(raw)
        c.kind = INSTRUMENT_INVERSE if inverse else INSTRUMENT_LINEAR
        c.tick_units, c.price_scale, c.price_decimals = scaled(tick_size, f"{name}: tick size")
        c.contract_units, c.amount_scale, c.amount_decimals = scaled(
            contract_size, f"{name}: contract size")
        c.tick_usd = <double>c.tick_units / <double>c.price_scale
        c.contract_size = <double>c.contract_units / <double>c.amount_scale
        c.lot_contracts = 1
        if min_amount is not None and not (
                contracts_of_amount(c, float(min_amount), &c.lot_contracts)
                and c.lot_contracts > 0):
            raise ValueError(f"{name}: minimum amount {min_amount} is no multiple of the contract")
        c.maker_fee_e8 = llround(maker_fee * 1e8)
        c.taker_fee_e8 = llround(taker_fee * 1e8)
        c.expiry_ms = expiry_ms
        set_tick_steps(c, name, tick_steps)

    @property
    def name(self):
        return (<bytes>self.c.name[:self.c.name_size]).decode("ascii")

    @property
    def inverse(self):
        return self.c.kind == INSTRUMENT_INVERSE

    @property
    def tick_usd(self):
        return self.c.tick_usd

    @property
    def contract_size(self):
        return self.c.contract_size

    @property
    def lot_contracts(self):
        return self.c.lot_contracts

    @property
    def maker_fee(self):
        return self.c.maker_fee_e8 / 1e8

    @property
    def taker_fee(self):
        return self.c.taker_fee_e8 / 1e8

    @property
    def expiry_ms(self):
        return self.c.expiry_ms

    def price(self, int64_t ticks):
        """Price in USD of a number of ticks."""
        return price_usd(&self.c, ticks)

    def amount(self, int64_t contracts):
        """Amount (USD if inverse, BTC if linear) of a number of contracts."""
        return amount_of(&self.c, contracts)

    def ticks(self, double price):
        """Ticks of a price on the grid; ValueError off it."""
        cdef int64_t ticks = 0
        if not ticks_of_price(&self.c, price, &ticks):
            raise ValueError(f"{self.name}: price {price} is off the tick {self.c.tick_usd}")
        return ticks

    def contracts(self, double amount):
        """Contracts of an amount on the grid; ValueError off it."""
        cdef int64_t contracts = 0
        if not contracts_of_amount(&self.c, amount, &contracts):
            raise ValueError(f"{self.name}: amount {amount} is no multiple of "
                             f"{self.c.contract_size}")
        return contracts

    def round_down(self, double price):
        """Ticks of the nearest valid price at or below."""
        return ticks_down(&self.c, price)

    def round_up(self, double price):
        """Ticks of the nearest valid price at or above."""
        return ticks_up(&self.c, price)

    def btc(self, int64_t contracts, double price):
        """BTC worth of contracts at a price."""
        return delta_btc(&self.c, contracts, price)

    def __repr__(self):
        return (f"InstrumentSpec({self.name!r}, tick_size={self.c.tick_usd}, "
                f"contract_size={self.c.contract_size}, inverse={self.inverse})")
