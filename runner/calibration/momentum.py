"""The momentum threshold from markouts: after which move makers at the touch were worse off.

Every taker order of a tape filled somebody who rested. How that maker fared in the next seconds,
against how far the mid had run towards the quote before, is a step where momentum hurts: the
threshold is the split that leaves the least variance within the two groups (a regression stump,
Breiman et al. 1984, section 8.4). Whether the groups differ at all is asked of every other block
of time, with the split that the blocks between them chose: the best of many splits always looks
like something where it was found.
"""

import math

import numpy as np

from runner.calibration.estimates import FITS_LEAST, Estimate, Floats
from runner.calibration.tape import Tape

MARKOUT_S = 5.0
CANDIDATES = 40             # quantiles of the moves
RESAMPLES = 200
BLOCK_S = 10.0              # of fills drawn together: moves come in runs


def makers_of(tape: Tape, window_s: float) -> tuple[Floats, Floats, Floats]:
    """Return, for every taker order whose next seconds are known: s, the mid's move towards the
    quote in the window before it, and the markout of the maker it hit; both in bps.
    """
    known = ((tape.taker_s >= tape.touch_s[0] + window_s)
             & (tape.taker_s + MARKOUT_S <= tape.touch_s[-1]))
    when, side = tape.taker_s[known], tape.taker_side[known]
    price, before = tape.taker_usd[known], tape.taker_mid_usd[known]
    mid = tape.mid_usd

    def at(times: Floats) -> Floats:
        found: Floats = mid[np.searchsorted(tape.touch_s, times, side="right") - 1]
        return found

    moved = side * (before / at(when - window_s) - 1.0) * 1e4
    markout = side * (price - at(when + MARKOUT_S)) / price * 1e4
    return when, moved, markout


def threshold(when: Floats, moved: Floats, markout: Floats, seed: int = 1) -> Estimate:
    """Estimate the move from which on markouts are worse, in bps; refused where none is shown."""
    count = len(when)
    candidates = (np.unique(np.quantile(moved[moved > 0.0], np.linspace(0.0, 0.995, CANDIDATES)))
                  if (moved > 0.0).any() else np.zeros(0))
    candidates = np.array([c for c in candidates if FITS_LEAST <= (moved >= c).sum()
                           <= count - FITS_LEAST])
    if not len(candidates) or when[-1] - when[0] < 4.0 * BLOCK_S:
        return Estimate(math.nan, math.nan, math.nan, "bps", count, "",
                        f"fewer than {FITS_LEAST} fills after a move towards the quote")
    beyond = moved[:, None] >= candidates
    blocks = ((when - when[0]) / BLOCK_S).astype(np.int64)
    starts = np.flatnonzero(np.diff(blocks, prepend=-1))
    sums = np.stack([np.add.reduceat(values, starts, axis=0) for values in (
        beyond.astype(float), beyond * markout[:, None], np.ones_like(beyond, dtype=float),
        np.broadcast_to(markout[:, None], beyond.shape))])
    chosen, above = split(sums.sum(1))
    unseen, asked = sums[:, 1::2], split(sums[:, ::2].sum(1))[0]
    rng = np.random.default_rng(seed)
    drawn, differences = [], []
    for _ in range(RESAMPLES):
        drawn.append(split(sums[:, rng.integers(0, len(starts), len(starts))].sum(1))[0])
        part = rng.integers(0, unseen.shape[1], unseen.shape[1])
        differences.append(difference(unseen[:, part].sum(1))[asked])
    # a split at one candidate cannot be told from one anywhere between its neighbours
    low, high = (candidates[np.clip(round(place) + step, 0, len(candidates) - 1)]
                 for place, step in zip(np.percentile(drawn, (2.5, 97.5)), (-1, 1), strict=True))
    worse = float(difference(unseen.sum(1))[asked])
    less, more = np.nanpercentile(differences, (2.5, 97.5))
    refused = "" if more < 0.0 else (
        f"makers hit after such a move fared [{less:+.2f}, {more:+.2f}] bps otherwise: perhaps "
        "not at all")
    evidence = (f"{count} fills of others, {above:.0f} after such a move: those the threshold was "
                f"not chosen on fared {worse:+.2f} [{less:+.2f}, {more:+.2f}] bps otherwise after "
                f"{MARKOUT_S:g} s")
    return Estimate(float(candidates[chosen]), float(low), float(high), "bps", count, evidence,
                    refused)


def difference(sums: Floats) -> Floats:
    """Return mean markout beyond each candidate less the mean of the others."""
    above, total_above, count, total = sums
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = total_above / above - (total - total_above) / (count - above)
    return found


def split(sums: Floats) -> tuple[int, float]:
    """Return the candidate that explains most, and how many are beyond it."""
    above, _, count, _ = sums
    apart = difference(sums)
    explained = np.where(apart < 0.0, above * (count - above) / count * apart * apart, -1.0)
    place = int(np.nanargmax(np.nan_to_num(explained, nan=-1.0)))
    return place, float(above[place])
