"""How much of a Sharpe ratio is skill: after chance, odd tails, and the choice among many trials.

Bailey & Lopez de Prado, "The Sharpe Ratio Efficient Frontier", Journal of Risk 15(2), 2012, and
"The Deflated Sharpe Ratio", Journal of Portfolio Management 40(5), 2014. Ratios are of one period
and not annualised; SR is the mean of returns over their standard deviation, g3 their skewness, g4
their kurtosis (3 for a normal), T their number.

Probability that the true ratio is above a benchmark SR0:

    PSR(SR0) = Z[(SR - SR0) sqrt(T - 1) / sqrt(1 - g3 SR + (g4 - 1)/4 SR^2)]

The best of N trials without skill, whose ratios have variance V, is expected at

    SR0 = sqrt(V) ((1 - e) Z^-1[1 - 1/N] + e Z^-1[1 - 1/(N exp 1)]),    e = 0.5772...

and the deflated Sharpe ratio is PSR at that SR0. N counts every trial; trials that resemble each
other are fewer in truth, so the deflation errs on the careful side.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from msgspec import Struct

NORMAL = NormalDist()
EULER = 0.5772156649015329


class Skill(Struct, frozen=True):
    """What is known of a Sharpe ratio; None where the returns do not tell."""

    sharpe: float | None            # of one period
    periods: int
    skewness: float | None = None
    kurtosis: float | None = None
    above_zero: float | None = None         # probability that the true ratio is above 0
    benchmark: float | None = None          # of the best of that many trials without skill
    deflated: float | None = None           # probability that the true ratio is above that
    trials: int = 1


def sharpe(returns: npt.ArrayLike) -> float | None:
    """Return mean over standard deviation; None for fewer than three returns or none that moves."""
    values = np.asarray(returns, dtype=float)
    if len(values) < 3 or not values.std(ddof=1) > 0.0:
        return None
    return float(values.mean() / values.std(ddof=1))


def probability_above(ratio: float, benchmark: float, periods: int, skewness: float,
                      kurtosis: float) -> float:
    """Return PSR: how probable a true ratio above the benchmark is."""
    spread = 1.0 - skewness * ratio + 0.25 * (kurtosis - 1.0) * ratio * ratio
    if spread <= 0.0:
        return math.nan         # the expansion does not hold for such tails
    return NORMAL.cdf((ratio - benchmark) * math.sqrt(periods - 1) / math.sqrt(spread))


def best_without_skill(variance: float, trials: int) -> float:
    """Return the ratio expected of the best of N trials whose true ratios are all 0."""
    if trials < 2 or variance <= 0.0:
        return 0.0
    return math.sqrt(variance) * (
        (1.0 - EULER) * NORMAL.inv_cdf(1.0 - 1.0 / trials)
        + EULER * NORMAL.inv_cdf(1.0 - 1.0 / (trials * math.e)))


def skill_of(returns: npt.ArrayLike, trials: Sequence[float] = ()) -> Skill:
    """Judge the returns of what was chosen among trials with these ratios (itself among them)."""
    values = np.asarray(returns, dtype=float)
    ratio = sharpe(values)
    if ratio is None:
        return Skill(None, len(values), trials=max(1, len(trials)))
    centred = values - values.mean()
    scale = float(values.std())
    skewness = float((centred**3).mean()) / scale**3
    kurtosis = float((centred**4).mean()) / scale**4
    variance = float(np.var(np.asarray(trials), ddof=1)) if len(trials) > 1 else 0.0
    benchmark = best_without_skill(variance, len(trials))

    def known(at: float) -> float | None:
        found = probability_above(ratio, at, len(values), skewness, kurtosis)
        return None if math.isnan(found) else found

    return Skill(ratio, len(values), skewness, kurtosis, known(0.0), benchmark, known(benchmark),
                 max(1, len(trials)))
