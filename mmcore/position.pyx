"""Inverse and linear position arithmetic; FORMULAS: harmonic entry for inverse contracts."""
from libc.math cimport llround

from mmcore.types cimport (
    INSTRUMENT_INVERSE, SIDE_BID, InstrumentSpec, amount_of, price_usd)


cdef class Position:
    """Signed contracts of one instrument and what they earned.

    Profit and fees are in the settlement currency (BTC if inverse, USD if linear), in 1e-8 as the
    venue books each trade; the unrealised part is a double at a mark.
    """

    cdef int64_t apply(self, const Instrument* spec, int32_t side, int64_t price_ticks,
                       int64_t amount_contracts, int64_t fee_e8) noexcept nogil:
        """Book one fill; return the profit it realised in 1e-8."""
        cdef int64_t signed = amount_contracts if side == SIDE_BID else -amount_contracts
        cdef int64_t held = self.contracts if self.contracts >= 0 else -self.contracts
        cdef int64_t closed = 0, opened = amount_contracts, profit_e8 = 0
        cdef double price = price_usd(spec, price_ticks)
        cdef double entry_part, exit_part
        if self.contracts != 0 and (self.contracts > 0) != (signed > 0):
            closed = held if held < amount_contracts else amount_contracts
            opened = amount_contracts - closed
            entry_part = self.entry_value * <double>closed / <double>held
            exit_part = self.value_at(spec, closed, price)
            # inverse: BTC in at entry minus BTC out at exit; linear: USD out minus USD in
            profit_e8 = llround((entry_part - exit_part) * 1e8)
            if (spec.kind == INSTRUMENT_INVERSE) != (self.contracts > 0):
                profit_e8 = -profit_e8
            self.entry_value -= entry_part
            if closed == held:
                self.entry_value = 0.0
        if opened > 0:
            self.entry_value += self.value_at(spec, opened, price)
        self.contracts += signed
        self.realized_e8 += profit_e8
        self.fees_e8 += fee_e8
        self.volume_usd += (amount_of(spec, amount_contracts)
                            if spec.kind == INSTRUMENT_INVERSE
                            else amount_of(spec, amount_contracts) * price)
        return profit_e8

    cdef void set_position(self, const Instrument* spec, int64_t contracts,
                           double average_usd) noexcept nogil:
        """Take over what the venue holds for us; an equal position keeps its exact entry."""
        if contracts == self.contracts:
            return
        self.contracts = contracts
        self.entry_value = 0.0
        if contracts != 0 and average_usd > 0.0:
            self.entry_value = self.value_at(
                spec, contracts if contracts > 0 else -contracts, average_usd)

    cdef double value_at(self, const Instrument* spec, int64_t contracts,
                         double price) noexcept nogil:
        if spec.kind == INSTRUMENT_INVERSE:
            return amount_of(spec, contracts) / price
        return amount_of(spec, contracts) * price

    cdef double unrealized(self, const Instrument* spec, double mark_usd) noexcept nogil:
        """Profit of closing everything at the mark; 0 while flat or without a mark."""
        cdef int64_t held = self.contracts if self.contracts >= 0 else -self.contracts
        cdef double profit
        if held == 0 or mark_usd <= 0.0:
            return 0.0
        profit = self.entry_value - self.value_at(spec, held, mark_usd)
        return profit if (spec.kind == INSTRUMENT_INVERSE) == (self.contracts > 0) else -profit

    cdef double average_usd(self, const Instrument* spec) noexcept nogil:
        """Average entry price; 0 while flat."""
        cdef int64_t held = self.contracts if self.contracts >= 0 else -self.contracts
        if held == 0:
            return 0.0
        if spec.kind == INSTRUMENT_INVERSE:
            return amount_of(spec, held) / self.entry_value
        return self.entry_value / amount_of(spec, held)

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

    def unrealized_at(self, InstrumentSpec spec not None, double mark_usd):
        """Profit of closing everything at the mark."""
        return self.unrealized(&spec.c, mark_usd)

    def average(self, InstrumentSpec spec not None):
        """Average entry price in USD; 0 while flat."""
        return self.average_usd(&spec.c)
