"""Width models: how far from the fair value to quote, and how inventory shifts the pair.

One function and one line each. A model fills a Width from a WidthInput; floors, caps and factors
come after it and are the same for all.
"""
from libc.stdint cimport int32_t

from mmcore.params cimport QuoteParams

cpdef enum WidthModel:
    MODEL_LINEAR = 0
    MODEL_AVELLANEDA_STOIKOV = 1
    MODEL_GLFT = 2
    MODEL_OWN = 3               # of who carries this on
    MODELS = 4

cdef struct WidthInput:
    double reference_usd
    double sigma_usd            # per sqrt(s)
    double tau_s
    double net_btc              # from the target, signed
    double limit_btc
    double size_btc             # one order
    double gamma                # 1/(BTC USD), stated or derived

cdef struct Width:
    double base_usd             # half-spread without risk
    double risk_usd             # what volatility adds
    double skew_usd             # reservation price minus fair value, not capped

ctypedef void (*WidthFunction)(const WidthInput*, const QuoteParams*, Width*) noexcept nogil

cdef double gamma_of(const QuoteParams* params, double reference_usd, double limit_btc,
                     double size_btc) noexcept nogil
cdef void width_of(const WidthInput* at, const QuoteParams* params, Width* out) noexcept nogil

cpdef double as_reservation(double mid, double q, double gamma, double sigma,
                            double tau) noexcept nogil
cpdef double as_half_spread(double gamma, double sigma, double tau, double k) noexcept nogil
cpdef double glft_c1(double xi, double delta, double k) noexcept nogil
cpdef double glft_c2(double gamma, double a, double delta, double k, double xi) noexcept nogil
