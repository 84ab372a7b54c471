"""The telemetry page: its tables are its layout, its readers see what was written."""

import math
import re
from pathlib import Path

import pytest
from desk import BID, Desk

from mmcore.publish import publish, summary
from mmcore.telemetry import (
    ENGINE_TABLE,
    HISTOGRAM_TABLE,
    MARKET_TABLE,
    PAGE_SIZE,
    TelemetryPage,
    TelemetryReader,
    schema,
)

PXD = Path(__file__).parents[2] / "mmcore" / "telemetry.pxd"


def names_of_enum(prefix: str, last: str) -> list[str]:
    """Names of one enum of the .pxd in their order, as the tables spell them."""
    block = re.split(r"\n\s*\n", PXD.read_text().split(f"    {prefix}_", 1)[1].split(last, 1)[0])[0]
    return [name.removesuffix("_TOTAL").lower()
            for name in re.findall(rf"(?:{prefix}_|^)([A-Z_]+)", f"{prefix}_{block}")]


def test_tables_are_in_the_order_of_the_layout() -> None:
    assert names_of_enum("ENGINE", "ENGINE_METRICS") == [row[0] for row in ENGINE_TABLE]
    assert names_of_enum("MARKET", "MARKET_METRICS") == [row[0] for row in MARKET_TABLE]
    assert len(HISTOGRAM_TABLE) == 1
    assert all(isinstance(row, tuple) and len(row) == 2 for row in HISTOGRAM_TABLE)


def test_every_metric_has_a_kind_and_a_help() -> None:
    for name, kind, text in ENGINE_TABLE + MARKET_TABLE:
        assert kind in ("counter", "gauge"), name
        assert text
    assert schema()["engine"][0] == {"name": "frames", "kind": "counter", "help": "Frames received"}


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
    market = found["markets"][0]
    assert market["name"] == "BTC-PERPETUAL"
    assert (market["best_bid_usd"], market["best_ask_usd"]) == (74_999.5, 75_000.5)
    assert market["bids"] == [(74_999.5, 10_000.0)]
    assert market["quote_bid_usd"] == 74_981.0
    assert market["position_usd"] == 500.0
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
