"""The telemetry page: its tables are its layout, its readers see what was written."""

import json
import math
import re
import struct
from pathlib import Path

import pytest
from desk import BID, Desk, perpetual

from mmcore.alpha import TERM_NAMES
from mmcore.publish import publish, summary
from mmcore.telemetry import PAGE_SIZE, TelemetryPage, TelemetryReader, schema
from mmcore.telemetry_table import (
    ENGINE_METRICS,
    HISTOGRAM_METRICS,
    MARKET_METRICS,
    PROCESS_METRICS,
    families,
)
from runner.metrics_docs import outputs

ROOT = Path(__file__).parents[2]



def test_schema_describes_the_page_well_enough_to_read_it_by_hand() -> None:
    memory = bytearray(PAGE_SIZE)
    page = TelemetryPage(memory, ["BTC-PERPETUAL", "BTC-26MAR27"],
                         {"version": "1.2", "venue": "wss://x", "config": "c" * 200}, 4711)
    page.put({"fills": 3.0, "credits": 8.5, "ready": 1.0}, 77)
    page.put({"mid_usd": 75_000.5}, 78, 1)
    found = schema()
    at, sizes = found["offsets"], found["sizes"]

    def number(kind: str, where: int) -> float:
        return float(struct.unpack_from(kind, memory, where)[0])

    def place(section: str, name: str) -> int:
        return 8 * [row["name"] for row in found[section]].index(name)

    assert number("q", at["process_id"]) == 4711
    assert number("q", at["published_ns"]) == 78
    assert number("d", at["engine"] + place("engine", "fills")) == 3.0
    assert number("d", at["process"] + place("process", "ready")) == 1.0
    second = at["markets"] + sizes["market"]
    assert number("d", second + at["market_values"] + place("market", "mid_usd")) == 75_000.5
    assert memory[second:second + 12] == b"BTC-26MAR27\0"
    read = TelemetryReader(memory).read()
    assert read["info"] == {"version": "1.2", "venue": "wss://x", "config": "c" * 95,
                            "instance": ""}
    assert (read["credits"], read["process"]["ready"], read["process_id"]) == (8.5, 1.0, 4711)
    assert read["markets"][1]["mid_usd"] == 75_000.5
    # The schema lies inside the page.
    assert json.dumps(found).encode() in bytes(memory)


def test_layout_and_documents_are_those_of_the_table() -> None:
    for path, text in outputs(ROOT).items():
        assert (ROOT / path).read_text() == text, f"{path}: run python -m runner.metrics_docs"


def test_every_metric_has_a_kind_a_help_and_a_base_unit() -> None:
    rows = (*ENGINE_METRICS, *MARKET_METRICS, *PROCESS_METRICS)
    for row in rows:
        assert row.kind in ("counter", "gauge"), row
        assert row.help
    for section in (ENGINE_METRICS, MARKET_METRICS, PROCESS_METRICS, HISTOGRAM_METRICS):
        assert len({row.slot for row in section}) == len(section)
    for name, (_, labels, text) in families().items():
        assert re.fullmatch(r"mm_[a-z0-9_]+", name), name
        assert not re.search(r"_(ns|ms|us|min|minutes|bps|percent|mib|kb)(_|$)", name), name
        assert text
        assert len(set(labels)) == len(labels)
    # Every market metric is told apart by instrument, so that a sum over them is no double count.
    assert all(row.family or row.slot.startswith("alpha_term_") for row in MARKET_METRICS)
    exported = {row.family for row in ENGINE_METRICS} - {""}
    assert not exported & {row.family for row in MARKET_METRICS}
    assert sum(row.slot.startswith("alpha_term_") for row in MARKET_METRICS) >= len(TERM_NAMES)


def test_starts_are_counted_until_one_lives_long_or_ends_in_order() -> None:
    memory = bytearray(PAGE_SIZE)
    reader_of = TelemetryReader
    for expected in (1, 2, 3):
        page = TelemetryPage(memory, ["X"])
        page.put({"ready": 1.0}, 1_000)
        assert reader_of(memory).read()["starts"] == expected
    page.put({"ready": 1.0}, 1_001 + 3_600 * 10**9)
    TelemetryPage(memory, ["X"]).put({}, 1)
    assert reader_of(memory).read()["starts"] == 1


def test_a_slot_that_does_not_exist_changes_nothing() -> None:
    memory = bytearray(PAGE_SIZE)
    page = TelemetryPage(memory, ["X"])
    with pytest.raises(KeyError):
        page.put({"ready": 1.0, "reddy": 1.0}, 1)
    with pytest.raises(ValueError, match="1 markets"):
        page.put({"mid_usd": 1.0}, 1, 1)
    assert TelemetryReader(memory).read()["process"]["ready"] == 0.0


