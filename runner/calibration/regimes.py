"""Volatility in each regime, as the engine itself tells the regimes of a recording apart."""

import msgspec
import numpy as np
import numpy.typing as npt

from connectors.replay.recording import Recording
from runner.calibration.estimates import Estimate, Floats, volatility_of
from runner.config import Config
from runner.evaluation.judge import play
from runner.picture import REGIMES


def regime_sigmas(recording: Recording, name: str, config: Config) -> dict[str, Estimate]:
    """Play the engine over a recording; return sigma in each regime it found, USD per sqrt(s)."""
    instrument = msgspec.structs.replace(config.instrument[0], name=name)
    sampled = msgspec.structs.replace(config.backtest, sample_s=1.0)
    markets, _, _ = play(recording, msgspec.structs.replace(
        config, instrument=(instrument,), backtest=sampled))
    return by_regime(markets[0].t_s, markets[0].mid_usd, markets[0].regime)


def by_regime(t_s: Floats, mid_usd: Floats, regime: npt.NDArray[np.int64]) -> dict[str, Estimate]:
    """Estimate sigma from the mid's changes within each regime; those across a change are none's.
    """
    inside = (regime[1:] == regime[:-1]) & np.isfinite(mid_usd[1:]) & np.isfinite(mid_usd[:-1])
    changes, step_s = np.diff(mid_usd), float(np.median(np.diff(t_s)))
    return {REGIMES[int(kind)]: volatility_of(changes[inside & (regime[1:] == kind)], step_s)
            for kind in np.unique(regime)}
