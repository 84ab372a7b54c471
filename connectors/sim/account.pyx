"""Balances, positions, fees and funding of one participant; see account.pxd."""
from libc.string cimport memset

from connectors.sim.credits cimport credits_open
from mmcore.types cimport INSTRUMENT_LINEAR, SIDE_BID

# Products of contracts, prices and 1e12 do not fit 64 bits.
cdef extern from *:
    """typedef __int128 sim_wide_t;"""
    ctypedef long long sim_wide_t

cdef int64_t E4 = 10000
cdef int64_t E8 = 100000000
cdef int64_t E10 = 10000000000
cdef int64_t E12 = 1000000000000


cdef int64_t round_div(sim_wide_t value, sim_wide_t by) noexcept nogil:
    """Divide by a positive number, half away from zero."""
    if value >= 0:
        return <int64_t>((value + by / 2) / by)
    return -<int64_t>((-value + by / 2) / by)


cdef int64_t fill_entry(const Instrument* spec, int64_t price_ticks,
                        int64_t amount_contracts) noexcept nogil:
    """Cost of a fill in the units of Position.entry."""
    cdef sim_wide_t amount = <sim_wide_t>amount_contracts * spec.contract_units
    cdef sim_wide_t price = <sim_wide_t>price_ticks * spec.tick_units
    if spec.kind == INSTRUMENT_LINEAR:
        return round_div(amount * price * E8, <sim_wide_t>spec.amount_scale * spec.price_scale)
    return round_div(amount * spec.price_scale * E12, price * spec.amount_scale)


cdef int64_t fill_fee(const Instrument* spec, int64_t price_ticks, int64_t amount_contracts,
                      int64_t fee_rate_e8) noexcept nogil:
    """Fee in 1e-8, rounded once from the exact value."""
    cdef sim_wide_t amount = <sim_wide_t>amount_contracts * spec.contract_units * fee_rate_e8
    cdef sim_wide_t price = <sim_wide_t>price_ticks * spec.tick_units
    if spec.kind == INSTRUMENT_LINEAR:
        return round_div(amount * price, <sim_wide_t>spec.amount_scale * spec.price_scale)
    return round_div(amount * spec.price_scale, price * spec.amount_scale)


cdef int64_t entry_at(const Instrument* spec, int64_t price_cents,
                      int64_t amount_contracts) noexcept nogil:
    """Cost of contracts at a price in cents, in the units of Position.entry."""
    cdef sim_wide_t amount = <sim_wide_t>amount_contracts * spec.contract_units
    if spec.kind == INSTRUMENT_LINEAR:
        return round_div(amount * price_cents * E8, <sim_wide_t>spec.amount_scale * 100)
    return round_div(amount * 100 * E12, <sim_wide_t>price_cents * spec.amount_scale)


cdef int64_t entry_to_e8(const Instrument* spec, int64_t entry) noexcept nogil:
    return entry if spec.kind == INSTRUMENT_LINEAR else round_div(entry, E4)


cdef double average_price_of(const Instrument* spec, int64_t contracts,
                             int64_t entry) noexcept nogil:
    """Average price of contracts with that entry; 0 for none."""
    cdef double amount = <double>(contracts * spec.contract_units) / <double>spec.amount_scale
    if contracts == 0 or entry == 0:
        return 0.0
    if spec.kind == INSTRUMENT_LINEAR:
        return <double>entry * 1e-8 / amount
    return amount / (<double>entry * 1e-12)


cdef double profit_at(const Instrument* spec, const Position* position,
                      int64_t entry, double price_usd) noexcept nogil:
    """Unrealised profit since an entry at a price, in the settlement currency."""
    cdef int64_t size = position.size_contracts
    cdef double amount = <double>(size * spec.contract_units) / <double>spec.amount_scale
    cdef double paid
    if size == 0 or price_usd <= 0.0:
        return 0.0
    if spec.kind == INSTRUMENT_LINEAR:
        paid = <double>entry * 1e-8
        return amount * price_usd - (paid if size > 0 else -paid)
    paid = <double>entry * 1e-12
    return (paid if size > 0 else -paid) - amount / price_usd


cdef int32_t currency_of(const Instrument* spec) noexcept nogil:
    return CURRENCY_USDC if spec.kind == INSTRUMENT_LINEAR else CURRENCY_BTC


