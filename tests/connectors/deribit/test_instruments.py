"""Listings become instruments; rules become names; what we cannot trade is refused in words."""

from typing import Any

import msgspec
import pytest

from connectors.deribit.connection import ClientConfig, auth_params
from connectors.deribit.endpoints import is_loopback, rest_url, ws_url
from connectors.deribit.instruments import differences, is_quarterly, resolve, spec_of
from connectors.deribit.messages import InstrumentData

NOW_MS = 1_795_000_000_000  # 2026-11-18
DAY_MS = 86_400_000


def listing(name: str, **change: Any) -> InstrumentData:
    data = {"instrument_name": name, "kind": "future", "tick_size": 0.5, "contract_size": 10,
            "min_trade_amount": 10.0, "expiration_timestamp": 32503708800000,
            "settlement_period": "perpetual", "base_currency": "BTC", "quote_currency": "USD",
            "is_active": True, "maker_commission": 0.00015, "taker_commission": 3.5e-4,
            "tick_size_steps": [], "instrument_type": "reversed"} | change
    return msgspec.json.decode(msgspec.json.encode(data), type=InstrumentData)


def dated(name: str, expiry_ms: int, **change: Any) -> InstrumentData:
    return listing(name, expiration_timestamp=expiry_ms, settlement_period="month", **change)


# 08:00 UTC of the named days
E27NOV26, E25DEC26, E26MAR27, E25JUN27 = (
    1795766400000, 1798185600000, 1806048000000, 1813910400000)
LISTED = [
    dated("BTC-25JUN27", E25JUN27), dated("BTC-27NOV26", E27NOV26),
    listing("BTC-PERPETUAL"), dated("BTC-25DEC26", E25DEC26), dated("BTC-26MAR27", E26MAR27),
    listing("ETH-PERPETUAL", base_currency="ETH"),
    listing("BTC_USDC-PERPETUAL", quote_currency="USDC", instrument_type="linear",
            contract_size=0.0001, min_trade_amount=0.0001, tick_size=0.1),
    listing("BTC-FS-25DEC26_PERP", kind="future_combo"),
]


def test_definition() -> None:
    spec = spec_of(listing("BTC-PERPETUAL"))
    assert (spec.name, spec.tick_usd, spec.contract_size, spec.lot_contracts, spec.inverse,
            spec.maker_fee, spec.taker_fee, spec.expiry_ms) == (
        "BTC-PERPETUAL", 0.5, 10.0, 1, True, 0.00015, 0.00035, 0)
    linear = spec_of(LISTED[6])
    assert (linear.inverse, linear.tick_usd, linear.contract_size) == (False, 0.1, 0.0001)
    assert linear.ticks(70000.1) == 700001
    stepped = spec_of(listing("X", tick_size_steps=[{"above_price": 50000, "tick_size": 2.5}]))
    assert stepped.round_down(60001.0) == 120000
    assert spec_of(dated("BTC-25DEC26", E25DEC26)).expiry_ms == E25DEC26


@pytest.mark.parametrize(("change", "word"), [
    ({"kind": "option"}, "option"), ({"is_active": False}, "not active"),
    ({"instrument_type": "quanto"}, "quanto"), ({"min_trade_amount": 15}, "minimum amount"),
    ({"tick_size": 1e-12}, "tick size"),
    ({"tick_size_steps": [{"above_price": 1, "tick_size": 0.3}]}, "tick step"),
    ({"tick_size_steps": [{"above_price": 1, "tick_size": 0.5}] * 5}, "tick steps"),
])
def test_refused_in_words(change: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        spec_of(listing("BTC-PERPETUAL", **change))


@pytest.mark.parametrize(("names", "chosen"), [
    (["perpetual"], ["BTC-PERPETUAL"]), (["front"], ["BTC-27NOV26"]),
    (["next-quarter"], ["BTC-26MAR27"]),
    (["next-quarter", "perpetual", "BTC-25DEC26"], ["BTC-26MAR27", "BTC-PERPETUAL",
                                                    "BTC-25DEC26"]),
])
def test_rules(names: list[str], chosen: list[str]) -> None:
    assert [d.instrument_name for d in resolve(names, LISTED, NOW_MS)] == chosen


def test_front_leaves_its_wind_down() -> None:
    late = E27NOV26 - DAY_MS
    assert resolve(["front"], LISTED, late)[0].instrument_name == "BTC-25DEC26"
    assert resolve(["front"], LISTED, late, wind_down_h=12)[0].instrument_name == "BTC-27NOV26"
    assert resolve(["next-quarter"], LISTED, E25DEC26)[0].instrument_name == "BTC-25JUN27"
    linear = resolve(["perpetual"], LISTED, NOW_MS, inverse=False)
    assert linear[0].instrument_name == "BTC_USDC-PERPETUAL"


def test_quarterlies() -> None:
    assert is_quarterly(E25DEC26)
    assert is_quarterly(E26MAR27)
    assert not is_quarterly(E27NOV26)
    assert not is_quarterly(E25DEC26 - 7 * DAY_MS)


@pytest.mark.parametrize(("names", "words"), [
    (["perpetual", "BTC-PERPETUAL"], "same contract"), (["front", "front"], "same contract"),
    (["BTC-NONE"], "not listed.*BTC-25DEC26"),
])
def test_what_names_no_one_contract(names: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        resolve(names, LISTED, NOW_MS)
    with pytest.raises(ValueError, match="no such contract"):
        resolve(["front"], LISTED[2:3], NOW_MS)


def test_changed_definitions_are_named() -> None:
    spec = spec_of(listing("BTC-PERPETUAL"))
    assert differences(listing("BTC-PERPETUAL", maker_commission=0), spec) == []
    assert differences(listing("BTC-PERPETUAL", tick_size=2.5), spec) == ["tick 0.5 is now 2.5"]


def test_urls() -> None:
    assert ws_url("prod") == "wss://www.deribit.com/ws/api/v2"
    assert ws_url("testnet") == "wss://test.deribit.com/ws/api/v2"
    assert ws_url("ws://127.0.0.1:8000") == "ws://127.0.0.1:8000/ws/api/v2"
    assert ws_url("wss://example.org/other") == "wss://example.org/other"
    assert rest_url("ws://127.0.0.1:8000/ws/api/v2") == "http://127.0.0.1:8001/api/v2"
    assert rest_url("ws://[::1]:8000/") == "http://[::1]:8001/api/v2"
    assert rest_url("wss://test.deribit.com/ws/api/v2") == "https://test.deribit.com/api/v2"
    for bad in ("http://x", "prd", "ws://example.org:1", "ws://"):
        with pytest.raises(ValueError, match="venue"):
            ws_url(bad)
    for url, local in [("ws://localhost:1", True), ("ws://127.1.2.3", True), ("ws://[::1]:1", True),
                       ("wss://www.deribit.com", False), ("ws://10.0.0.1", False), ("x", False),
                       ("ws://127.0.0.1.example.org", False)]:
        assert is_loopback(url) is local, url


def test_signature_is_that_of_the_documents() -> None:
    config = ClientConfig(url="", client_id="AMANDA", client_secret="AMANDASECRECT",
                          auth="client_signature")
    params = auth_params(config, 1576074319000, "1iqt2wls")
    assert params["signature"] == (
        "56590594f97921b09b18f166befe0d1319b198bbcdad7ca73382de2f88fe9aa1")
    assert "client_secret" not in params
    assert params["scope"] == "session:mm"
    plain = auth_params(msgspec.structs.replace(config, auth="client_credentials"), 1, "n")
    assert plain["client_secret"] == "AMANDASECRECT"
