"""The other ways to move an order, each by a whole session: cancel and replace, mass quotes."""

import functools
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from fault_session import LOSSES, SETS, FaultSession, fault_at, single_faults
from virtual_session import VirtualSession

from connectors.sim.account import Account
from connectors.sim.exchange import Exchange
from mmcore.journal import JournalKind
from mmcore.publish import summary
from runner.simulation.market import WalkingMarket
from runner.simulation.plan import SessionFault

CANCEL_REPLACE = "orders.mode='cancel_replace'"
MASS_QUOTE = "orders.mode='mass_quote'"
SEED = 5


def account_of(session: VirtualSession) -> Account:
    assert session.server is not None
    return next(a for a in session.server.exchange.accounts if a.client_id == "maker")


def sent(session: VirtualSession) -> list[dict[str, Any]]:
    """Return every trading request the maker wrote, in order."""
    return [json.loads(line) for kind, _, payload in session.records()
            if kind == JournalKind.JOURNAL_OUT for line in payload.splitlines()]


def traded(mode: str, *sets: str, fault: SessionFault | None = None) -> FaultSession:
    """Run a watched session in a mode; assert that nothing was found that must not be."""
    case = FaultSession(fault, SEED, (mode, *sets))
    assert case.run() == []
    return case


# -------------------------------------------------------------------------------- both modes
@pytest.mark.parametrize("mode", [CANCEL_REPLACE, MASS_QUOTE])
def test_a_session_replays_byte_for_byte(mode: str) -> None:
    session = traded(mode).session
    assert session.maker is not None
    replay = session.replay()
    assert replay.first_difference is None
    assert replay.identical
    assert replay.expected > 20
    mine, theirs = summary(replay.engine), summary(session.maker.engine)
    assert mine["fills"] == theirs["fills"] > 0
    assert mine["realized_btc"] == theirs["realized_btc"]


FAULTS: dict[str, list[SessionFault]] = {
    CANCEL_REPLACE: [fault_at(kind, step, 1) for step in ("request:cancel", "answer:cancel")
                     for kind in LOSSES],
    MASS_QUOTE: [
        *(fault_at(kind, "request:mass_quote", nth) for nth in (1, 3) for kind in LOSSES),
        *(fault_at("error", "request:mass_quote", 3, code=code)
          for code in (10028, 10040, 10041, 11054, 13028, 13888, 13903)),
        fault_at("error_after_effect", "request:mass_quote", 3, code=13028)],
}


@pytest.mark.parametrize(("mode", "fault"), [(m, f) for m, fs in FAULTS.items() for f in fs],
                         ids=str)
def test_single_faults_leave_nothing(mode: str, fault: SessionFault) -> None:
    """No orphan, never two live orders in a slot, exposure never understated, profit exact."""
    traded(mode, fault=fault)


@functools.cache
def cases(mode: str) -> tuple[SessionFault, ...]:
    plain = FaultSession(None, SEED, (mode,))
    assert plain.run() == []
    return tuple(single_faults(plain.wire.seen))


def bear(mode: str, chosen: tuple[SessionFault, ...], figure: Callable[[str], None]) -> None:
    wrong = [f"{fault}: {'; '.join(found)}" for fault in chosen
             if (found := FaultSession(fault, SEED, (mode,)).run())]
    figure(f"{mode}: {len(chosen)} of {len(cases(mode))} single faults, {len(wrong)} wrong")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("mode", [CANCEL_REPLACE, MASS_QUOTE])
def test_a_part_of_the_single_faults(mode: str, figure: Callable[[str], None]) -> None:
    bear(mode, cases(mode)[::25], figure)


@pytest.mark.campaign
@pytest.mark.parametrize("mode", [CANCEL_REPLACE, MASS_QUOTE])
@pytest.mark.parametrize("part", range(5))
def test_all_single_faults(mode: str, part: int, figure: Callable[[str], None]) -> None:
    assert len(cases(mode)) >= 400
    bear(mode, cases(mode)[part::5], figure)


