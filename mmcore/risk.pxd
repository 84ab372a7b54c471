"""RiskGate: what may be quoted, and the one function every create and edit passes."""
from libc.math cimport fabs
from libc.stdint cimport int32_t, int64_t, uint64_t

from mmcore.book cimport OrderBook
from mmcore.budget cimport RateCap
from mmcore.ledger cimport EDGE_BUCKETS
from mmcore.orders cimport OrderTable
from mmcore.params cimport ParamValues
from mmcore.signals cimport SignalState
from mmcore.states cimport RiskStates
from mmcore.types cimport (
    ACTIONS_MAX, MARKETS_MAX, SIDE_ASK, SIDE_BID, Action, ActionBatch, ApprovedBatch,
    ApprovedQuotes, Instrument, Take, TargetQuotes)

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
    GATE_GROSS = 11
    GATE_LEVERAGE = 12
    GATE_MARGIN = 13
    GATE_RATE = 14              # more messages a second than risk.max_messages_per_s
    GATE_REDUCE = 15            # says that it reduces, and would not
    GATE_FAT_FINGER = 16        # far through the other side's best
    GATE_BATCH = 17             # more orders than one batch may hold
    GATE_REASONS = 18

# What the gate must know of one instrument besides its quotes.
cdef struct Health:
    bint connected              # session up, cancel-on-disconnect confirmed
    bint reconciled             # orders and position agree with the venue
    int32_t state               # MarketState
    int64_t synced_ns           # snapshot applied; 0 while the book is not valid
    int64_t book_ns             # last book message
    int64_t newest_lag_ns       # newest book message: arrival minus venue time
    int64_t lag_ns              # the same averaged over some messages, to be looked at

cdef struct Exposure:
    double position_btc         # of this instrument, signed
    double unmatched_btc        # of it what no other position hedges; the limit is for that
    double limit_btc
    double worst_btc[2]         # unsigned BTC of orders that may fill, per side
    double gross_btc            # largest absolute position that may come of both
    double at_price_usd         # BTC of contracts are counted at this price
    double margin_rate          # initial margin per BTC of exposure; 0: not known
    bint barred[2]              # repeated execution: nothing adds on that side
    double edge_floor_bps[2][EDGE_BUCKETS]  # nearer to the reference nothing adds; 0: no bar

# The account as the venue last told, and what follows from it.
cdef struct AccountState:
    double equity_btc           # 0: not told yet
    double margin_btc           # initial margin with open orders
    double margin_balance_btc   # 0: not told yet
    double scale                # of every limit and size: equity over capital, in tenths
    double stress_net_btc       # net exposure a large move may find; 0: no bar
    double stress_gross_btc


cdef extern from *:
    """
    #define SLACK_BTC 1e-12
    """
    double SLACK_BTC            # rounding of BTC worths, far below one contract


# One instrument's part of the account's worst case.
cdef struct Counted:
    double position_btc
    double worst_btc[2]
    double gross_btc
    double margin_btc
    int64_t open_orders


cdef inline bint in_collar(double price, const SignalState* signal,
                           double collar_bps) noexcept nogil:
    """Within our own collar round the reference."""
    return fabs(price - signal.reference_usd) <= collar_bps * 1e-4 * signal.reference_usd


cdef inline bint in_band(double price, const SignalState* signal) noexcept nogil:
    """Within the venue's own band, as far as it is known."""
    return (signal.min_price_usd <= 0.0 or price >= signal.min_price_usd) and (
        signal.max_price_usd <= 0.0 or price <= signal.max_price_usd)


cdef inline bint price_allowed(double price, const SignalState* signal,
                               double collar_bps) noexcept nogil:
    return in_collar(price, signal, collar_bps) and in_band(price, signal)


cdef inline double gross_of(const Exposure* exposure, int32_t side,
                            double added_btc) noexcept nogil:
    """Largest absolute position an instrument may come to, with added_btc more on a side."""
    cdef double worst = fabs(exposure.position_btc)
    cdef double up = exposure.position_btc + exposure.worst_btc[SIDE_BID]
    cdef double down = exposure.worst_btc[SIDE_ASK] - exposure.position_btc
    if side == SIDE_BID:
        up += added_btc
    else:
        down += added_btc
    if up > worst:
        worst = up
    return down if down > worst else worst


cdef inline void count_part(Counted* part, const Exposure* exposure,
                            int32_t open_orders) noexcept nogil:
    """Note one instrument's part; what is not noted anew stands as it was."""
    part.position_btc = exposure.position_btc
    part.worst_btc[SIDE_BID] = exposure.worst_btc[SIDE_BID]
    part.worst_btc[SIDE_ASK] = exposure.worst_btc[SIDE_ASK]
    part.open_orders = open_orders
    part.gross_btc = exposure.gross_btc
    part.margin_btc = exposure.margin_rate * exposure.gross_btc


cdef inline bint lowers_net(double net_btc, int32_t side, double added_btc) noexcept nogil:
    """True where an order alone brings the net exposure nearer to zero, not through it."""
    return (net_btc if side == SIDE_BID else -net_btc) + added_btc <= SLACK_BTC


cdef inline bint reduces(const Exposure* exposure, double net_btc, int32_t side,
                         double added_btc) noexcept nogil:
    """True where an order can only bring this position, and not the net away from, to zero."""
    cdef double signed = 1.0 if side == SIDE_BID else -1.0
    return (signed * exposure.position_btc < 0.0
            and exposure.worst_btc[side] + added_btc <= fabs(exposure.position_btc) + SLACK_BTC
            and signed * net_btc <= SLACK_BTC)


cdef const ApprovedBatch* release_cancels(const ActionBatch* batch) noexcept nogil


cdef class RiskGate(RiskStates):
    cdef uint64_t refused[GATE_REASONS]
    cdef Counted counted[MARKETS_MAX]
    cdef AccountState account
    cdef int64_t scaled_day                 # the day account.scale was last free to rise
    cdef int64_t now_ns                     # of the turn
    cdef int64_t frame_ns                   # last frame of the connection
    cdef double net_btc                     # position of all instruments
    cdef double net_worst_btc[2]            # orders of all instruments, per side
    cdef double net_limit_btc
    cdef double gross_btc                   # worst case of each instrument, added up
    cdef double gross_limit_btc             # 0: none
    cdef double leverage_limit_btc          # 0: none
    cdef double margin_btc                  # initial margin of that worst case
    cdef int32_t open_orders                # of all instruments
    cdef RateCap rate                       # of everything that passes
    cdef uint64_t admitted[ACTIONS_MAX]     # what passed this turn, as digests, in order
    cdef int32_t admitted_count

    cdef int32_t assess(self, const Health* health, const SignalState* signal, OrderBook book,
                        const ParamValues* params, int64_t now_ns) noexcept nogil
    cdef void begin(self, const ParamValues* params, double at_price_usd,
                    int64_t now_ns) noexcept nogil
    cdef void set_limits(self, const ParamValues* params, double at_price_usd,
                         int64_t now_ns) noexcept nogil
    cdef void add_up(self, int32_t markets) noexcept nogil
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
    cdef int32_t check_state(self, const Action* action, const Exposure* exposure,
                             double added_btc) noexcept nogil
    cdef int32_t check_price(self, const Action* action, double price, const Instrument* spec,
                             const SignalState* signal,
                             const ParamValues* params) noexcept nogil
    cdef int32_t check_exposure(self, const Action* action, const ParamValues* params,
                                const Exposure* exposure, double added_btc) noexcept nogil
    cdef const ApprovedBatch* release(self, const ActionBatch* batch) noexcept nogil
