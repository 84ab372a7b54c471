"""Estimators of the strategy's parameters, each with a 95 % interval and a reason to refuse it.

They take arrays, not files: times in s, prices in USD.
"""

import math

import msgspec
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Z95 = 1.959963984540054
RESAMPLES = 500
BLOCK_S = 30                # returns drawn together: volatility clusters
FITS_LEAST = 50             # fewer arrivals or returns prove nothing


class Estimate(msgspec.Struct, frozen=True):
    """A figure, its 95 % interval, what it rests on, and why it should not be used, if so."""

    value: float
    low: float
    high: float
    unit: str
    count: int
    evidence: str
    refused: str = ""


class Intensity(msgspec.Struct, frozen=True):
    """Arrivals at a distance d of the mid: A exp(-k d) a second, d in USD."""

    a: Estimate
    k: Estimate
    r_squared: float        # of ln(rate) on distance, weighted by arrivals


def refusal(count: int, what: str) -> str:
    """Say why so little data is not used; empty where there is enough."""
    return f"only {count} {what}, {FITS_LEAST} are needed" if count < FITS_LEAST else ""


def sampled(t_s: Floats, values: Floats, step_s: float = 1.0) -> Floats:
    """Return a step function's value at every step_s from its first time on."""
    clock = np.arange(t_s[0], t_s[-1], step_s)
    return values[np.searchsorted(t_s, clock, side="right") - 1]


def volatility(mid_usd: Floats, step_s: float = 1.0, seed: int = 1) -> Estimate:
    """Estimate sigma in USD per sqrt(s) from mids on a clock: root of the mean squared change.

    The interval is a moving-block bootstrap, since volatility clusters.
    """
    return volatility_of(np.diff(mid_usd), step_s, seed)


