"""Alpha: short-lived signals that shift the fair value. One function and one line each."""
from libc.stdint cimport int32_t

from mmcore.params cimport QuoteParams
from mmcore.signals cimport SignalState
from mmcore.types cimport ALPHA_TERMS_MAX, Why

# A term's shift in bps of the price, up > 0.
ctypedef double (*AlphaTerm)(const SignalState*, const QuoteParams*) noexcept nogil

cdef void set_alpha(const SignalState* signal, const QuoteParams* params, Why* why) noexcept nogil
