"""DirectSink: where an engine's decisions leave for the direct front of the exchange."""
from libc.stdint cimport int64_t, uint64_t

from connectors.deribit.encode cimport Encoder
from connectors.sim.direct cimport DirectVenue
from mmcore.engine cimport Engine
from mmcore.sink cimport OrderSink


cdef class DirectSink(OrderSink):
    cdef readonly Engine engine
    cdef readonly Encoder encoder
    cdef readonly DirectVenue venue
    cdef int64_t origin_ns              # the exchange's time less the engine's
    cdef object digest                  # sha256 of all texts
    cdef readonly uint64_t actions
    cdef readonly list takes            # (t_ns, market, TakeReason, contracts, bought above 0)
