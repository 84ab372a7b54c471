"""See statement.pxd.

With v(p) = -1/p for an inverse contract and p for a linear one, N signed in the contract's own
unit: a fill at px earns capture = N (v(mid0) - v(px)) at once, the position then earns
drift = N (v(mid1) - v(mid0)) with every move, and mid_to_mark = N (v(mark) - v(mid)) remains.
Their sum is N (v(mark) - v(px)) over all fills: realised plus unrealised, whatever happened
between. The identity holds by construction; `unexplained` shows what rounding leaves of it.
"""
from libc.math cimport llround

from mmcore.types cimport (
    INSTRUMENT_INVERSE, SIDE_BID, InstrumentSpec, amount_of, price_usd as usd_of)

cdef enum:
    E4 = 10_000                 # settlement prices have up to four decimals

cdef int64_t E18 = 1_000_000_000_000_000_000


cdef double value_of(const Instrument* spec, double price_usd) noexcept nogil:
    """v(p): what one unit is worth at a price, up to a constant; 0 where there is no price."""
    if spec.kind != INSTRUMENT_INVERSE:
        return price_usd
    return -1.0 / price_usd if price_usd > 0.0 else 0.0


cdef mm_e18_t cost_e18(const Instrument* spec, int64_t price_units, int64_t price_scale,
                       int64_t contracts) noexcept nogil:
    """Cost of contracts at price_units / price_scale, in 1e-18, rounded once."""
    cdef mm_e18_t amount = <mm_e18_t>contracts * spec.contract_units
    if spec.kind == INSTRUMENT_INVERSE:
        return mm_e18_share(amount * price_scale, E18, <mm_e18_t>price_units * spec.amount_scale)
    return mm_e18_share(amount * price_units, E18, <mm_e18_t>price_scale * spec.amount_scale)


