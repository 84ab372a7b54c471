"""The report's figures against numbers worked by hand, and the page itself."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from mmcore.types import RemovedReason
from runner.calibration.fills import hold_after_fill
from runner.tearsheet.reasons import (
    SHIFT_TERMS,
    WIDTH_TERMS,
    reference_shares,
    removed_shares,
    takes,
    terms,
)
from runner.tearsheet.run_data import MarketRun, RunError, read_run
from runner.tearsheet.statistics import (
    at_or_before,
    captured_bps,
    centred_ranks,
    drawdown,
    markouts_bps,
    mean_of,
    round_trips,
    signal_values,
    uptime,
)
from runner.why_table import WHY_FIELDS

pl = pytest.importorskip("polars")
pytestmark = pytest.mark.quick
NAN = float("nan")


def whys(n: int, **columns: list[float]) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """The why columns of n samples: the reference is the mid, and what is named."""
    plain = dict.fromkeys(WHY_FIELDS, [0.0] * n) | {"reference_usd": [75_000.0] * n}
    return {name: np.array(values, dtype=float) for name, values in (plain | columns).items()}


def market(fills: list[tuple[float, int, float, float]], mids: list[float], *,
           inverse: bool = True) -> MarketRun:
    """fills: (s, side, price, amount); mids: one a second, on a book of 1 USD width."""
    mid = np.array(mids, dtype=float)
    columns = list(zip(*fills, strict=True)) if fills else [(), (), (), ()]
    t_s, side, price, amount = (np.array(c, dtype=float) for c in columns)
    n = len(mid)
    return MarketRun(
        name="BTC-PERPETUAL", inverse=inverse, contract_size=10.0 if inverse else 0.0001,
        t_s=np.arange(n, dtype=float), bid_usd=mid - 0.5, ask_usd=mid + 0.5,
        quote_bid_usd=np.where(np.arange(n) % 2 == 0, mid - 2, NAN),
        quote_ask_usd=np.where(np.arange(n) < n // 2, mid + 2, NAN), mark_usd=mid,
        position=np.zeros(n), equity=np.zeros(n), regime=np.zeros(n, dtype=np.int64),
        risk_state=np.zeros(n, dtype=np.int64), why=whys(n), fill_s=t_s,
        fill_side=side, fill_usd=price,
        fill_amount=amount, fill_fee=np.zeros(len(t_s)),
        fill_maker=np.ones(len(t_s), dtype=bool),
        fill_mid_usd=np.array([mids[int(t)] for t in t_s], dtype=float))


def test_a_buy_below_the_mid_captures_and_then_loses() -> None:
    run = market([(1.0, 1, 9_999.0, 100.0)], [10_000.0, 10_000.0, 9_990.0, 9_990.0])
    assert captured_bps(run) == pytest.approx([1.0])                    # 1 of 10,000
    assert np.isnan(markouts_bps(run, 0.5)).all()       # the mid is known once a second
    assert markouts_bps(run, 1.0) == pytest.approx([-9.0 / 9_999 * 1e4])
    assert np.isnan(markouts_bps(run, 5.0)).all()                       # the data ended before


def test_the_hold_is_as_long_as_markouts_still_move() -> None:
    """Each buy, a minute apart, is followed by a fall over five seconds, then nothing."""
    after = np.minimum(np.arange(60.0), 5.0) * -0.6
    mids = np.concatenate([10_000.0 - 3.0 * i + after for i in range(60)])
    mids += np.random.default_rng(1).normal(0.0, 0.2, len(mids))
    fills = [(60.0 * i, 1, float(mids[60 * i]) - 1.0, 100.0) for i in range(60)]
    found = hold_after_fill(market(fills, mids.tolist()))
    assert (found.key, found.value, found.refused) == ("orders.post_fill_hold_ms", 5_000.0, "")
    assert "5 s -2.0" in found.why
    short = hold_after_fill(market(fills[:20], mids.tolist()))
    assert "only 20 fills with a markout" in short.refused


def test_a_sell_is_the_mirror() -> None:
    run = market([(0.0, -1, 10_001.0, 100.0)], [10_000.0, 10_020.0])
    assert captured_bps(run) == pytest.approx([1.0])
    assert markouts_bps(run, 1.0) == pytest.approx([-19.0 / 10_001 * 1e4])


def test_the_value_in_force() -> None:
    times, values = np.array([1.0, 2.0]), np.array([10.0, 20.0])
    found = at_or_before(times, values, np.array([0.5, 1.0, 1.9, 2.0, 2.1]))
    np.testing.assert_array_equal(found, [NAN, 10.0, 10.0, 20.0, NAN])


def test_drawdown_counts_from_the_highest_so_far() -> None:
    np.testing.assert_array_equal(drawdown(np.array([0.0, 2.0, 1.0, 3.0, 0.5])),
                                  [0.0, 0.0, -1.0, 0.0, -2.5])


def test_round_trips_of_an_inverse_contract() -> None:
    # bought 600 USD at 600 and sold at 700: 600 * (1/600 - 1/700) = 1 - 6/7 BTC
    run = market([(0.0, 1, 600.0, 600.0), (2.0, -1, 700.0, 600.0)], [650.0] * 4)
    trips = round_trips(run)
    assert (trips.count, trips.won, trips.median_s) == (1, 1, 2.0)
    assert trips.mean == pytest.approx(1 - 6 / 7)


def test_a_fill_through_zero_closes_one_trip_and_opens_the_next() -> None:
    run = market([(0.0, 1, 100.0, 1.0), (1.0, -1, 110.0, 3.0), (3.0, 1, 105.0, 2.0)],
                 [100.0] * 4, inverse=False)
    trips = round_trips(run)
    assert (trips.count, trips.won) == (2, 2)
    assert trips.mean == pytest.approx((10.0 + 2 * 5.0) / 2)
    assert trips.median_s == pytest.approx(1.5)                         # 1 s and 2 s


def test_uptime_counts_sides() -> None:
    assert uptime(market([], [100.0] * 8)) == {
        "both sides": 2 / 8, "one side": 4 / 8, "no quote": 2 / 8}


def test_the_interval_of_a_mean_covers_the_truth() -> None:
    """Nominal 95 %; independent draws, 200 samples of 200."""
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(200):
        found = mean_of(rng.normal(1.0, 3.0, 200))
        covered += found.low <= 1.0 <= found.high
    assert 0.88 <= covered / 200 <= 0.99
    assert mean_of(np.array([])).count == 0
    assert mean_of(np.array([1.0, 3.0]), np.array([3.0, 1.0])).mean == pytest.approx(1.5)


def test_time_a_side_was_removed_by_reason() -> None:
    """Eight samples; the bid: two for momentum, one of them at the limit too; the ask: four."""
    run = market([], [100.0] * 8)
    momentum, limit = RemovedReason.REMOVED_MOMENTUM, RemovedReason.REMOVED_INVENTORY
    why = whys(8, removed_bid=[momentum, momentum | limit, 0, 0, 0, 0, 0, 0],
               removed_ask=[limit, limit, limit, limit, 0, 0, 0, 0])
    found = removed_shares(msgspec.structs.replace(run, why=why))
    assert found == {"any of them": (0.25, 0.5), "at the limit": (0.125, 0.5),
                     "momentum": (0.25, 0.0)}
    assert list(found) == ["any of them", "at the limit", "momentum"]


def test_terms_count_only_while_there_is_a_reference() -> None:
    why = whys(6, reference_usd=[0.0] + [75_000.0] * 5, half_base_usd=[99.0, 1, 2, 3, 4, 5],
               alpha_imbalance_usd=[99.0, -1, -1, 0, 1, 2],
               reference_source=[4.0, 0, 0, 0, 0, 2])
    run = msgspec.structs.replace(market([], [100.0] * 6), why=why)
    base = terms(run, WIDTH_TERMS)["base"]
    assert (base.mean, base.median) == (3.0, 3.0)
    assert (base.low, base.high) == pytest.approx((1.2, 4.8))
    assert terms(run, SHIFT_TERMS)["signal: imbalance"].mean == pytest.approx(0.2)
    assert reference_shares(run) == pytest.approx(
        {"mid": 4 / 6, "last trade": 1 / 6, "none": 1 / 6})


def write_run(folder: Path) -> None:
    n = 40
    frame = {
        "t_ns": [i * 10**9 for i in range(n)], "market": [0] * n,
        "best_bid_usd": [74_999.5 + i for i in range(n)],
        "best_ask_usd": [75_000.0 + i for i in range(n)],
        "quote_bid_usd": [74_990.0 + i for i in range(n)], "quote_ask_usd": [0.0] * n,
        "mark_usd": [75_000.0 + i for i in range(n)], "position_contracts": [10] * n,
        "equity": [0.9 + 1e-6 * i for i in range(n)], "regime": [i % 2 for i in range(n)],
        "risk_state": [0] * n, **whys(n, removed_ask=[16.0] * 10 + [0.0] * 30)}
    pl.DataFrame(frame).write_parquet(folder / "samples.parquet")
    pl.DataFrame({"t_ns": [5 * 10**9, 9 * 10**9], "market": [0, 0], "slot": [0, 10],
                  "side": [0, 1], "price_ticks": [150_000, 150_040],
                  "amount_contracts": [10, 10], "maker": [True, True], "fee_e8": [20, 20],
                  "mid_usd": [75_004.75, 75_008.75]}).write_parquet(folder / "fills.parquet")
    pl.DataFrame({"sent_ns": [1, 2], "arrived_ns": [4_000_001, 5_000_002], "kind": [1, 1],
                  "market": [0, 0], "error": [0, 0]}).write_parquet(folder / "requests.parquet")
    summary: dict[str, Any] = {
        "realized_btc": 1e-6, "unrealized_btc": 0.0, "fees_btc": 4e-7, "funding_btc": 0.0,
        "fills": 2, "maker_fills": 2, "orders_new": 2, "orders_edit": 10, "orders_cancel": 1,
        "max_abs_delta_btc": 0.0013, "exit": "end of data", "sources": ["day.csv.gz"],
        "outbound_sha256": "ab", "problems": [], "config": {"quote": {"levels": 1}},
        "assumptions": {"queue model": "risk averse"},
        "money": {"BTC-PERPETUAL": {"capture": 2e-6, "drift": -1e-6, "mid_to_mark": 0.0,
                                    "funding": 0.0, "fees": 4e-7}},
        "takes": {"BTC-PERPETUAL": {"TAKE_CUT": {"orders": 2, "bought": 0.0, "sold": 300.0}}},
        "specs": [{"name": "BTC-PERPETUAL", "inverse": True, "contract_size": 10.0,
                   "tick_usd": 0.5}]}
    (folder / "summary.json").write_bytes(msgspec.json.encode(summary))


def test_a_page_needs_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    from runner.tearsheet.page import figures, page

    write_run(tmp_path)
    run = read_run(tmp_path)
    text = page([run, run])
    assert text.count('class="plotly-graph-div"') == 10
    assert "<td>at the limit</td><td>0.00%</td><td>25.00%</td>" in text
    assert "<td>cut: the price runs against the inventory</td><td>2</td><td>0</td><td>300" in text
    assert "src=" not in text.split("</head>")[1]
    assert "<h2>Compared</h2>" in text
    found = figures(run)
    assert found["headline"]["profit_btc"] == pytest.approx(6e-7)
    # 100 USD at 75,000 and at 75,020
    assert found["headline"]["volume_btc"] == pytest.approx(100 / 75_000 + 100 / 75_020)
    assert found["instruments"]["BTC-PERPETUAL"]["uptime"]["one side"] == 1.0
    assert found["instruments"]["BTC-PERPETUAL"]["why"]["removed"]["at the limit"] == (0.0, 0.25)
    assert takes(run, run.markets[0]) == {
        "cut: the price runs against the inventory": {"orders": 2, "bought": 0.0, "sold": 300.0}}


@pytest.mark.parametrize(("name", "said"), [("summary.json", "mm backtest --out"),
                                            ("fills.parquet", "mm backtest --out")])
def test_a_missing_file_is_named(tmp_path: Path, name: str, said: str) -> None:
    write_run(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(RunError, match=said) as error:
        read_run(tmp_path)
    assert name in str(error.value)


def test_a_torn_file_is_named(tmp_path: Path) -> None:
    write_run(tmp_path)
    path = tmp_path / "samples.parquet"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(RunError, match=r"samples\.parquet"):
        read_run(tmp_path)


def test_the_value_of_a_signal_is_its_rank_correlation() -> None:
    assert centred_ranks(np.array([10.0, 30.0, 10.0, 20.0])).tolist() == [-1.0, 1.5, -1.0, 0.5]
    rng = np.random.default_rng(5)
    foresight = rng.normal(size=600)
    mids = 75_000.0 + np.concatenate([[0.0], np.cumsum(foresight)])[:600]
    run = market([], mids.tolist())
    seeing = whys(600, alpha_flow_usd=np.exp(foresight).tolist(),
                  alpha_ofi_usd=rng.normal(size=600).tolist())
    found = signal_values(msgspec.structs.replace(run, why=seeing))
    assert list(found) == ["flow", "ofi"]               # imbalance never moved a price
    one = found["flow"]["1 s"]
    assert (one.mean, one.count) == (pytest.approx(1.0), 599)       # only the order counts
    assert found["ofi"]["1 s"].low < 0.0 < found["ofi"]["1 s"].high
    assert 0.2 < found["flow"]["5 s"].low < found["flow"]["5 s"].mean < 0.7     # 1 of 5 steps
    assert signal_values(market([], [75_000.0] * 3)) == {}
