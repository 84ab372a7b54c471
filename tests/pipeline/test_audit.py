"""What the venue is asked about the account while trading: margins, trades, deliveries."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from desk import Desk, perpetual
from scenario import PRICE, Scenario
from virtual_session import LIVELY, VirtualSession

from connectors.deribit.account_messages import (
    SettlementPage,
    SettlementRow,
    TransactionPage,
    TransactionRow,
)
from connectors.deribit.deliveries import book_deliveries
from connectors.deribit.endpoints import GET_TRANSACTIONS
from connectors.deribit.rpc import RpcError
from mmcore.types import ControlKind
from runner.virtual import MemoryTransport, VirtualLoop

pytestmark = pytest.mark.quick


def still(_: float) -> tuple[float, int]:
    return PRICE, 400


def test_the_margin_rate_is_the_venues_and_bars_at_the_cap() -> None:
    """0.3 BTC ask 2 % + 0.005 % x 0.3 BTC; with a cap under that nothing adds."""
    rates: list[list[float]] = []

    def look(session: VirtualSession) -> None:
        if session.maker is not None:
            rates.append(list(session.maker.client.reconciler.margin_rates))

    free = Scenario(still, 10.0, sets=("inventory.limit_btc=0.3",))
    free.run(10.0, meanwhile=look, every_s=0.5)
    assert rates[-1][0] == pytest.approx(0.02 + 0.00005 * 0.3, rel=1e-3)
    assert free.maker is not None
    assert free.maker.engine.risk.refusals().get("GATE_MARGIN", 0) == 0
    # 0.9 BTC of money and 0.0004 of it: a quote of 0.02 BTC asks for 0.0004 BTC
    tight = Scenario(still, 10.0, sets=("inventory.limit_btc=0.3", "risk.margin_use_max=0.0002",
                                        "signals.warmup_s=3"))
    tight.run(10.0, meanwhile=look, every_s=0.5)
    assert tight.maker is not None
    assert tight.maker.engine.risk.refusals()["GATE_MARGIN"] > 0


def test_a_margin_the_venue_does_not_tell_keeps_the_line() -> None:
    """A refusal is said; the connection is no worse for it."""
    seen: list[int] = []

    def look(session: VirtualSession) -> None:
        if session.maker is not None:
            reconciler = session.maker.client.reconciler
            if not seen:
                call = reconciler.rpc.call

                async def refusing(method: str, *rest: Any, **named: Any) -> Any:
                    if method == "private/get_margins":
                        seen.append(1)
                        raise RpcError(method, 10_000, "not now")
                    return await call(method, *rest, **named)

                reconciler.rpc.call = refusing      # type: ignore[method-assign]
                seen.append(0)

    session = Scenario(still, 10.0)
    session.run(10.0, meanwhile=look, every_s=0.1)
    assert 1 in seen
    assert session.maker is not None
    assert session.maker.client.connects == 1


@pytest.mark.parametrize("lost", [False, True])
def test_a_trade_nobody_told_us_of_is_found_by_the_audit(
        monkeypatch: pytest.MonkeyPatch, lost: bool) -> None:
    """One message of an own trade is lost on the way; the audit books it, and says so."""
    session = Scenario(still, 60.0, sets=LIVELY, print_every_s=2.0)
    deliver = MemoryTransport.expect
    struck: list[float] = []
    audits: list[asyncio.Task[int]] = []

    def expect(to: MemoryTransport, data: bytes | None) -> None:
        # a channel nobody reads, of the same length: frames keep their size
        if data is not None and not struck and session.loop.time() > 1001.0 and (
                b'"trades":[{' in data and b"user.changes" in data):
            struck.append(session.loop.time())
            if lost:
                data = data.replace(b"user.changes", b"USER.CHANGES")
        deliver(to, data)

    def look(_: VirtualSession) -> None:
        if struck and not audits and session.loop.time() > struck[0] + 2.2:
            assert session.maker is not None
            audits.append(session.loop.create_task(session.maker.client.reconciler.fills.audit()))

    monkeypatch.setattr(MemoryTransport, "expect", expect)
    session.run(40.0, meanwhile=look, every_s=0.1)
    assert audits[0].result() == int(lost)
    assert session.maker is not None
    fills = session.maker.client.reconciler.fills
    assert fills.audit_missed == int(lost)
    assert session.maker.client.reconciler.mismatches_total == 0


# ------------------------------------------------------------------ deliveries
def run(loop: VirtualLoop, work: Any) -> Any:
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


def delivered_desk(price: float, *, now_ms: int, answer: Callable[[], SettlementPage]
                   ) -> tuple[Desk, int]:
    spec = perpetual("BTC-25JUN27", expiry_ms=1_000_000)
    desk = Desk(specs=[spec])
    desk.control(ControlKind.CONTROL_POSITION, value=750, real=75_000.0)

    async def call(method: str, params: dict[str, Any], *_rest: Any, **_named: Any) -> Any:
        if method == GET_TRANSACTIONS:
            assert (params["currency"], params["query"]) == ("BTC", "delivery")
            return TransactionPage([
                TransactionRow("delivery", 1_000_000, "BTC-25JUN27", 2.467e-5),
                TransactionRow("delivery", 1_000_000, "BTC-OTHER", 1.0),
                TransactionRow("trade", 1_000_000, "BTC-25JUN27", 1.0)])
        assert params["instrument_name"] == "BTC-25JUN27"
        return answer()

    session: Any = SimpleNamespace(
        now_ns=lambda: now_ms * 1_000_000, engine=desk.engine,
        control=lambda kind, market, value=0, real=0.0: desk.control(kind, market, value, real))
    booked = run(VirtualLoop(), book_deliveries(
        session, SimpleNamespace(call=call),  # type: ignore[arg-type]
        [spec], [("BTC-25JUN27", 750, 0)], 1.0))
    return desk, booked


def page(price: float) -> SettlementPage:
    return SettlementPage([SettlementRow("delivery", 1_000_000, "BTC-25JUN27", price, 7_500.0)])


def test_a_delivery_realises_at_the_venues_price() -> None:
    desk, booked = delivered_desk(76_000.0, now_ms=1_000_001, answer=lambda: page(76_000.0))
    assert booked == 1
    assert desk.market.position.contracts == 0
    # 7,500 USD from 75,000 to 76,000: 0.1 - 0.0986842105
    assert desk.market.statement.realized == pytest.approx(7_500 / 75_000 - 7_500 / 76_000,
                                                           abs=1e-12)
    assert desk.market.statement.fees_e8 == desk.market.position.fees_e8 == 2_467


@pytest.mark.parametrize(("now_ms", "answer"), [
    (999_999, lambda: page(76_000.0)),              # not expired: a difference stays one
    (1_000_001, lambda: SettlementPage([]))])       # the venue knows of none
def test_without_the_venues_word_nothing_is_delivered(
        now_ms: int, answer: Callable[[], SettlementPage]) -> None:
    desk, booked = delivered_desk(76_000.0, now_ms=now_ms, answer=answer)
    assert booked == 0
    assert desk.market.position.contracts == 750
