"""RiskGate: what may be quoted, and the one function every create and edit passes."""
from libc.stdint cimport int32_t, int64_t, uint64_t

from mmcore.book cimport OrderBook
from mmcore.orders cimport OrderTable
from mmcore.params cimport ParamValues, RiskParams
from mmcore.signals cimport SignalState
from mmcore.types cimport Action, ApprovedQuotes, Instrument, Take, TargetQuotes

cpdef enum RiskState:
    RISK_ACTIVE = 0
    RISK_REDUCING = 1
    RISK_PAUSED = 2             # no new order; resumes by command
    RISK_STOPPED = 3            # leaving: nothing new any more
    RISK_KILLED = 4             # latched

cpdef enum GateReason:
    """Why an action was held back; the index of RiskGate.refused."""
    GATE_OK = 0
    GATE_STATE = 1
    GATE_COLLAR = 2
    GATE_BAND = 3
    GATE_ORDER_SIZE = 4
    GATE_POSITION = 5
    GATE_NET = 6
    GATE_OPEN_ORDERS = 7
    GATE_DUPLICATE = 8
    GATE_SELF_CROSS = 9
    GATE_LOT = 10
    GATE_REASONS = 11

# What the gate must know of one instrument besides its quotes.
cdef struct Health:
    bint connected              # session up, cancel-on-disconnect confirmed
    bint reconciled             # orders and position agree with the venue
    int32_t state               # MarketState
    int64_t synced_ns           # snapshot applied; 0 while the book is not valid
    int64_t book_ns             # last book message
    int64_t frame_ns            # last frame of the connection
    int64_t lag_ns              # newest book message: arrival minus venue time

cdef struct Exposure:
    double position_btc         # of this instrument, signed
    double limit_btc
    double worst_btc[2]         # unsigned BTC of orders that may fill, per side
    double at_price_usd         # BTC of contracts are counted at this price


cdef bint price_allowed(double price, const SignalState* signal, double collar_bps) noexcept nogil


cdef class RiskGate:
    cdef readonly int32_t state             # RiskState
    cdef uint64_t refused[GATE_REASONS]
    cdef double net_btc                     # position of all instruments
    cdef double net_worst_btc[2]            # orders of all instruments, per side
    cdef double net_limit_btc
    cdef int32_t open_orders                # of all instruments
    cdef readonly uint64_t reject_storms
    cdef int64_t storm_ns                   # start of the window in which rejects are counted
    cdef int32_t storm_count
    cdef int64_t resume_ns                  # end of a pause of our own; 0: only by command

    cdef int32_t assess(self, const Health* health, const SignalState* signal, OrderBook book,
                        const ParamValues* params, int64_t now_ns) noexcept nogil
    cdef void begin(self, double net_limit_btc) noexcept nogil
    cdef void count(self, const Exposure* exposure, int32_t open_orders) noexcept nogil
    cdef void approve(self, const TargetQuotes* target, int32_t blocked, const Instrument* spec,
                      const SignalState* signal, const ParamValues* params,
                      const Exposure* exposure, ApprovedQuotes* out) noexcept nogil
    cdef void approve_take(self, const Take* take, int32_t blocked, const Instrument* spec,
                           const SignalState* signal, const ParamValues* params,
                           const Exposure* exposure, Take* out) noexcept nogil
    cdef int32_t admit(self, const Action* action, const Instrument* spec, OrderTable orders,
                       const SignalState* signal, const ParamValues* params,
                       Exposure* exposure) noexcept nogil
    cdef int32_t check(self, const Action* action, const Instrument* spec, OrderTable orders,
                       const SignalState* signal, const ParamValues* params,
                       const Exposure* exposure, double added_btc) noexcept nogil
    cdef int64_t order_most(self, const Instrument* spec, const ParamValues* params,
                            const SignalState* signal) noexcept nogil
    cdef bint on_reject(self, const RiskParams* params, int64_t now_ns) noexcept nogil
    cdef bint pause_until(self, int64_t resume_ns) noexcept nogil
    cdef bint resume_when_due(self, int64_t now_ns) noexcept nogil
    cdef bint to_state(self, int32_t state) noexcept nogil