# -------------------------------------------------------------------------------- cancel, replace
def test_a_new_order_waits_for_the_confirmed_cancel() -> None:
    session = traded(CANCEL_REPLACE).session
    assert not [r for r in sent(session) if r["method"] == "private/edit"]
    live: dict[str, int] = defaultdict(int)
    replaced = 0
    for kind, _, payload in session.records():
        if kind == JournalKind.JOURNAL_OUT:
            for line in payload.splitlines():
                request = json.loads(line)
                if request["method"] in {"private/buy", "private/sell"}:
                    slot = request["params"]["label"].split("-")[1]
                    assert live[slot] == 0, line        # what stood there is known to be gone
                    live[slot] += 1
                    replaced += 1
        elif kind == JournalKind.JOURNAL_FRAME_IN and b'"channel":"user.changes' in payload:
            for order in json.loads(payload)["params"]["data"]["orders"]:
                if order["order_state"] in {"cancelled", "filled", "rejected"}:
                    live[order["label"].split("-")[1]] = 0
    assert replaced > 10


# -------------------------------------------------------------------------------- mass quotes
def test_a_rung_is_one_message() -> None:
    session = traded(MASS_QUOTE, "quote.levels=2").session
    requests = sent(session)
    quotes = [r for r in requests if r["method"] == "private/mass_quote"]
    counts = Counter(len(r["params"]["quotes"]) for r in quotes)
    assert counts[2] > 3                        # both sides together
    assert {r["params"]["mmp_group"] for r in quotes} == {"mm0", "mm1"}
    assert not [r for r in requests if r["method"] in {"private/buy", "private/edit"}]
    for request in quotes:                      # one of a side at most, all refuse to take
        sides = [side for q in request["params"]["quotes"] for side in ("bid", "ask") if side in q]
        assert len(sides) == len(set(sides))
        assert all(q.get("bid", q.get("ask"))["reject_post_only"]
                   for q in request["params"]["quotes"])


class Taken(WalkingMarket):
    """A taker goes through both our rungs once, three seconds in."""

    struck = False

    def act(self, exchange: Exchange, t_ns: int) -> None:
        if self.step == 60 and not self.struck:
            self.struck = True
            exchange.market_trade(t_ns, 0, 1, self.walks[0].mid - 40, 4000, 0)
        elif self.step % 5 == 1:
            self.walks[0].levels(exchange, t_ns, 5000 + 10 * (self.step % 7))


def test_protection_trips_and_thaws() -> None:
    """Fills beyond the limit: everything of the index goes, waits, and is quoted again."""
    session = VirtualSession(
        seed=SEED, sets=(*SETS, MASS_QUOTE, "orders.mmp_quantity_btc=0.006",
                         "orders.mmp_max_quote_btc=0.006", "orders.mmp_delta_btc=0.004",
                         "orders.mmp_frozen_s=2",
                         "quote.levels=1", "orders.post_fill_hold_ms=0"),
        ring_mib=4, market=lambda _: Taken(SEED))
    counts: list[tuple[float, int, int]] = []

    def look(running: VirtualSession) -> None:
        assert running.maker is not None
        counts.append((running.loop.time() - 1000.0, account_of(running).open_orders,
                       running.maker.engine.markets[0].orders.protected_rungs)
                      if running.loop.time() > 1000.5 else (0.0, 0, 1))

    session.run(10.0, meanwhile=look, every_s=0.05)
    assert session.maker is not None
    protection = session.maker.client.protection
    assert protection is not None
    assert session.verified
    assert protection.trips == 1
    frozen = [at for at, _, rungs in counts if rungs == 0]
    assert frozen
    assert 1.9 <= frozen[-1] - frozen[0] <= 2.3
    assert all(orders == 0 for at, orders, _ in counts if frozen[0] + 0.1 < at <= frozen[-1])
    assert any(orders > 0 for at, orders, _ in counts if at > frozen[-1] + 0.2)
    reset = [r for r in cold(session) if r["method"] == "private/reset_mmp"]
    assert [r["params"]["mmp_group"] for r in reset] == ["mm0"]
    assert session.replay().identical


def cold(session: VirtualSession) -> list[dict[str, Any]]:
    return [json.loads(payload) for kind, _, payload in session.records()
            if kind == JournalKind.JOURNAL_SESSION and payload.startswith(b"{")]
