"""The market's worst moments on the exchange: what is lost, in what state it ends, who is closed.

The figures are printed; the whole table, rule by rule, is `python benchmarks/risk_scenarios.py`.
"""

import pytest
from risk_scenarios import (
    CASES,
    FULL_USD,
    HEADER,
    Case,
    gap,
    play,
    play_settlement,
    play_trend,
    unhedged_btc,
)

HALF_PCT_BTC = 0.0015           # slippage and fees of closing 0.3 BTC: 50 bps
INSIDE_CONTRACTS = 2250


@pytest.mark.parametrize(("share", "position", "lost"), [
    (-0.05, FULL_USD, -0.0158), (-0.20, FULL_USD, -0.0750), (0.20, -FULL_USD, -0.0500),
    (0.05, -FULL_USD, -0.0143)])
def test_what_a_gap_costs_without_any_reaction(share: float, position: float,
                                               lost: float) -> None:
    """The figures by hand, and the same ones from the exchange with every rule off."""
    assert unhedged_btc(position, share) == pytest.approx(lost, abs=5e-5)
    found = play(Case(f"gap {share:+.0%}", gap(share), position, share, 20.0), "none")
    assert found.end_btc == pytest.approx(lost, abs=1e-4)
    assert abs(found.held) == INSIDE_CONTRACTS      # nobody touched it
    assert found.liquidations == 0


@pytest.mark.parametrize(("share", "position", "rules", "state"), [
    (-0.05, FULL_USD, "stop", "reducing"), (-0.20, FULL_USD, "stop", "reducing"),
    (-0.20, FULL_USD, "kill", "killed"), (0.20, -FULL_USD, "kill", "killed"),
    (0.20, -FULL_USD, "stop", "reducing"), (-0.05, FULL_USD, "young", "reducing")])
def test_one_rule_alone_closes_it(share: float, position: float, rules: str,
                                  state: str) -> None:
    found = play(Case(f"gap {share:+.0%}", gap(share), position, share, 30.0), rules)
    assert state in found.states
    assert found.held == 0
    assert found.worst_btc >= unhedged_btc(position, share) - HALF_PCT_BTC
    assert found.liquidations == 0


def test_a_cut_takes_clips_of_what_runs_on() -> None:
    """After a gap of 5 % the price runs on: moves in a row, and a clip every so many of them."""
    case = next(c for c in CASES if c.name == "gap -5 %, then on, long")
    cut, nothing = play(case, "cut"), play(case, "none")
    assert 0 < cut.held < nothing.held
    assert cut.end_btc > nothing.end_btc + 0.001


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_all_rules_end_flat_or_inside_and_never_liquidated(case: Case) -> None:
    found = play(case, "all")
    print(f"\n{HEADER}\n{found.row(case.name, 'all', unhedged_btc(case.position_usd, case.share))}")
    assert found.liquidations == 0
    assert abs(found.held) <= INSIDE_CONTRACTS
    if abs(found.held) == INSIDE_CONTRACTS:         # 5 % against a short is inside every rule
        assert case.share == 0.05
        assert found.end_btc > -0.015
    worst = unhedged_btc(case.position_usd, case.share)
    assert found.worst_btc >= worst - HALF_PCT_BTC


@pytest.mark.parametrize("share", [-0.04, 0.04])
def test_an_hour_of_one_sided_trend_stays_inside_its_limits(share: float) -> None:
    """4 % in an hour, a taker on the losing side every five seconds."""
    case, found = play_trend(share, 3600.0)
    print(f"\n{HEADER}\n{found.row(case.name, 'all', 0.0)}  most {found.most_btc:.4f} BTC")
    assert found.liquidations == 0
    assert 0.02 < found.most_btc <= 0.3 * 1.001
    # what a full position would lose over half the way, and the day's kill
    assert found.worst_btc > -0.02


@pytest.mark.parametrize("skew_ms", [-2000, 0, 2000])
def test_the_settlement_minute_with_a_skewed_clock(skew_ms: int) -> None:
    """The maker's idea of the venue's time is off by two seconds either way.

    No order rests while the contract is not open; a full position goes through it unharmed.
    """
    played = play_settlement(skew_ms)
    found, seen = played.figures, played.resting
    print(f"\nskew {skew_ms:+d} ms: most orders by second {seen}")
    print(f"{HEADER}\n{found.row('settlement', 'all', 0.0)}")
    assert {n for second, n in seen.items() if -12 <= second < 8} == {0}
    assert max(n for second, n in seen.items() if second < -19) > 0
    assert max(n for second, n in seen.items() if second > 20) > 0
    assert found.liquidations == 0
    assert abs(found.held) <= INSIDE_CONTRACTS
    assert "paused" not in found.states
    assert played.mismatches == 0
