"""The latent price of the synthetic market; see latent.pxd."""
from libc.math cimport cos, exp, fmod, log, sqrt

from connectors.sim.rng cimport rng_seed, rng_unit

cdef double TWO_PI = 6.283185307179586
cdef double TRANSIENT_S = 4.0       # decay of the reverting part
cdef double HEAT_S = 6.0            # decay of the clustering after a jump
cdef double HEAT_JUMP = 3.0
cdef double HEAT_MAX = 9.0
cdef double ACTIVITY_S = 300.0      # memory of the activity
cdef double ACTIVITY_SD = 0.5
cdef double LEAD_MEAN_S = 1.5
cdef double JUMP_MAX_SHARE = 0.004  # of the price: no jump leaves the price band behind

cdef double CRASH_FIRST_S = 60.0
cdef double CRASH_FALL_S = 12.0     # about 4 % down
cdef double CRASH_END_S = 45.0      # half of it back
cdef double CRASH_FALL_SHARE = 0.0030
cdef double CRASH_BACK_SHARE = 0.0018
cdef double CRASH_FALL_WAIT_S = 0.9
cdef double CRASH_BACK_WAIT_S = 3.0

# jump rate, median, sigma, up, turn, reverting, informed, diffusion, book, burst, depth,
# crash every, premium, expiring
REGIMES = {
    "calm": (0.013, 3.2, 0.80, 0.5, 600.0, 0.15, 0.6, 0.03, 45.0, 1.4, 1.3, 0.0, 0.0,
             False),
    "normal": (0.022, 4.6, 1.00, 0.5, 600.0, 0.13, 0.6, 0.05, 66.0, 2.8, 1.0, 0.0, 0.0,
               False),
    "volatile": (0.150, 6.0, 1.00, 0.5, 300.0, 0.10, 0.7, 0.20, 120.0, 6.0, 0.6, 0.0, 0.0,
                 False),
    "trending": (0.060, 4.4, 0.90, 0.8, 900.0, 0.05, 0.7, 0.10, 85.0, 4.0, 0.9, 0.0, 0.0,
                 False),
    "flash_crash": (0.040, 4.6, 1.00, 0.5, 600.0, 0.05, 0.6, 0.08, 85.0, 4.0, 0.6, 1800.0, 0.0,
                    False),
    "funding_spike": (0.040, 4.4, 0.90, 0.7, 900.0, 0.10, 0.6, 0.08, 80.0, 4.0, 0.9, 0.0, 0.0025,
                      False),
    "expiry_day": (0.035, 4.6, 1.00, 0.5, 600.0, 0.13, 0.6, 0.06, 80.0, 4.0, 0.9, 0.0, 0.0, True),
}


cdef bint regime_named(str name, Regime* out) except -1:
    """Fill a regime by its name; ValueError with the names there are."""
    if name not in REGIMES:
        raise ValueError(f"regime {name!r} is not known; choose one of {', '.join(REGIMES)}")
    (out.jump_rate, out.jump_median_usd, out.jump_sigma, out.up_share, out.turn_s,
     out.reverting, out.informed, out.diffusion_usd, out.book_rate, out.burst_rate,
     out.depth, out.crash_every_s, out.premium, out.expiring) = REGIMES[name]
    return True


cdef double draw_normal(Rng* rng) noexcept nogil:
    cdef double radius = sqrt(-2.0 * log(1.0 - rng_unit(rng)))
    return radius * cos(TWO_PI * rng_unit(rng))


cdef double draw_exponential(Rng* rng, double mean) noexcept nogil:
    return -mean * log(1.0 - rng_unit(rng))


cdef double draw_lognormal(Rng* rng, double median, double sigma) noexcept nogil:
    return median * exp(sigma * draw_normal(rng))


