"""See alpha.pxd. docs/strategy.md shows how to add a term of one's own."""
from mmcore.types cimport ALPHA_TERMS_MAX, SIDE_ASK, SIDE_BID

cdef enum:
    TERMS_OF_CORE = 3           # weighed by keys of their own; the next by quote.own_N_shift_bps


cdef double imbalance(const SignalState* signal, TermMemory* memory,
                      int64_t now_ns) noexcept nogil:
    """Depth imbalance: more bids than asks, up."""
    return signal.imbalance


cdef double flow(const SignalState* signal, TermMemory* memory, int64_t now_ns) noexcept nogil:
    """Taker volume: more bought than sold, up."""
    return signal.flow


cdef double ofi(const SignalState* signal, TermMemory* memory, int64_t now_ns) noexcept nogil:
    """Order-flow imbalance of the touch: bids built or asks taken, up."""
    return signal.ofi


TERM_NAMES = []                 # of what is registered, in the order of the why record
cdef AlphaTerm[ALPHA_TERMS_MAX] TERMS
cdef int32_t TERM_COUNT = 0


cdef int register_term(str name, AlphaTerm term) except -1:
    """Add a term; ImportError where there is no place left."""
    global TERM_COUNT
    if TERM_COUNT == ALPHA_TERMS_MAX or name in TERM_NAMES:
        raise ImportError(f"term {name!r}: {ALPHA_TERMS_MAX} terms of different names at most, "
                          f"there are {', '.join(TERM_NAMES)}")
    TERMS[TERM_COUNT] = term
    TERM_COUNT += 1
    TERM_NAMES.append(name)
    return 0


def own_terms():
    """Names of the terms that quote.own_1_shift_bps and the next ones weigh."""
    return TERM_NAMES[TERMS_OF_CORE:]


# The registration: a name for the why record, and the function.
register_term("imbalance", imbalance)
register_term("flow", flow)
register_term("ofi", ofi)


cdef void update_terms(SignalState* signal, TermMemory* memory, const QuoteParams* params,
                       int64_t now_ns) noexcept nogil:
    """Ask every term that has a weight; the others cost nothing."""
    cdef int32_t i
    for i in range(TERM_COUNT):
        if params.shift_bps[i] != 0.0:
            signal.terms[i] = TERMS[i](signal, &memory[i], now_ns)


cdef bint timed_terms(const QuoteParams* params) noexcept nogil:
    """Whether a term with a weight may change by time alone: any but the depth."""
    cdef int32_t i
    for i in range(1, ALPHA_TERMS_MAX):
        if params.shift_bps[i] != 0.0:
            return True
    return False


cdef void set_alpha(const SignalState* signal, const QuoteParams* params, Why* why) noexcept nogil:
    """Weigh the terms, cap their sum, keep each one in the why record."""
    cdef double bps = 1e-4 * why.reference_usd
    cdef double cap = params.max_alpha_bps * bps
    cdef double total = 0.0
    cdef int32_t i
    for i in range(TERM_COUNT):
        why.alpha_term_usd[i] = 0.0
        if params.shift_bps[i] != 0.0:
            why.alpha_term_usd[i] = signal.terms[i] * params.shift_bps[i] * bps
            total += why.alpha_term_usd[i]
    if total > cap:
        total = cap
    why.alpha_usd = -cap if total < -cap else total


cdef void set_sides(const SignalState* signal, const QuoteParams* params, double run_trades,
                    Why* why) noexcept nogil:
    """Step back on the side that depth, tape or a run of takers speak against; that side alone.

    They point up: who sells now sells too cheap, so it is the ask that steps back.
    """
    cdef double up = 0.0, down = 0.0
    cdef double depth = signal.imbalance * params.imbalance_widen_bps
    cdef double tape = signal.flow * params.flow_widen_bps
    up += depth if depth > 0.0 else 0.0
    down -= depth if depth < 0.0 else 0.0
    up += tape if tape > 0.0 else 0.0
    down -= tape if tape < 0.0 else 0.0
    if run_trades > 0.0:
        if <double>signal.run >= run_trades:
            up += params.run_widen_bps
        elif -<double>signal.run >= run_trades:
            down += params.run_widen_bps
    why.signal_usd[SIDE_ASK] = up * 1e-4 * why.reference_usd
    why.signal_usd[SIDE_BID] = down * 1e-4 * why.reference_usd
