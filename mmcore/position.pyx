"""Inverse and linear position arithmetic; the entry of an inverse contract is harmonic."""
from libc.math cimport llround

from mmcore.types cimport (
    INSTRUMENT_INVERSE, SIDE_BID, InstrumentSpec, amount_of, price_usd)


# Units of Position.entry_cost: the venue keeps BTC costs to 12 decimals, USD costs to 8.
cdef double COST_PER_BTC = 1e12
cdef double COST_PER_USD = 1e8

cdef extern from *:
    """
    typedef __int128 mm_wide_t;
    /* a * b / c for c > 0, half away from zero; the product needs more than 64 bits */
    static inline long long mm_mul_div(mm_wide_t a, mm_wide_t b, mm_wide_t c) {
        mm_wide_t product = a * b;
        return (long long)((product >= 0 ? product + c / 2 : product - c / 2) / c);
    }
    """
    ctypedef long long mm_wide_t
    int64_t mm_mul_div(mm_wide_t a, mm_wide_t b, mm_wide_t c) noexcept nogil


cdef int64_t mul_div(int64_t a, int64_t b, int64_t c) noexcept nogil:
    return mm_mul_div(a, b, c)


cdef int64_t exact_cost(const Instrument* spec, int64_t price_ticks,
                        int64_t contracts) noexcept nogil:
    """Cost of contracts at a price in units of Position.entry_cost, rounded once."""
    cdef mm_wide_t amount = <mm_wide_t>contracts * spec.contract_units
    cdef mm_wide_t price = <mm_wide_t>price_ticks * spec.tick_units
    if spec.kind == INSTRUMENT_INVERSE:
        return mm_mul_div(amount * spec.price_scale, <int64_t>1_000_000_000_000,
                          price * spec.amount_scale)
    return mm_mul_div(amount * price, <int64_t>100_000_000,
                      <mm_wide_t>spec.price_scale * spec.amount_scale)


cdef int64_t to_e8(const Instrument* spec, int64_t cost) noexcept nogil:
    return cost if spec.kind != INSTRUMENT_INVERSE else mm_mul_div(cost, 1, 10_000)


