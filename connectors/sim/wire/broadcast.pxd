"""The exchange's outputs as frames, each made once and handed to every subscriber."""
cimport cython
from libc.stdint cimport int32_t, int64_t

from connectors.sim.exchange cimport Exchange
from connectors.sim.outputs cimport BookUpdate, Outputs
from connectors.sim.wire.channel cimport Channel
from connectors.sim.wire.ledger cimport Ledger
from connectors.sim.wire.writer cimport Writer


@cython.final
cdef class Broadcast(Outputs):
    cdef readonly Exchange exchange
    cdef Writer writer
    cdef object encode
    cdef dict public                # (kind, market, interval) -> list of Channel
    cdef dict by_account            # account -> list of Channel
    cdef public object on_reply     # called with a ticket and its reply
    cdef public object on_listing   # called with a market number
    cdef readonly Ledger ledger
    cdef list wide                  # public channels of all instruments
    cdef list events                # of the event going on: (account, market, order, trade)

    cdef int route(self, Channel channel, int32_t market) except -1
    cdef int give_combos(self, list events) except -1
    cdef list at(self, str kind, int32_t market, int32_t interval)
    cdef int give(self, Channel channel, bytes frame) except -1
    cdef int give_object(self, Channel channel, object data) except -1
    cdef int put_window(self, Channel channel, int64_t t_ns) except -1
    cdef int put_quote(self, Channel channel, int64_t t_ns, int32_t market) except -1
    cdef int user_event(self, int32_t account, int32_t market, list orders,
                        list trades) except -1
    cdef int flush_waiting(self, int32_t interval) except -1