cdef bint plan_crash(Latent* latent) noexcept nogil:
    """Plan the next jump of a flash crash under way or about to begin; False at other times."""
    cdef double phase = latent.now_s - CRASH_FIRST_S
    cdef bint falls
    if latent.regime.crash_every_s <= 0.0:
        return False
    if phase >= 0.0:
        phase = fmod(phase, latent.regime.crash_every_s)
    if phase < 0.0:
        if latent.jump_s < CRASH_FIRST_S:
            return False        # an ordinary jump comes first
        latent.jump_s = CRASH_FIRST_S
    elif phase >= CRASH_END_S:
        phase = latent.regime.crash_every_s - phase
        if latent.jump_s < latent.now_s + phase:
            return False
        latent.jump_s = latent.now_s + phase
    else:
        latent.jump_s = latent.now_s + draw_exponential(
            &latent.rng, CRASH_FALL_WAIT_S if phase < CRASH_FALL_S else CRASH_BACK_WAIT_S)
    falls = phase < CRASH_FALL_S or phase >= CRASH_END_S
    latent.jump_usd = latent.permanent_usd * (-CRASH_FALL_SHARE if falls else CRASH_BACK_SHARE)
    latent.jump_informed = True
    latent.lead_s = latent.jump_s - draw_exponential(&latent.rng, LEAD_MEAN_S)
    return True


cdef void plan_jump(Latent* latent) noexcept nogil:
    """Draw when the next jump comes, how large it is and since when some know it."""
    cdef const Regime* regime = &latent.regime
    cdef Rng* rng = &latent.rng
    cdef double rate = regime.jump_rate * exp(latent.log_activity)
    cdef double after = latent.heat * rate * HEAT_S     # jumps expected while the heat decays
    cdef double wait_s = draw_exponential(rng, 1.0 / rate)
    cdef double lot = draw_exponential(rng, 1.0)
    cdef double size = draw_lognormal(rng, regime.jump_median_usd, regime.jump_sigma)
    cdef double most = JUMP_MAX_SHARE * latent.permanent_usd
    cdef double up = regime.up_share if latent.trend > 0 else 1.0 - regime.up_share
    if size > most:
        size = most
    latent.jump_usd = size if rng_unit(rng) < up else -size
    if lot < after and -HEAT_S * log(1.0 - lot / after) < wait_s:
        wait_s = -HEAT_S * log(1.0 - lot / after)
    latent.jump_s = latent.now_s + wait_s
    latent.jump_informed = rng_unit(rng) < regime.informed
    latent.lead_s = latent.jump_s - draw_exponential(rng, LEAD_MEAN_S)
    plan_crash(latent)


cdef void latent_start(Latent* latent, const Regime* regime, uint64_t seed,
                       double price_usd) noexcept nogil:
    rng_seed(&latent.rng, seed)
    latent.regime = regime[0]
    latent.now_s = 0.0
    latent.permanent_usd = price_usd
    latent.transient_usd = 0.0
    latent.log_activity = ACTIVITY_SD * draw_normal(&latent.rng)
    latent.heat = 0.0
    latent.trend = 1 if rng_unit(&latent.rng) < 0.5 else -1
    latent.turn_s = draw_exponential(&latent.rng, regime.turn_s)
    plan_jump(latent)


cdef void latent_advance(Latent* latent, double now_s) noexcept nogil:
    """Let time pass; jumps are taken by latent_jump when jump_s has come."""
    cdef double step_s = now_s - latent.now_s
    cdef double keep
    if step_s <= 0.0:
        return
    latent.now_s = now_s
    latent.transient_usd *= exp(-step_s / TRANSIENT_S)
    latent.heat *= exp(-step_s / HEAT_S)
    keep = exp(-step_s / ACTIVITY_S)
    latent.log_activity = (keep * latent.log_activity
                           + ACTIVITY_SD * sqrt(1.0 - keep * keep) * draw_normal(&latent.rng))
    latent.permanent_usd += (latent.regime.diffusion_usd * sqrt(step_s)
                             * draw_normal(&latent.rng))
    if now_s >= latent.turn_s:
        latent.trend = -latent.trend
        latent.turn_s = now_s + draw_exponential(&latent.rng, latent.regime.turn_s)


cdef void latent_jump(Latent* latent) noexcept nogil:
    """Jump now and plan the next one."""
    latent.permanent_usd += (1.0 - latent.regime.reverting) * latent.jump_usd
    latent.transient_usd += latent.regime.reverting * latent.jump_usd
    latent.heat += HEAT_JUMP
    if latent.heat > HEAT_MAX:
        latent.heat = HEAT_MAX
    plan_jump(latent)
