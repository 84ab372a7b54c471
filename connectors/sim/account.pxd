"""One participant's money: balances, positions, fees, funding, written without mmcore's Position.

Amounts of money are integers in 1e-8 of the settlement currency. `Position.entry` is the exact
cost of the open position: inverse, the sum of amount / price in 1e-12 BTC (the average price is
harmonic); linear, the sum of amount * price in 1e-8 USDC. A settlement moves it to the settlement
price and the difference into cash; `Position.cost` stays what the position was opened at. Every
trade's profit and fee is rounded to 1e-8, half away from zero; what that takes is kept in `rest`,
so the sum over all accounts is conserved.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t

from connectors.sim.credits cimport Credits
from mmcore.types cimport Instrument

cdef enum:
    VENUE_MARKETS_MAX = 64      # listed in an exchange's life, delivered ones included
    CURRENCIES = 2
    CURRENCY_BTC = 0
    CURRENCY_USDC = 1

cpdef enum SelfTradeMode:
    SELF_TRADE_REJECT_TAKER = 0
    SELF_TRADE_CANCEL_MAKER = 1

cdef struct Position:
    int64_t size_contracts      # signed, long > 0
    int64_t entry
    int64_t cost
    int64_t realized_e8         # trades of this session, fees apart
    int64_t funding_e8          # of this session
    int64_t funding_seen        # the market's funding_e18 up to which it is booked
    int64_t funding_rest_e18    # booked amounts are rounded; the rest is carried
    int64_t open_contracts[2]   # rest of the open orders per side, for the order margin
    int64_t settled_e8          # moved to cash by the last settlement
    int64_t settled_funding_e8  # funding among it

cdef struct Booked:
    int64_t profit_e8
    int64_t fee_e8
    int64_t entry               # of this fill, in units of Position.entry
    bint reduced

cdef int64_t fill_entry(const Instrument* spec, int64_t price_ticks,
                        int64_t amount_contracts) noexcept nogil
cdef int64_t entry_to_e8(const Instrument* spec, int64_t entry) noexcept nogil
cdef double average_price_of(const Instrument* spec, int64_t contracts,
                             int64_t entry) noexcept nogil
cdef int32_t currency_of(const Instrument* spec) noexcept nogil
cdef int64_t entry_at(const Instrument* spec, int64_t price_cents,
                      int64_t amount_contracts) noexcept nogil
cdef double profit_at(const Instrument* spec, const Position* position,
                      int64_t entry, double price_usd) noexcept nogil


@cython.final
cdef class Account:
    cdef readonly int32_t number
    cdef readonly str client_id
    cdef readonly int64_t user_id
    cdef readonly int64_t created_ms
    cdef bint silent            # nobody listens: a synthetic participant, or the recorded market
    cdef int32_t self_trade     # SelfTradeMode
    cdef bint cancel_on_disconnect  # account scope: new connections start with it
    cdef Credits credits
    cdef int64_t balance_e8[CURRENCIES]     # cash; session profit is apart until settlement
    cdef int64_t session_e8[CURRENCIES]     # realised profit and funding of the session
    cdef int64_t fees_e8[CURRENCIES]        # paid since the account was opened
    cdef int64_t rest[CURRENCIES]   # what rounding of profits took, in units of Position.entry
    cdef Position positions[VENUE_MARKETS_MAX]
    cdef readonly list mmp_groups   # MmpGroup; an order's mmp_group counts from 1
    cdef public bint mass_quotes    # allowed to quote in mass
    cdef int64_t quotes_frozen_ns   # no new quotes until then
    cdef int32_t open_head      # slot of its first open order
    cdef int32_t open_count
    cdef int32_t reduce_only_open

    cdef int book_fill(self, const Instrument* spec, int32_t side, int64_t price_ticks,
                       int64_t amount_contracts, int64_t fee_rate_e8, Booked* out) except -1
    cdef int64_t settle(self, const Instrument* spec, int64_t price_cents,
                        bint deliver) except? -1
    cdef int64_t book_delivery_fee(self, const Instrument* spec, int64_t price_cents,
                                   int64_t amount_contracts, int64_t fee_rate_e8) except? -1
    cdef int64_t book_funding(self, const Instrument* spec, int64_t funding_e18) except? -1
