"""Mass quotes and their protection, for Python."""
cimport cython
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy, memset

from connectors.sim.account cimport Account
from connectors.sim.checks cimport SIM_QUOTES_DISABLED
from connectors.sim.exchange cimport Exchange
from connectors.sim.mmp cimport MmpGroup
from connectors.sim.orders cimport QUOTE_ID_MAX, OrderRequest, Outcome
from connectors.sim.wire.replies cimport outcome_reply


@cython.final
cdef class QuoteDesk:
    """Quotes of one exchange. Replies are (error, limit price or None, result)."""
    cdef readonly Exchange exchange

    def __init__(self, Exchange exchange not None):
        self.exchange = exchange

    def side(self, int64_t t_ns, int32_t connection, int32_t account, int32_t market,
             int32_t side, int32_t group, int64_t price_ticks, int64_t amount_contracts, *,
             bytes quote_id=b"", bytes set_id=b"", bint post_only=False,
             bint reject_post_only=False, int64_t valid_until_ms=0, bint part=False):
        """Put one side of a quote, under a group's number; 0 contracts take it away.

        part: a further side of the mass quote whose side was put before.
        """
        cdef OrderRequest request
        cdef Outcome outcome
        if len(quote_id) > QUOTE_ID_MAX or len(set_id) > QUOTE_ID_MAX:
            raise ValueError(f"quote_id and quote_set_id: at most {QUOTE_ID_MAX} bytes")
        if not (<Account>self.exchange.accounts[account]).mass_quotes:
            return SIM_QUOTES_DISABLED, None, None
        memset(&request, 0, sizeof(request))
        request.market = market
        request.side = side
        request.price_ticks = price_ticks
        request.amount_contracts = amount_contracts
        request.post_only = post_only
        request.reject_post_only = reject_post_only
        request.valid_until_ms = valid_until_ms
        request.mmp = True
        request.mmp_group = group
        request.quote = True
        request.names.id_size = <int32_t>len(quote_id)
        memcpy(request.names.id, <const char*>quote_id, len(quote_id))
        request.names.set_size = <int32_t>len(set_id)
        memcpy(request.names.set_id, <const char*>set_id, len(set_id))
        self.exchange.quote(t_ns, connection, account, &request, &outcome, part)
        if amount_contracts == 0 and outcome.error == 0:
            return 0, None, None
        return outcome_reply(self.exchange, &outcome)

    def resting_ticks(self, int32_t account, int32_t market, int32_t side, int32_t group):
        """Price of the resting quote of a side, None where there is none."""
        cdef int32_t slot = self.exchange.quote_slot(account, market, side, group)
        return self.exchange.pool.items[slot].price_ticks if slot >= 0 else None

    def frozen_until_ms(self, int64_t t_ns, int32_t account, int32_t index, int32_t group):
        """When a group of quote protection thaws: 0 by hand, None where it is not frozen."""
        cdef MmpGroup found = self.exchange.mmp_group(account, index, group)
        if found is None or not found.blocks(t_ns):
            return None
        return found.frozen_until_ms()

    def reset(self, int32_t account, int32_t index, int32_t group):
        """Thaw a group and count from nothing; False where there is no such group."""
        cdef MmpGroup found = self.exchange.mmp_group(account, index, group)
        if found is None:
            return False
        found.reset()
        return True

    def index_of(self, int32_t market):
        """Number of a market's index."""
        return self.exchange.data[market].index

    def spread_legs(self, int32_t market):
        """(bought, sold) markets of a spread, None where it is none."""
        if not self.exchange.is_spread(market):
            return None
        return self.exchange.data[market].legs[0], self.exchange.data[market].legs[1]