cdef class Position:
    """Signed contracts of one instrument and what they earned.

    Profit and fees are in the settlement currency (BTC if inverse, USD if linear), in 1e-8 as the
    venue books each trade, from an entry cost kept in the venue's own precision; so our figures
    and the venue's are equal to the last digit. The unrealised part is a double at a mark.
    """

    cdef int64_t apply(self, const Instrument* spec, int32_t side, int64_t price_ticks,
                       int64_t amount_contracts, int64_t fee_e8) noexcept nogil:
        """Book one fill; return the profit it realised in 1e-8."""
        cdef int64_t signed = amount_contracts if side == SIDE_BID else -amount_contracts
        cdef int64_t held = self.contracts if self.contracts >= 0 else -self.contracts
        cdef int64_t cost = exact_cost(spec, price_ticks, amount_contracts)
        cdef int64_t closed, closed_cost, entry_part, profit_e8 = 0
        if held == 0 or (self.contracts > 0) == (signed > 0):
            self.entry_cost += cost
        else:
            closed = held if held < amount_contracts else amount_contracts
            closed_cost = (cost if closed == amount_contracts
                           else exact_cost(spec, price_ticks, closed))
            entry_part = mul_div(self.entry_cost, closed, held)
            # long inverse: BTC paid in at entry less BTC at exit; long linear: the other way round
            profit_e8 = to_e8(spec, entry_part - closed_cost)
            if (spec.kind == INSTRUMENT_INVERSE) != (self.contracts > 0):
                profit_e8 = -profit_e8
            self.entry_cost += (cost - closed_cost) - entry_part
        self.contracts += signed
        self.realized_e8 += profit_e8
        self.fees_e8 += fee_e8
        self.volume_usd += (amount_of(spec, amount_contracts)
                            if spec.kind == INSTRUMENT_INVERSE
                            else amount_of(spec, amount_contracts) * price_usd(spec, price_ticks))
        return profit_e8

    cdef void set_position(self, const Instrument* spec, int64_t contracts,
                           double average_usd) noexcept nogil:
        """Take over what the venue holds for us; an equal position keeps its exact entry."""
        cdef int64_t held = contracts if contracts >= 0 else -contracts
        if contracts == self.contracts:
            return
        self.contracts = contracts
        self.entry_cost = 0
        if held == 0 or average_usd <= 0.0:
            return
        if spec.kind == INSTRUMENT_INVERSE:
            self.entry_cost = llround(amount_of(spec, held) / average_usd * COST_PER_BTC)
        else:
            self.entry_cost = llround(amount_of(spec, held) * average_usd * COST_PER_USD)

    cdef void settle(self, const Instrument* spec, double price, bint deliver) noexcept nogil:
        """Realise the open profit as the venue does once a day; deliver: nothing is left."""
        cdef int64_t held = self.contracts if self.contracts >= 0 else -self.contracts
        cdef mm_wide_t amount = <mm_wide_t>held * spec.contract_units
        cdef int64_t price_e4 = llround(price * 1e4), cost, profit_e8
        if held == 0 or price_e4 <= 0:
            return
        if spec.kind == INSTRUMENT_INVERSE:
            cost = mm_mul_div(amount * 10_000, <int64_t>1_000_000_000_000,
                              <mm_wide_t>price_e4 * spec.amount_scale)
        else:
            cost = mm_mul_div(amount * price_e4, <int64_t>100_000_000,
                              <mm_wide_t>10_000 * spec.amount_scale)
        profit_e8 = to_e8(spec, self.entry_cost - cost)
        if (spec.kind == INSTRUMENT_INVERSE) != (self.contracts > 0):
            profit_e8 = -profit_e8
        self.realized_e8 += profit_e8
        self.entry_cost = 0 if deliver else cost
        if deliver:
            self.contracts = 0

    cdef double unrealized(self, const Instrument* spec, double mark_usd) noexcept nogil:
        """Profit of closing everything at the mark; 0 while flat, without entry or mark."""
        cdef double amount
        if self.contracts == 0 or self.entry_cost == 0 or mark_usd <= 0.0:
            return 0.0
        amount = amount_of(spec, self.contracts)
        if spec.kind == INSTRUMENT_INVERSE:
            return (self.entry_signed() / COST_PER_BTC) - amount / mark_usd
        return amount * mark_usd - self.entry_signed() / COST_PER_USD

    cdef double entry_signed(self) noexcept nogil:
        return <double>(self.entry_cost if self.contracts > 0 else -self.entry_cost)

    cdef double average_usd(self, const Instrument* spec) noexcept nogil:
        """Average entry price (harmonic if inverse); 0 while flat."""
        if self.contracts == 0 or self.entry_cost == 0:
            return 0.0
        if spec.kind == INSTRUMENT_INVERSE:
            return amount_of(spec, self.contracts) / (self.entry_signed() / COST_PER_BTC)
        return (self.entry_signed() / COST_PER_USD) / amount_of(spec, self.contracts)

    def fill(self, InstrumentSpec spec not None, int32_t side, double price, double amount,
             double fee=0.0):
        """Book one fill given in venue units; return the realised profit."""
        profit = self.apply(&spec.c, side, spec.ticks(price), spec.contracts(amount),
                            llround(fee * 1e8))
        return profit / 1e8

    def adopt(self, InstrumentSpec spec not None, int64_t contracts, double average_price):
        """Take over a position the venue reports; realised profit stays what it is."""
        if contracts and average_price <= 0.0:
            raise ValueError(f"{spec.name}: a position of {contracts} contracts needs an "
                             "average price above 0")
        self.set_position(&spec.c, contracts, average_price)

    def settle_at(self, InstrumentSpec spec not None, double price, bint deliver=False):
        """Realise the open profit at a settlement or delivery price."""
        self.settle(&spec.c, price, deliver)

    def unrealized_at(self, InstrumentSpec spec not None, double mark_usd):
        """Profit of closing everything at the mark."""
        return self.unrealized(&spec.c, mark_usd)

    def average(self, InstrumentSpec spec not None):
        """Average entry price in USD; 0 while flat."""
        return self.average_usd(&spec.c)
