"""Regimes found on synthetic markets against those they were seeded with, and hysteresis."""

from collections.abc import Callable

import numpy as np
import pytest
from regime_agreement import FITTED, RIGHT, Found, crash_seen_s, judged, market, regimes_of

from connectors.replay.recording import Recording

SEEDS = (3, 4)          # not those the thresholds were fitted to
SECONDS = 900.0


@pytest.fixture(scope="module")
def markets() -> dict[str, list[Recording]]:
    return {name: [market(name, seed, SECONDS) for seed in SEEDS] for name in RIGHT}


def found_with(markets: dict[str, list[Recording]], *sets: str) -> dict[str, Found]:
    return {name: judged(name, [regimes_of(m, sets) for m in parts])
            for name, parts in markets.items()}


def test_regimes_agree_with_the_seeded_truth(markets: dict[str, list[Recording]],
                                             figure: Callable[[str], None]) -> None:
    found = found_with(markets, *FITTED)
    right = float(np.mean([f.right for f in found.values()]))
    figure(f"agreement {right:.0%}: " + ", ".join(
        f"{name} {f.right:.0%}" for name, f in found.items()))
    assert right >= 0.6                                 # one of four by chance
    # each regime is told most often where it is the truth
    for name, kinds in RIGHT.items():
        told = {truth: sum(row.shares.get(kind, 0.0) for kind in kinds)
                for truth, row in found.items()}
        assert max(told, key=lambda truth: told[truth]) == name, (name, told)


def test_as_shipped_a_volatile_market_is_never_taken_for_a_calm_one(
        markets: dict[str, list[Recording]]) -> None:
    """The thresholds are those of BTC; these markets are quieter, and the grave cases hold."""
    found = {name: judged(name, [regimes_of(m, ()) for m in markets[name]])
             for name in ("calm", "volatile")}
    assert found["volatile"].right > 0.9
    assert found["calm"].right > 0.9
    assert "calm" not in found["volatile"].shares


def test_a_flash_crash_is_told_while_it_falls() -> None:
    assert all(0.0 <= seen <= 12.0 for seen in crash_seen_s((), SEEDS))


def test_hysteresis_keeps_a_regime_from_flickering(markets: dict[str, list[Recording]],
                                                   figure: Callable[[str], None]) -> None:
    changes = {width: sum(f.changes_an_hour for f in found_with(
        markets, *FITTED, f"signals.regime_hysteresis={width}").values()) / len(RIGHT)
        for width in (0.0, 0.2, 0.4)}
    figure("changes of regime an hour by hysteresis: " + ", ".join(
        f"{width}: {count:.0f}" for width, count in changes.items()))
    assert changes[0.0] > changes[0.2] > changes[0.4] > 0.0
