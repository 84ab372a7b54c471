"""The exchange as backtest and paper see it: actions in, typed events out, no JSON, no socket.

DirectVenue stands where the wire front stands and listens to the same exchange: what the wire
would write as a notification is put under way with a latency, and handed to the engine by whoever
runs the clock. DirectSink is where the engine's decisions leave.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

from connectors.deribit.labels cimport Label, LabelScheme
from connectors.sim.account cimport VENUE_MARKETS_MAX
from connectors.sim.exchange cimport Exchange
from connectors.sim.inflight cimport Delivery, DeliveryQueue, Request, RequestQueue
from connectors.sim.latency cimport Latency
from connectors.sim.orders cimport OrderRequest, Outcome, SimOrder
from connectors.sim.outputs cimport Outputs
from mmcore.types cimport MARKETS_MAX, SLOTS_MAX, Action, OrderEvent

cdef enum:
    REQUEST_QUERY = 6           # kind of an Action: what is this order's state?

cdef struct Shown:
    int64_t order_id            # 0: nothing of this slot is in the book
    int64_t price_ticks
    int64_t contracts

cdef struct DirectCounters:
    uint64_t requests
    uint64_t refused            # of them, for any reason
    uint64_t too_many           # of these, for want of credits
    uint64_t too_late           # of these, arrived after their valid_until
    uint64_t post_only          # of these, would have crossed
    uint64_t late_cancels       # cancels and edits of what was closed already
    uint64_t queries

cdef int32_t write_number(int64_t number, char* out) noexcept nogil


cdef class DirectVenue(Outputs):
    cdef readonly Exchange exchange
    cdef readonly int32_t account
    cdef readonly int32_t connection
    cdef LabelScheme scheme
    cdef readonly Latency entry
    cdef readonly Latency response
    cdef readonly int64_t feed_ns       # from the exchange to us, for what no recording times
    cdef RequestQueue requests
    cdef DeliveryQueue answers
    cdef DeliveryQueue feed
    cdef int32_t engine_of[VENUE_MARKETS_MAX]   # the engine's market of the exchange's; -1: none
    cdef int32_t market_of[MARKETS_MAX]
    cdef int32_t engine_markets
    cdef Shown shown[MARKETS_MAX][SLOTS_MAX]
    cdef int64_t funding_told[MARKETS_MAX]
    cdef int64_t funding_settled[MARKETS_MAX]   # of earlier sessions
    cdef Py_ssize_t settlements_seen
    cdef dict pending                   # ticket -> (request id, action kind, market, slot)
    cdef DirectCounters counters
    cdef int64_t paid_id                # request paid for last
    cdef readonly list fills            # see direct.pyx, FILL_FIELDS
    cdef readonly list trail            # REQUEST_FIELDS, while keep_trail
    cdef public bint keep_trail

    cdef int send(self, const Action* action, int64_t t_ns, int64_t due_ns) except -1
    cdef int arrive(self) except -1
    cdef int act(self, const Request* request, int64_t t_ns, Outcome* out) except -1
    cdef int answer(self, const Action* action, int64_t t_ns, const Outcome* out) except -1
    cdef int answer_query(self, const Action* action, int64_t t_ns) except -1
    cdef int count_refusal(self, int32_t kind, int32_t error) noexcept
    cdef int order_request(self, const Action* action, OrderRequest* request) noexcept
    cdef bint describe(self, const SimOrder* order, OrderEvent* event) noexcept
    cdef bint label_of(self, const SimOrder* order, Label* label) noexcept
    cdef int show(self, int64_t t_ns, const SimOrder* order, const Label* label) except -1
    cdef int tell_funding(self, int64_t t_ns, int32_t market) except -1
    cdef int tell_ticker(self, int64_t t_ns, int32_t market) except -1