cdef class Statement:
    """Exact profit of one instrument and its parts."""

    cdef void on_fill(self, const Instrument* spec, int32_t side, int64_t price_ticks,
                      int64_t amount_contracts, int64_t fee_e8, double mid_usd, bint maker,
                      bint aggressive) noexcept nogil:
        """Book one fill; mid_usd is the mid as it happened, 0 where there was none."""
        cdef int64_t signed = amount_contracts if side == SIDE_BID else -amount_contracts
        cdef int64_t held = self.contracts if self.contracts >= 0 else -self.contracts
        cdef int64_t closed = 0
        cdef double price = usd_of(spec, price_ticks)
        cdef double amount = amount_of(spec, signed)
        cdef double earned, worth
        cdef mm_e18_t cost, part
        if mid_usd <= 0.0:
            mid_usd = self.mid_usd if self.mid_usd > 0.0 else price
        self.mark_to(spec, mid_usd)
        earned = amount * (value_of(spec, mid_usd) - value_of(spec, price))
        if aggressive:
            self.hedge += earned
        else:
            self.capture += earned
        if held > 0 and (self.contracts > 0) != (signed > 0):
            closed = held if held < amount_contracts else amount_contracts
            cost = cost_e18(spec, price_ticks * spec.tick_units, spec.price_scale, closed)
            part = mm_e18_share(self.entry_e18, closed, held)
            # inverse: a long gains where its entry cost more BTC than its exit
            if (spec.kind == INSTRUMENT_INVERSE) == (self.contracts > 0):
                self.realized_e18 += part - cost
            else:
                self.realized_e18 += cost - part
            self.entry_e18 -= part
        if closed < amount_contracts:
            self.entry_e18 += cost_e18(spec, price_ticks * spec.tick_units, spec.price_scale,
                                       amount_contracts - closed)
        self.contracts += signed
        self.fees_e8 += fee_e8
        if fee_e8 < 0:
            self.rebates_e8 -= fee_e8
        worth = amount if amount >= 0.0 else -amount
        if spec.kind != INSTRUMENT_INVERSE:
            worth *= price
        self.volume_usd += worth
        if maker:
            self.maker_volume_usd += worth
        elif aggressive:
            self.planned_takers += 1
        else:
            self.unplanned_takers += 1
        if closed > 0 and closed == held:
            self.end_trip()

    cdef void end_trip(self) noexcept nogil:
        """The position has been at zero: a round trip is over."""
        cdef double profit = (mm_e18_double(self.realized_e18 - self.trip_realized_e18)
                              - <double>(self.fees_e8 - self.trip_fees_e8) * 1e-8)
        self.round_trips += 1
        self.round_trips_won += profit > 0.0
        self.round_trip_profit += profit
        self.trip_realized_e18 = self.realized_e18
        self.trip_fees_e8 = self.fees_e8

    cdef void adopt(self, const Instrument* spec, int64_t contracts,
                    double average_usd) noexcept nogil:
        """Take over a position we did not trade; what it had earned counts as carried."""
        cdef int64_t held = contracts if contracts >= 0 else -contracts
        if contracts == self.contracts:
            return
        if self.mid_usd <= 0.0:
            self.mid_usd = average_usd
        self.carried -= self.unrealized(spec, self.mid_usd)
        self.contracts = contracts
        self.entry_e18 = 0
        if held > 0 and average_usd > 0.0:
            # an average has as many decimals as the venue likes: eight are kept
            self.entry_e18 = cost_e18(spec, llround(average_usd * 1e8), 100_000_000, held)
        self.carried += self.unrealized(spec, self.mid_usd)

    cdef void settle(self, const Instrument* spec, double price_usd, bint deliver) noexcept nogil:
        """Realise the open profit at a price; deliver: the position ends with it."""
        cdef int64_t held = self.contracts if self.contracts >= 0 else -self.contracts
        cdef mm_e18_t cost
        if held == 0 or price_usd <= 0.0:
            return
        cost = cost_e18(spec, llround(price_usd * E4), E4, held)
        if (spec.kind == INSTRUMENT_INVERSE) == (self.contracts > 0):
            self.realized_e18 += self.entry_e18 - cost
        else:
            self.realized_e18 += cost - self.entry_e18
        self.entry_e18 = cost
        if deliver:
            self.mark_to(spec, <double>llround(price_usd * E4) / E4)
            self.entry_e18 = 0
            self.contracts = self.matched = 0
            self.end_trip()

    cdef void add_funding(self, double amount) noexcept nogil:
        """Book funding received (> 0) or paid; a compensated sum, as there are very many."""
        cdef double total = self.funding_sum + amount
        cdef double larger = self.funding_sum if (
            self.funding_sum * self.funding_sum >= amount * amount) else amount
        cdef double smaller = amount if larger == self.funding_sum else self.funding_sum
        self.funding_rest += (larger - total) + smaller
        self.funding_sum = total

    cdef double funding(self) noexcept nogil:
        """Funding received so far; negative: paid."""
        return self.funding_sum + self.funding_rest

    cdef double entry(self) noexcept nogil:
        """Cost of the open position; positive."""
        return mm_e18_double(self.entry_e18)

    cdef double average_usd(self, const Instrument* spec) noexcept nogil:
        """Average entry price (harmonic if inverse), over settlements; 0 while flat."""
        cdef double amount
        if self.contracts == 0 or self.entry_e18 == 0:
            return 0.0
        amount = amount_of(spec, self.contracts if self.contracts > 0 else -self.contracts)
        return amount / self.entry() if spec.kind == INSTRUMENT_INVERSE else self.entry() / amount

    cdef double unrealized(self, const Instrument* spec, double mark_usd) noexcept nogil:
        """Profit of closing everything at the mark; 0 while flat or without entry or mark."""
        cdef double amount, gain
        if self.contracts == 0 or self.entry_e18 == 0 or mark_usd <= 0.0:
            return 0.0
        amount = amount_of(spec, self.contracts if self.contracts > 0 else -self.contracts)
        gain = self.entry() - (amount / mark_usd if spec.kind == INSTRUMENT_INVERSE
                               else amount * mark_usd)
        return gain if (spec.kind == INSTRUMENT_INVERSE) == (self.contracts > 0) else -gain

    cdef double profit(self, double unrealized) noexcept nogil:
        """Everything earned after fees, with what is open."""
        return (mm_e18_double(self.realized_e18) + unrealized + self.funding()
                - <double>self.fees_e8 * 1e-8)

    cdef void mark_to(self, const Instrument* spec, double mid_usd) noexcept nogil:
        """Count the position's drift up to a mid, that of its matched part as basis."""
        cdef double move
        if mid_usd <= 0.0 or mid_usd == self.mid_usd:
            return
        if self.contracts != 0 and self.mid_usd > 0.0:
            move = value_of(spec, mid_usd) - value_of(spec, self.mid_usd)
            self.drift += amount_of(spec, self.contracts - self.matched) * move
            if self.matched != 0:
                self.basis += amount_of(spec, self.matched) * move
        self.mid_usd = mid_usd

    cdef void match(self, int64_t contracts) noexcept nogil:
        """Say how much of the position another one hedges from the last mid on; signed."""
        self.matched = contracts

    cdef void parts(self, const Instrument* spec, double mark_usd, double adverse,
                    Parts* out) noexcept nogil:
        """Everything at a mark; adverse is the part of the drift that markouts explain."""
        out.realized = mm_e18_double(self.realized_e18)
        out.unrealized = self.unrealized(spec, mark_usd)
        out.fees = <double>self.fees_e8 * 1e-8
        out.funding = self.funding()
        out.profit = self.profit(out.unrealized)
        out.capture, out.hedge, out.drift = self.capture, self.hedge, self.drift
        out.basis = self.basis
        out.adverse = adverse
        out.carried = self.carried
        out.mid_to_mark = 0.0
        if self.contracts != 0 and mark_usd > 0.0 and self.mid_usd > 0.0:
            out.mid_to_mark = amount_of(spec, self.contracts) * (
                value_of(spec, mark_usd) - value_of(spec, self.mid_usd))
        out.unexplained = out.profit - (
            out.capture + out.hedge + out.drift + out.basis + out.mid_to_mark + out.carried
            + out.funding - out.fees)

    # ------------------------------------------------------------------ Python face
    def fill(self, InstrumentSpec spec not None, int32_t side, int64_t price_ticks,
             int64_t amount_contracts, *, int64_t fee_e8=0, double mid=0.0, bint maker=True,
             bint aggressive=False):
        """Book one fill."""
        self.on_fill(&spec.c, side, price_ticks, amount_contracts, fee_e8, mid, maker, aggressive)

    def take_over(self, InstrumentSpec spec not None, int64_t contracts, double average_price):
        """Adopt a position the venue reports."""
        self.adopt(&spec.c, contracts, average_price)

    def settle_at(self, InstrumentSpec spec not None, double price, bint deliver=False):
        """Realise everything at a settlement or delivery price of up to four decimals."""
        self.settle(&spec.c, price, deliver)

    def fund(self, double amount):
        """Book funding in the settlement currency, received > 0."""
        self.add_funding(amount)

    def match_with(self, int64_t contracts):
        """Say how much of the position, signed, another instrument's hedges."""
        self.match(contracts)

    def move_mid(self, InstrumentSpec spec not None, double mid):
        """Count the drift up to a mid."""
        self.mark_to(&spec.c, mid)

    def figures(self, InstrumentSpec spec not None, double mark, double adverse=0.0):
        """Every part at a mark, as a dict."""
        cdef Parts out
        self.parts(&spec.c, mark, adverse, &out)
        return dict(out)

    @property
    def realized(self):
        """Realised profit before fees, not rounded."""
        return mm_e18_double(self.realized_e18)

    @property
    def entry_cost(self):
        """Cost of the open position, not rounded."""
        return self.entry()
