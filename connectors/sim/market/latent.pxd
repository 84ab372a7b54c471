"""The price nobody sees: what the synthetic participants quote around and trade on.

A large-tick market's mid stands still and then jumps. So the latent price is a slow diffusion plus
jumps of heavy-tailed size; jumps come in clusters (an activity that drifts, and heat after each
jump), and a part of every jump reverts. Seconds are since the start of the market.
"""
from libc.stdint cimport int32_t, uint64_t

from connectors.sim.rng cimport Rng

cdef struct Regime:
    double jump_rate            # per second, at mean activity
    double jump_median_usd
    double jump_sigma           # of the logarithm of the size
    double up_share             # of jumps; 0.5 has no trend
    double turn_s               # mean time until the trend changes its sign
    double reverting            # share of a jump that decays
    double informed             # share of jumps that takers know of before
    double diffusion_usd        # per sqrt(s)
    double book_rate            # maker actions a second, burst after a jump apart
    double burst_rate           # taker bursts a second
    double depth                # factor on amounts
    double crash_every_s        # between flash crashes, the first a minute in; 0: none
    double premium              # of the perpetual over its index, in the end
    bint expiring               # the front contract expires at the next 08:00 UTC

cdef struct Latent:
    Rng rng
    Regime regime
    double now_s
    double permanent_usd
    double transient_usd        # decays
    double log_activity
    double heat                 # decays; raises the jump rate
    double jump_s               # when the next jump comes
    double jump_usd             # what it will be
    double lead_s               # from then on some know it
    bint jump_informed
    int32_t trend               # +1 or -1
    double turn_s

cdef bint regime_named(str name, Regime* out) except -1
cdef double draw_normal(Rng* rng) noexcept nogil
cdef double draw_exponential(Rng* rng, double mean) noexcept nogil
cdef double draw_lognormal(Rng* rng, double median, double sigma) noexcept nogil
cdef void latent_start(Latent* latent, const Regime* regime, uint64_t seed,
                       double price_usd) noexcept nogil
cdef void latent_advance(Latent* latent, double now_s) noexcept nogil
cdef void latent_jump(Latent* latent) noexcept nogil
cdef inline double latent_usd(const Latent* latent) noexcept nogil:
    return latent.permanent_usd + latent.transient_usd