cdef class Account:
    """A participant of the exchange; made by Exchange.open_account."""

    def __cinit__(self, int32_t number, str client_id not None, int64_t t_ns, int32_t tier):
        self.number = number
        self.client_id = client_id
        self.user_id = 100000 + number
        self.created_ms = t_ns // 1000000
        self.open_head = -1
        self.mmp_groups = []
        self.mass_quotes = True
        credits_open(&self.credits, tier, t_ns)

    cdef int book_fill(self, const Instrument* spec, int32_t side, int64_t price_ticks,
                       int64_t amount_contracts, int64_t fee_rate_e8, Booked* out) except -1:
        """Book one fill: position, realised profit and fee."""
        cdef Position* position = &self.positions[spec.index]
        cdef int64_t signed = amount_contracts if side == SIDE_BID else -amount_contracts
        cdef int64_t size = position.size_contracts
        cdef int64_t held = size if size >= 0 else -size
        cdef int64_t entry = fill_entry(spec, price_ticks, amount_contracts)
        cdef int64_t closed, entry_part, exit_part, profit
        cdef int32_t currency = currency_of(spec)
        memset(out, 0, sizeof(Booked))
        out.entry = entry
        out.fee_e8 = fill_fee(spec, price_ticks, amount_contracts, fee_rate_e8)
        if size == 0 or (size > 0) == (signed > 0):
            position.entry += entry
            position.cost += entry
        else:
            out.reduced = True
            closed = amount_contracts if amount_contracts < held else held
            entry_part = round_div(<sim_wide_t>position.entry * closed, held)
            # A fill that turns the position is one cost in two parts, so that both sides of the
            # trade book the same sum whatever each of them closes.
            exit_part = entry if closed == amount_contracts else fill_entry(
                spec, price_ticks, closed)
            profit = entry_part - exit_part
            if (size > 0) == (spec.kind == INSTRUMENT_LINEAR):
                profit = -profit
            out.profit_e8 = entry_to_e8(spec, profit)
            self.rest[currency] += profit - out.profit_e8 * (
                1 if spec.kind == INSTRUMENT_LINEAR else E4)
            position.entry = position.entry - entry_part + entry - exit_part
            position.cost += entry - exit_part - round_div(
                <sim_wide_t>position.cost * closed, held)
        position.size_contracts = size + signed
        position.realized_e8 += out.profit_e8
        self.session_e8[currency] += out.profit_e8
        self.balance_e8[currency] -= out.fee_e8
        self.fees_e8[currency] += out.fee_e8
        return 0

    cdef int64_t settle(self, const Instrument* spec, int64_t price_cents,
                        bint deliver) except? -1:
        """Move a position's profit at a price into the session; return what rounding left over.

        deliver: the position ends there. Else it goes on, with that price as its entry.
        """
        cdef Position* position = &self.positions[spec.index]
        cdef int64_t size = position.size_contracts
        cdef int64_t entry, profit, profit_e8
        cdef int32_t currency = currency_of(spec)
        if size == 0:
            return 0
        entry = entry_at(spec, price_cents, size if size > 0 else -size)
        profit = position.entry - entry
        if (size > 0) == (spec.kind == INSTRUMENT_LINEAR):
            profit = -profit
        profit_e8 = entry_to_e8(spec, profit)
        self.rest[currency] += profit - profit_e8 * (
            1 if spec.kind == INSTRUMENT_LINEAR else E4)
        position.realized_e8 += profit_e8
        self.session_e8[currency] += profit_e8
        position.entry = entry
        if not deliver:
            return 0
        position.size_contracts = 0
        position.entry = 0
        position.cost = 0
        return entry if size > 0 else -entry

    cdef int64_t book_delivery_fee(self, const Instrument* spec, int64_t price_cents,
                                   int64_t amount_contracts, int64_t fee_rate_e8) except? -1:
        """Pay for the delivery of so many contracts at a price in cents; return the fee."""
        cdef sim_wide_t amount = <sim_wide_t>amount_contracts * spec.contract_units * fee_rate_e8
        cdef int32_t currency = currency_of(spec)
        cdef int64_t fee_e8
        if spec.kind == INSTRUMENT_LINEAR:
            fee_e8 = round_div(amount * price_cents, <sim_wide_t>spec.amount_scale * 100)
        else:
            fee_e8 = round_div(amount * 100, <sim_wide_t>price_cents * spec.amount_scale)
        self.balance_e8[currency] -= fee_e8
        self.fees_e8[currency] += fee_e8
        return fee_e8

    cdef int64_t book_funding(self, const Instrument* spec, int64_t funding_e18) except? -1:
        """Bring the position's funding up to the market's; return what was paid, in 1e-8."""
        cdef Position* position = &self.positions[spec.index]
        cdef sim_wide_t due = (<sim_wide_t>position.size_contracts
                               * (funding_e18 - position.funding_seen)
                               + position.funding_rest_e18)
        cdef int64_t paid_e8 = round_div(due, E10)
        position.funding_seen = funding_e18
        position.funding_rest_e18 = <int64_t>(due - <sim_wide_t>paid_e8 * E10)
        position.funding_e8 -= paid_e8
        self.session_e8[currency_of(spec)] -= paid_e8
        return paid_e8

    def money(self, int32_t currency=0):
        """(balance, session profit, fees paid) in 1e-8, and what rounding left in entry units."""
        return (self.balance_e8[currency], self.session_e8[currency], self.fees_e8[currency],
                self.rest[currency])

    def position(self, int32_t market):
        """(signed contracts, entry, realised, funding) of a market; see account.pxd."""
        if not 0 <= market < VENUE_MARKETS_MAX:
            raise IndexError(f"market {market}")
        return (self.positions[market].size_contracts, self.positions[market].entry,
                self.positions[market].realized_e8, self.positions[market].funding_e8)

    @property
    def open_orders(self):
        return self.open_count
