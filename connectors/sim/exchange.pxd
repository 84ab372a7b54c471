"""The exchange: f(t_ns, who, what) -> outputs. No clock, no loop, no input but its arguments.

Three faces. *Requests* (`submit`, `edit`, `cancel*`) act for an account over a connection. The
*market interface* (`market_*`) is how a recording takes part, as liquidity without identity;
synthetic participants open an account with `silent=True` and use the requests. `advance` runs what
is due by itself: book flushes, tickers, mark price, funding, order expiry.

Every entry point first runs the timers due before its `t_ns`; time never goes back (an earlier
`t_ns` counts as the latest one seen). Times are ns since the epoch of the exchange's clock.
What happened is told to `outputs`, synchronously and in order.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t

from connectors.replay.event cimport Event
from connectors.sim.account cimport Account
from connectors.sim.matching cimport MatchBook
from connectors.sim.orders cimport OrderRequest, Outcome
from connectors.sim.registry cimport HOUSE_ACCOUNT
from connectors.sim.timers cimport Timers


@cython.final
cdef class Exchange(Timers):
    # set-up and looking: see registry.pxd; timers: see timers.pxd
    cpdef int32_t connect(self, int64_t t_ns) except -1
    cpdef int login(self, int64_t t_ns, int32_t connection, int32_t account) except -1
    cpdef int disconnect(self, int64_t t_ns, int32_t connection, bint cancel) except -1

    # ---- requests; connection -1 = a participant without one
    cdef int submit(self, int64_t t_ns, int32_t connection, int32_t account,
                    const OrderRequest* request, Outcome* out) except -1
    cdef int edit(self, int64_t t_ns, int32_t account, int64_t order_id,
                  const OrderRequest* request, Outcome* out) except -1
    cdef int cancel(self, int64_t t_ns, int32_t account, int64_t order_id, Outcome* out) except -1
    cpdef int32_t cancel_all(self, int64_t t_ns, int32_t account, int32_t market,
                             int32_t currency, int32_t connection, bytes label,
                             int32_t reason) except -1
    cdef int cancel_many(self, int64_t t_ns, int32_t account, int32_t market, int32_t currency,
                         bytes label, Outcome* out, int32_t scope=*) except -1
    cdef int quote(self, int64_t t_ns, int32_t connection, int32_t account,
                   const OrderRequest* request, Outcome* out, bint part=*) except -1
    cpdef int32_t drop_quotes(self, int64_t t_ns, int32_t account, int32_t market,
                              int32_t currency, bytes set_id, int64_t freeze_ns,
                              int32_t scope=*) except -1
    cpdef int freeze_quotes(self, int64_t t_ns, int32_t account, int64_t freeze_ns) except -1

    # ---- market interface: what takes part without an account
    cpdef int market_set_level(self, int64_t t_ns, int32_t market, int32_t side,
                               int64_t price_ticks, int64_t amount_contracts) except -1
    cdef int market_levels(self, int64_t t_ns, int32_t market, const Event* events,
                           int64_t count) except -1
    cdef int set_left(self, int32_t market, const Event* events, const int32_t* left,
                      int32_t n) except -1
    cdef int set_level(self, int32_t market, int32_t side, int64_t price_ticks,
                       int64_t amount_contracts) except -1
    cpdef int market_clear(self, int64_t t_ns, int32_t market) except -1
    cpdef int market_trade(self, int64_t t_ns, int32_t market, int32_t taker_side,
                           int64_t price_ticks, int64_t amount_contracts, int32_t flags) except -1
    cpdef int market_index(self, int64_t t_ns, str index_name, double price_usd) except -1
    cpdef int market_mark(self, int64_t t_ns, int32_t market, double mark_usd) except -1
    cpdef int market_funding(self, int64_t t_ns, int32_t market, double rate_8h) except -1
    cpdef int market_state(self, int64_t t_ns, int32_t market, int32_t state) except -1
    cpdef int64_t advance(self, int64_t t_ns) except -1
    cpdef int refresh_marks(self, int64_t t_ns) except -1
    cpdef int subscribe_book(self, int64_t t_ns, int32_t market, int32_t interval) except -1
    cpdef int unsubscribe_book(self, int32_t market, int32_t interval) except -1
