"""See alpha.pxd. docs/strategy.md shows how to add a term of one's own."""


cdef double imbalance_bps(const SignalState* signal, const QuoteParams* params) noexcept nogil:
    """Depth imbalance: more bids than asks, up."""
    return signal.imbalance * params.imbalance_shift_bps


cdef double flow_bps(const SignalState* signal, const QuoteParams* params) noexcept nogil:
    """Taker volume: more bought than sold, up."""
    return signal.flow * params.flow_shift_bps


cdef double ofi_bps(const SignalState* signal, const QuoteParams* params) noexcept nogil:
    """Order-flow imbalance of the touch: bids built or asks taken, up."""
    return signal.ofi * params.ofi_shift_bps


# The registration: a name for the why record, and the function.
TERM_NAMES = ("imbalance", "flow", "ofi")
cdef AlphaTerm[ALPHA_TERMS_MAX] TERMS
TERMS[0] = imbalance_bps
TERMS[1] = flow_bps
TERMS[2] = ofi_bps
cdef int32_t TERM_COUNT = <int32_t>len(TERM_NAMES)


cdef void set_alpha(const SignalState* signal, const QuoteParams* params, Why* why) noexcept nogil:
    """Add up the terms, cap their sum, keep each one in the why record."""
    cdef double bps = 1e-4 * why.reference_usd
    cdef double cap = params.max_alpha_bps * bps
    cdef double total = 0.0
    cdef int32_t i
    for i in range(TERM_COUNT):
        why.alpha_term_usd[i] = TERMS[i](signal, params) * bps
        total += why.alpha_term_usd[i]
    if total > cap:
        total = cap
    why.alpha_usd = -cap if total < -cap else total
