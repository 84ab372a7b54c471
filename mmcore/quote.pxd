"""The quoting model: signals and inventory in, a target ladder with its why out."""
from libc.stdint cimport int32_t, int64_t

from mmcore.params cimport ParamValues
from mmcore.signals cimport SignalState
from mmcore.types cimport Instrument, TargetQuotes

cdef struct Inventory:
    double net_btc              # net delta of all instruments, from the target
    double limit_btc            # of this instrument
    int64_t contracts           # of this instrument
    int64_t round_trip_ns       # p95; 0 while unmeasured

cdef void quote_compute(const Instrument* spec, const SignalState* signal,
                        const ParamValues* params, const Inventory* inventory,
                        TargetQuotes* out) noexcept nogil
