"""The quoting model: signals, inventory and stance in, a target ladder with its why out."""
from libc.stdint cimport int32_t, int64_t

from mmcore.ladder cimport Placement
from mmcore.params cimport ParamValues
from mmcore.reaction cimport Stance
from mmcore.signals cimport SignalState
from mmcore.types cimport Instrument, TargetQuotes

cdef struct Inventory:
    double net_btc              # net delta of all instruments, from the target
    double limit_btc            # of this instrument
    int64_t contracts           # of this instrument
    int64_t round_trip_ns       # p95; 0 while unmeasured
    double funding_due_s        # until the next payment, with funding.model interval
    double taker_share          # of own fills, measured; 0 .. 1
    double markout_bps[2]       # mean 5 s markout per side of our fills …
    int64_t markout_fills[2]    # … over so many

cdef void quote_compute(const Instrument* spec, const SignalState* signal,
                        const ParamValues* params, const Inventory* inventory,
                        const Stance* stance, Placement* placement, int64_t now_ns,
                        TargetQuotes* out) noexcept nogil
