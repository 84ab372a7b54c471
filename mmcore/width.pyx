"""See width.pxd. The published formulas are functions of their own, tested and benchmarked as such.

Avellaneda and Stoikov 2008, Quantitative Finance 8(3): equations for r and the spread.
Gueant, Lehalle and Fernandez-Tapia 2013, Math. Financ. Econ. 7: closed form; Gueant 2017
(arXiv 1605.01862), equations 4.6 and 4.7.
"""
from libc.math cimport exp, log, log1p, sqrt

cdef double TINY = 1e-12        # below it a risk aversion counts as the limit 0


cpdef double as_reservation(double mid, double q, double gamma, double sigma,
                            double tau) noexcept nogil:
    """r = s - q gamma sigma^2 tau."""
    return mid - q * gamma * sigma * sigma * tau


cpdef double as_half_spread(double gamma, double sigma, double tau, double k) noexcept nogil:
    """Half of gamma sigma^2 tau + (2 / gamma) ln(1 + gamma / k); 1 / k where gamma is 0."""
    return 0.5 * gamma * sigma * sigma * tau + intensity_half(gamma, k)


cdef double intensity_half(double gamma, double k) noexcept nogil:
    """(1 / gamma) ln(1 + gamma / k), and its limit 1 / k."""
    return log1p(gamma / k) / gamma if gamma > TINY * k else 1.0 / k


cpdef double glft_c1(double xi, double delta, double k) noexcept nogil:
    """ln(1 + xi delta / k) / (xi delta); 1 / k in the limit xi -> 0."""
    return intensity_half(xi * delta, k)


cpdef double glft_c2(double gamma, double a, double delta, double k, double xi) noexcept nogil:
    """sqrt(gamma / (2 A delta k) (1 + xi delta / k)^(k / (xi delta) + 1)); e in the limit."""
    cdef double x = xi * delta / k
    cdef double power = exp(log1p(x) * (1.0 / x + 1.0)) if x > TINY else exp(1.0)
    return sqrt(gamma / (2.0 * a * delta * k) * power)


cdef double glft_gamma(double c2, double a, double delta, double k) noexcept nogil:
    """The gamma, with xi = gamma, that has a given c2: Newton on the logarithm of c2^2.

    2 ln c2 = ln(gamma / (2 A delta k)) + (1 + 1/x) ln(1 + x), x = gamma delta / k; its derivative
    by ln gamma lies between 1 and 2, so a few steps are plenty.
    """
    cdef double wanted = 2.0 * log(c2) + log(2.0 * a * delta * k)
    cdef double u = wanted - 1.0, x, rate
    cdef int32_t left = 6
    while left > 0:
        left -= 1
        x = exp(u) * delta / k
        rate = log1p(x) / x if x > TINY else 1.0
        u -= (u + log1p(x) + rate - wanted) / (2.0 - rate)
    return exp(u)


cdef double gamma_of(const QuoteParams* params, double reference_usd, double limit_btc,
                     double size_btc) noexcept nogil:
    """Stated, or from the shift wanted at the limit at a reference volatility.

    gamma = shift / (limit sigma_ref^2 tau), for glft the one whose shift limit sigma_ref c2 is as
    stated; 0 where that cannot be said.
    """
    cdef double sigma = params.skew_reference_vol_bps * 1e-4 * reference_usd
    cdef double c2
    if params.gamma > 0.0:
        return params.gamma
    if sigma <= 0.0 or limit_btc <= 0.0 or params.horizon_s <= 0.0:
        return 0.0
    if <int32_t>params.model == MODEL_GLFT:
        if params.skew_usd_at_limit <= 0.0 or size_btc <= 0.0:
            return 0.0
        c2 = params.skew_usd_at_limit / (limit_btc * sigma)
        if c2 <= 0.0:           # a shift so small that nothing is left of it
            return 0.0
        return glft_gamma(c2, params.intensity_a, size_btc, params.intensity_k)
    return params.skew_usd_at_limit / (limit_btc * sigma * sigma * params.horizon_s)


cdef double skew_of(const WidthInput* at, const QuoteParams* params) noexcept nogil:
    """-q gamma sigma^2 tau."""
    return as_reservation(0.0, at.net_btc, at.gamma, skew_sigma(at, params), at.tau_s)


cdef double skew_sigma(const WidthInput* at, const QuoteParams* params) noexcept nogil:
    """Volatility the shift counts; where gamma is derived, no lower than its reference.

    Else a quiet market would switch the inventory control off.
    """
    cdef double least = params.skew_reference_vol_bps * 1e-4 * at.reference_usd
    return least if params.gamma <= 0.0 and at.sigma_usd < least else at.sigma_usd


cdef void linear(const WidthInput* at, const QuoteParams* params, Width* out) noexcept nogil:
    """base + k sigma sqrt(tau)."""
    out.base_usd = params.base_half_spread_bps * 1e-4 * at.reference_usd
    out.risk_usd = params.vol_k * at.sigma_usd * sqrt(at.tau_s)
    out.skew_usd = skew_of(at, params)


cdef void avellaneda_stoikov(const WidthInput* at, const QuoteParams* params,
                             Width* out) noexcept nogil:
    """As published, in units of orders: gamma times the order size; tau is the horizon."""
    cdef double gamma = at.gamma * at.size_btc
    out.base_usd = intensity_half(gamma, params.intensity_k)
    out.risk_usd = as_half_spread(gamma, at.sigma_usd, at.tau_s, params.intensity_k) - out.base_usd
    out.skew_usd = skew_of(at, params)


cdef void glft(const WidthInput* at, const QuoteParams* params, Width* out) noexcept nogil:
    """half = c1 + (delta / 2) sigma c2, shift = -q sigma c2, with xi = gamma."""
    cdef double c2 = glft_c2(at.gamma, params.intensity_a, at.size_btc, params.intensity_k,
                             at.gamma)
    out.base_usd = glft_c1(at.gamma, at.size_btc, params.intensity_k)
    out.risk_usd = 0.5 * at.size_btc * at.sigma_usd * c2
    out.skew_usd = -at.net_btc * skew_sigma(at, params) * c2


# The registration: one line per model, in the order of the config's choices.
cdef WidthFunction[<int>MODELS] FUNCTIONS
FUNCTIONS[<int>MODEL_LINEAR] = linear
FUNCTIONS[<int>MODEL_AVELLANEDA_STOIKOV] = avellaneda_stoikov
FUNCTIONS[<int>MODEL_GLFT] = glft
FUNCTIONS[<int>MODEL_OWN] = NULL


def has_own_model():
    """Whether quote.model = "own" names anything."""
    return FUNCTIONS[<int>MODEL_OWN] != NULL


cdef void width_of(const WidthInput* at, const QuoteParams* params, Width* out) noexcept nogil:
    """Run the model the config chose; one that is not there counts as linear."""
    cdef int32_t model = <int32_t>params.model
    if not 0 <= model < <int32_t>MODELS or FUNCTIONS[model] == NULL:
        model = 0
    FUNCTIONS[model](at, params, out)