def volatility_of(changes_usd: Floats, step_s: float = 1.0, seed: int = 1) -> Estimate:
    """Estimate sigma from changes over step_s each, in their order; see volatility."""
    squares = changes_usd ** 2 / step_s
    if len(squares) < 2:
        return Estimate(math.nan, math.nan, math.nan, "USD/sqrt(s)", len(squares), "",
                        refusal(len(squares), "returns"))
    block = max(1, min(int(BLOCK_S / step_s), len(squares) // 4))
    sums = np.convolve(np.append(squares, squares[:block - 1]), np.ones(block), "valid")
    draws = -(-len(squares) // block)
    places = np.random.default_rng(seed).integers(0, len(sums), (RESAMPLES, draws))
    means = sums[places].sum(1) / (draws * block)
    low, high = np.sqrt(np.percentile(means, (2.5, 97.5)))
    return Estimate(math.sqrt(squares.mean()), float(low), float(high), "USD/sqrt(s)",
                    len(squares), f"{len(squares)} changes of the mid over {step_s:g} s",
                    refusal(len(squares), "returns"))


def effect(predicted: Floats, moved: Floats, unit: str, seed: int = 1) -> Estimate:
    """Estimate how much of a predicted move came: slope of moved on predicted through 0.

    Both are of one clock of a second. 1: all of it; an interval that holds 0: none is shown. The
    interval is a moving-block bootstrap, since predictions persist.
    """
    count = len(moved)
    products, squares = predicted * moved, predicted * predicted
    if count < 2 or not squares.sum() > 0.0:
        return Estimate(math.nan, math.nan, math.nan, unit, count, "",
                        refusal(count, "seconds") or "the prediction never differs from the mid")
    block = max(1, min(BLOCK_S, count // 4))
    places = np.random.default_rng(seed).integers(0, count, (RESAMPLES, -(-count // block)))
    sums = [np.convolve(np.append(part, part[:block - 1]), np.ones(block), "valid")[places].sum(1)
            for part in (products, squares)]
    known = sums[1] > 0.0
    low, high = np.percentile(sums[0][known] / sums[1][known], (2.5, 97.5))
    shown = refusal(count, "seconds") or (
        "" if low > 0.0 else f"its effect [{low:.2f}, {high:.2f}] may be none")
    return Estimate(float(products.sum() / squares.sum()), float(low), float(high), unit, count,
                    f"{count} seconds it was not fitted to", shown)


def reach_usd(mid_usd: Floats, price_usd: Floats, side: Floats) -> Floats:
    """Return how far past the mid each taker order went; side +1 bought. Negative: not at all."""
    return side * (price_usd - mid_usd)


def intensity(reach: Floats, lasted_s: float, near_usd: float, far_usd: float) -> Intensity:
    """Estimate A and k of A exp(-k d) from how far taker orders reached past the mid.

    An order that reached r would have filled every quote at a distance up to r, so the rate of
    fills at d is that of reaches over d. Reaches past near_usd less near_usd are then exponential
    with rate k, cut off at far_usd; k is their maximum likelihood under that cut, A follows from
    their number. Avellaneda & Stoikov (2008) section 2.5; half of the orders hit each side, so
    A is of one side.
    """
    span = far_usd - near_usd
    inside = reach[(reach >= near_usd) & (reach < far_usd)] - near_usd
    beyond = int((reach >= far_usd).sum())
    count = len(inside)
    nothing = Estimate(math.nan, math.nan, math.nan, "1/USD", count, "",
                       refusal(count, "arrivals in range") or "no spread of distances")
    total = float(inside.sum()) + beyond * span     # those beyond are known to have got so far
    if count < 2 or total <= 0.0:
        return Intensity(msgspec.structs.replace(nothing, unit="1/s"), nothing, math.nan)
    k = count / total
    error = k / math.sqrt(count)
    reached = count + beyond
    rate = reached / (2.0 * lasted_s)
    a = rate * math.exp(k * near_usd)
    # relative errors of the count and of exp(k near), independent
    spread = math.sqrt(1.0 / reached + (near_usd * error) ** 2)
    fit = log_fit(reach, near_usd, far_usd)
    refused = refusal(count, "arrivals in range")
    if not refused and fit < 0.8:
        refused = f"R2 {fit:.2f}: not exponential between {near_usd:g} and {far_usd:g} USD"
    evidence = (f"{reached} taker orders reached {near_usd:g} USD past the mid in "
                f"{lasted_s:,.0f} s, R2 {fit:.3f}")
    return Intensity(
        Estimate(a, a * math.exp(-Z95 * spread), a * math.exp(Z95 * spread), "1/s", reached,
                 evidence, refused),
        Estimate(k, k - Z95 * error, k + Z95 * error, "1/USD", count, evidence, refused), fit)


def log_fit(reach: Floats, near_usd: float, far_usd: float, points: int = 12) -> float:
    """Return R2 of the straight line through ln(number of reaches past d), weighted by them."""
    distances = np.linspace(near_usd, far_usd, points)
    counts = (reach[:, None] >= distances).sum(0)
    kept = counts > 0
    if kept.sum() < 3:
        return math.nan
    x, y, w = distances[kept], np.log(counts[kept]), counts[kept].astype(float)
    slope, level = np.polyfit(x, y, 1, w=np.sqrt(w))
    mean = np.average(y, weights=w)
    rest = float((w * (y - slope * x - level) ** 2).sum())
    whole = float((w * (y - mean) ** 2).sum())
    return 1.0 - rest / whole if whole > 0.0 else math.nan


def large_move_bps(mid_usd: Floats, window: int, quantile: float) -> Estimate:
    """Estimate the move within `window` samples that only 1 - quantile of windows exceed."""
    moves = np.abs(mid_usd[window:] / mid_usd[:-window] - 1.0) * 1e4
    if len(moves) < 2:
        return Estimate(math.nan, math.nan, math.nan, "bps", len(moves), "",
                        refusal(len(moves), "windows"))
    # order statistics: the rank of the quantile is binomial; windows overlap, so fewer count
    independent = max(2, len(moves) // window)
    error = math.sqrt(quantile * (1.0 - quantile) / independent)
    value, low, high = np.quantile(moves, (quantile, max(0.0, quantile - Z95 * error),
                                           min(1.0, quantile + Z95 * error)))
    return Estimate(float(value), float(low), float(high), "bps", independent,
                    f"{quantile:.1%} of {len(moves)} windows moved less",
                    refusal(independent, "windows"))


def gamma_of_shift(shift_usd: float, limit_btc: float, sigma: float, horizon_s: float) -> float:
    """Return the risk aversion whose q gamma sigma2 tau at the limit is shift_usd."""
    return shift_usd / (limit_btc * sigma * sigma * horizon_s)


def gamma_of_half_life(half_life_s: float, sigma: float, horizon_s: float, fit: Intensity,
                       half_spread_usd: float, size_btc: float) -> float:
    """Return the risk aversion under which inventory decays with a half-life.

    A shift s = q gamma sigma2 tau moves the fill rates of the two sides, A exp(-k (h -+ s)), apart
    by 2 A exp(-k h) sinh(k s); for small shifts the inventory falls by
    2 A exp(-k h) k gamma sigma2 tau size a second and share of itself.
    """
    rate = 2.0 * fit.a.value * math.exp(-fit.k.value * half_spread_usd) * fit.k.value
    return math.log(2.0) / (half_life_s * rate * sigma * sigma * horizon_s * size_btc)


def hold_s(horizons_s: Floats, means_bps: Floats, errors_bps: Floats) -> float:
    """Return the first horizon after which the mean markout does not move beyond its error.

    The last horizon where it never settles; nan where there is no markout.
    """
    kept = np.isfinite(means_bps)
    if not kept.any():
        return math.nan
    horizons, means, errors = horizons_s[kept], means_bps[kept], errors_bps[kept]
    for i in range(len(means)):
        if (np.abs(means[i:] - means[i]) <= Z95 * np.hypot(errors[i:], errors[i])).all():
            return float(horizons[i])
    return float(horizons[-1])
