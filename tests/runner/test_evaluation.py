"""Cutting a recording, judging a run on it, and the naive grid beside it."""

import math
from pathlib import Path

import numpy as np
import pytest

from connectors.replay.cut import cut, played, span_s
from connectors.replay.event import EventFlag, EventKind
from connectors.replay.reader import open_recording
from connectors.replay.recording import Integrity, Recording, RecordingError
from connectors.sim.market.facts import synthetic_events
from runner.config import Config, load
from runner.evaluation.grid import run_grid
from runner.evaluation.judge import gross_curve, judge, verdict

pytestmark = pytest.mark.quick
SETS = ("backtest.sample_s=0.1", "backtest.queue=power", "signals.warmup_s=2",
        "venue.maker_fee_bps=1.5")


@pytest.fixture(scope="module")
def whole() -> Recording:
    """A lively synthetic market of 90 s: its perpetual and the index."""
    events, spec = synthetic_events(3, "volatile", 90.0)
    return Recording(events[events["instrument"] <= 0], [spec], Integrity(), "tape", ())


@pytest.fixture(scope="module")
def config() -> Config:
    return load(None, SETS, connects=False)


def book_after(recording: Recording, rows: int) -> dict[tuple[int, int], int]:
    """Return the book, (side, price) to amount, after the first messages in playing order."""
    events = recording.events
    book: dict[tuple[int, int], int] = {}
    for row in played(recording)[0][:rows].tolist():
        if events["kind"][row] != EventKind.EVENT_LEVEL:
            continue
        if events["flags"][row] & EventFlag.FLAG_SNAPSHOT:
            book.clear()
        while True:
            book[int(events["side"][row]), int(events["price_ticks"][row])] = int(
                events["amount_contracts"][row])
            if events["flags"][row] & EventFlag.FLAG_LAST:
                break
            row += 1
    return {place: amount for place, amount in book.items() if amount}


def test_a_part_begins_with_the_book_and_ends_with_it(whole: Recording) -> None:
    first, second = cut(whole, 0.0, 40.0), cut(whole, 40.0, math.inf)
    everything = len(played(whole)[0])
    before = len(played(first)[0])
    assert book_after(second, 1) == book_after(whole, before)
    assert book_after(second, 10**9) == book_after(whole, everything)
    # the opening snapshot and index, and every message of the rest once
    assert len(played(second)[0]) == everything - before + 2
    assert span_s(first) == pytest.approx(40.0, abs=0.2)
    assert span_s(first) + span_s(second) == pytest.approx(span_s(whole), abs=0.2)


def test_the_whole_cut_is_the_same_backtest(whole: Recording, config: Config) -> None:
    found = judge(cut(whole, 0.0, math.inf), config)
    assert found.fills > 5
    assert found == judge(whole, config)


def test_nothing_to_cut_is_said(whole: Recording) -> None:
    with pytest.raises(RecordingError, match="the recording lasts 90 s"):
        cut(whole, 100.0, 110.0)


def test_the_parts_of_a_verdict_add_up(whole: Recording, config: Config) -> None:
    found = judge(whole, config)
    assert found.fees_bps == pytest.approx(1.5, abs=1e-3)
    assert found.gross_bps == pytest.approx(found.capture_bps + found.drift_bps)
    assert found.net_bps == pytest.approx(found.gross_bps + found.funding_bps - found.fees_bps)
    assert found.net_btc == pytest.approx(found.net_bps * 1e-4 * found.volume_btc)
    assert found.gross_low_bps <= found.gross_bps <= found.gross_high_bps
    assert found.drawdown_btc < 0.0


def test_the_grid_keeps_its_distance_and_its_limit(whole: Recording, config: Config) -> None:
    near, far = run_grid(whole, 1.0, config), run_grid(whole, 6.0, config)
    for run, half in ((near, 1.0), (far, 6.0)):
        assert len(run.fill_s) > 0
        quoted = 0.5 * (run.quote_ask_usd - run.quote_bid_usd)
        assert np.nanmedian(quoted) == pytest.approx(half, abs=0.5)
        _, held = gross_curve(run)
        assert np.abs(held).max() <= 10_000.0
    assert verdict(near, 1.5).volume_btc > verdict(far, 1.5).volume_btc
    assert verdict(near, 1.5).fees_bps == pytest.approx(1.5)


def test_on_the_recorded_market_the_grid_trades_as_it_is_known_to(data_dir: Path) -> None:
    """hftbacktest, whole fills only: 233 orders at 6 USD, 505 at 1 USD, 19 at 18 USD."""
    files = sorted((data_dir / "binance_coinm_2024-08-08").glob("*.gz"))
    recording = open_recording(files)
    config = load(None, ("backtest.queue=power",), connects=False)
    orders = {}
    for usd in (1.0, 6.0, 18.0):
        run = run_grid(recording, usd, config)
        orders[usd] = run.fill_amount.sum() / 1_000.0
    print(orders)
    assert orders[1.0] == pytest.approx(505, rel=0.15)
    assert orders[6.0] == pytest.approx(233, rel=0.15)
    assert orders[18.0] == pytest.approx(19, rel=0.5)
