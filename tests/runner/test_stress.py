"""What the start says a large move would cost; figures by hand."""

import pytest

from runner.config import load
from runner.stress import stress_lines, stresses


def test_the_inverse_contract_costs_a_long_more() -> None:
    # 0.3 BTC at 75,000 are 22,500 USD: 22,500 / 71,250 - 0.3 = 0.015789; 0.3 - 22,500 / 78,750
    five, ten, twenty = stresses(0.3)
    assert (five.long_btc, five.short_btc) == pytest.approx((-0.0157895, -0.0142857), abs=1e-7)
    assert (ten.long_btc, ten.short_btc) == pytest.approx((-0.0333333, -0.0272727), abs=1e-7)
    assert (twenty.long_btc, twenty.short_btc) == pytest.approx((-0.075, -0.05), abs=1e-12)


def test_each_line_names_the_rules_it_reaches() -> None:
    config = load(None, ["inventory.limit_btc=0.3"])
    five, ten, twenty = stress_lines(config, 0.06)
    assert five.startswith("stress 5%: a long of 0.3 BTC loses 0.0158, a short 0.0143 BTC")
    assert five.endswith("reaches risk.stop_loss_btc")
    assert "day_kill" not in ten
    assert twenty.endswith("risk.stop_loss_btc and risk.day_kill_btc and the whole equity")
    assert stress_lines(load(None, ["inventory.limit_btc=0.05"]), 0.9)[0].endswith("no rule")