def test_reader_sees_the_engine() -> None:
    desk, memory = Desk(), bytearray(PAGE_SIZE)
    page = TelemetryPage(memory, [m.name for m in desk.engine.markets])
    actions = desk.turn()
    desk.accept(actions)
    bid = next(a for a in actions if a["side"] == BID)
    desk.fill(bid, 50, fee_e8=100)
    desk.turn()
    publish(desk.engine, page, desk.now_ns)
    found = TelemetryReader(memory).read()
    assert (found["fills"], found["maker_fills"], found["orders_new"]) == (1.0, 1.0, 2.0)
    assert found["fees_btc"] == pytest.approx(1e-6)
    assert found["delta_btc"] == pytest.approx(500 / 75_000)
    assert found["sequence"] == 2
    assert found["histograms"]["round_trip_ns"]["count"] == 2
    assert (found["delta_limit_btc"], found["kill_latch"]) == (0.3, 0.0)
    market = found["markets"][0]
    assert market["name"] == "BTC-PERPETUAL"
    assert (market["best_bid_usd"], market["best_ask_usd"]) == (74_999.5, 75_000.5)
    assert market["bids"] == [(74_999.5, 10_000.0)]
    assert market["quote_bid_usd"] == 74_981.0
    assert market["position_usd"] == 500.0
    # The mid has not moved since the fill, so capture and mid-to-mark are the whole profit.
    parts = [v for k, v in market.items() if k.startswith("part_")]
    assert sum(parts) == pytest.approx(
        found["realized_btc"] + found["unrealized_btc"] - found["fees_btc"]
        + found["funding_btc"], abs=1e-12)
    assert market["part_fees_btc"] == pytest.approx(-1e-6)
    assert market["part_capture_btc"] == pytest.approx(500 / 74_981 - 500 / 75_000)
    assert market["distance_bid"] == pytest.approx((75_000 - 74_981) / 75_000)
    assert market["quote_bid_amount"] > 0
    sent = sum(found[f"orders_{word}"] for word in ("new", "edit", "cancel"))
    assert market["order_to_volume"] == pytest.approx(sent / (500 / 75_000))
    values = [v for v in (*found.values(), *market.values()) if isinstance(v, float)]
    assert all(math.isfinite(v) for v in values)


def test_summary_has_the_figures_of_the_contract() -> None:
    desk = Desk()
    desk.turn()
    found = summary(desk.engine)
    for key in ("book_updates", "book_gaps", "book_crossed", "decisions", "max_abs_delta_btc",
                "orders_new", "orders_edit", "orders_cancel", "rejects", "fills", "maker_fills",
                "position_usd", "delta_btc", "realized_btc", "unrealized_btc", "fees_btc",
                "funding_btc", "equity_btc", "tick_to_order_us", "markout_bps", "instruments"):
        assert key in found, key
    assert list(found["instruments"]) == ["BTC-PERPETUAL"]
    assert set(found["markout_bps"]) == {"0.1", "1", "5", "30", "300"}


def test_a_page_of_somebody_else_is_refused() -> None:
    with pytest.raises(ValueError, match="no telemetry page"):
        TelemetryReader(bytes(PAGE_SIZE))
    with pytest.raises(ValueError, match="too few"):
        TelemetryReader(b"short")
    with pytest.raises(ValueError, match="needs"):
        TelemetryPage(bytearray(100))


def test_a_writer_that_died_inside_a_write_is_reported() -> None:
    memory = bytearray(PAGE_SIZE)
    TelemetryPage(memory, ["X"])
    reader = TelemetryReader(memory)
    memory[16] = 1                      # an odd sequence: the writer is inside
    with pytest.raises(TimeoutError, match="inside a write"):
        reader.read()


def test_age_of_the_last_own_fill() -> None:
    """From the first publishing on while there is none, then from the latest of any instrument."""
    desk = Desk(specs=[perpetual(), perpetual("BTC-26MAR27", expiry_ms=1_800_000_000_000)])
    memory = bytearray(PAGE_SIZE)
    page = TelemetryPage(memory, ["a", "b"], {}, 1)

    def age_s() -> float:
        publish(desk.engine, page, desk.now_ns)
        return float(TelemetryReader(memory).read()["last_fill_age_seconds"])

    assert age_s() == 0.0
    actions = desk.turn()
    desk.accept(actions)
    desk.wait(5_000)
    assert age_s() == pytest.approx(5.0)
    desk.fill(next(a for a in actions if a["market"] == 1), 10)
    desk.wait(2_000)
    assert age_s() == pytest.approx(2.0)
    desk.fill(next(a for a in actions if a["market"] == 0), 10)
    assert age_s() == 0.0
