"""A sweep from 30,000 to 30,100 on the exchange, step by step, and what it costs.

Sold at 30,010 and bought back at 30,060 is a loss of 50 USD per BTC and two maker fees; the figures
below say so to the satoshi.
"""

import json
from pathlib import Path

import pytest
from scripted_market import ASK, BID, Look, Scene, Script, ScriptedMarket

from connectors.replay.journal import SEGMENT_MAGIC, Record, pack_block, pack_record
from mmcore.journal import JournalKind
from mmcore.market import explain_record
from mmcore.types import RemovedReason
from runner.replay import tell_why
from runner.tearsheet.reasons import removed_shares, takes
from runner.tearsheet.run_data import read_run
from runner.tearsheet.statistics import headline

SETS = ("quote.base_half_spread_bps=0", "quote.min_half_spread_usd=10",
        "signals.sweep_bps=2", "orders.momentum_ms=500", "orders.post_fill_hold_ms=1000",
        "orders.run_bps=2", "orders.reentry_stagger_ms=250", "cover.trigger_bps=5",
        "cover.step_bps=3.33", "cover.step_s=2", "cover.max_s=30", "cover.max_loss_bps=0",
        "quote.max_reference_spread_bps=50")
SOLD, BOUGHT, AMOUNT_USD = 30_010.0, 30_060.0, 600


def ticks(usd: float) -> int:
    return round(2 * usd)


def open_book(market: ScriptedMarket) -> None:
    """29,995 / 30,005, and asks up to 30,100."""
    market.book({ticks(p): 200 for p in (29_995, 29_990, 29_980, 29_970)},
                {ticks(p): 200 for p in (30_005, 30_015, 30_030, 30_060, 30_090, 30_100, 30_110)})


def sweep(market: ScriptedMarket) -> None:
    """One taker order eats the asks up to 30,100, our own at 30,010 on its way."""
    market.sweep(BID, 30_090.0)
    market.trade(BID, 100, ticks(30_100))


def after(market: ScriptedMarket) -> None:
    """30,050 / 30,100."""
    market.book({ticks(p): 200 for p in (30_050, 30_045, 30_040)},
                {ticks(p): 200 for p in (30_100, 30_105, 30_110)})


STORY: Script = [(0.2, open_book), (2.0, sweep), (2.1, after)]


def play(*more: tuple[float, object], sets: tuple[str, ...] = (), seconds: float = 9.0) -> Scene:
    return Scene([*STORY, *more], *SETS, *sets, seconds=seconds,  # type: ignore[list-item]
                 mid=30_000.0, width=10)


@pytest.fixture(scope="module")
def covered() -> Scene:
    """The example with a seller who meets the covering bid at 30,060."""
    return play((5.0, lambda m: m.trade(ASK, 60, ticks(30_060))))


def removed(look: Look) -> tuple[int, int]:
    bits: tuple[int, int] = look.why["removed"]
    return bits


def test_quotes_stand_behind_the_best_before_it(covered: Scene) -> None:
    before = covered.at(1.95)
    assert before.mid == 30_000.0
    assert before.resting == ([29_990.0], [SOLD])
    assert before.bids[0][1] == 60                  # 0.02 BTC at 30,000: 600 USD


def test_the_sweep_fills_the_ask_and_both_sides_go(covered: Scene) -> None:
    first = covered.at(2.05)
    assert first.contracts == -60
    assert removed(first)[BID] & RemovedReason.REMOVED_SWEEP
    assert removed(first)[ASK] & RemovedReason.REMOVED_SWEEP
    assert first.resting == ([], [])


def test_nothing_is_quoted_while_the_fill_is_fresh(covered: Scene) -> None:
    """1 s of hold; the mid ran from 30,000 to 30,075 in it, so another."""
    for look in covered.between(2.6, 3.9):
        assert removed(look)[BID] == RemovedReason.REMOVED_HOLD
        assert look.resting[BID] == []


def test_cover_mode_bids_at_30060_and_nothing_else(covered: Scene) -> None:
    cover = covered.at(4.6)
    assert cover.mid == 30_075.0
    assert cover.resting == ([BOUGHT], [])
    assert removed(cover)[ASK] & RemovedReason.REMOVED_COVER


def test_the_cover_is_a_loss_of_50_usd_a_btc_and_two_fees(covered: Scene) -> None:
    figures = covered.summary
    assert figures["fills"] == figures["maker_fills"] == 2
    assert figures["position_usd"] == 0
    assert covered.at(5.1).contracts == 0
    # a short of 600 USD from 30,010 to 30,060, in BTC: 600 / 30,060 - 600 / 30,010
    loss = AMOUNT_USD / BOUGHT - AMOUNT_USD / SOLD
    assert figures["realized_btc"] == pytest.approx(loss, abs=1.5e-8)
    assert loss == pytest.approx(-0.02 * 50 / 30_060, rel=1e-3)     # -1.00 USD on 0.02 BTC
    fees = 0.00015 * (AMOUNT_USD / SOLD + AMOUNT_USD / BOUGHT)
    assert figures["fees_btc"] == pytest.approx(fees, abs=1.5e-8)
    assert figures["equity_btc"] == pytest.approx(0.9 + loss - fees, abs=1.5e-8)


def test_both_sides_return_once_it_is_covered(covered: Scene) -> None:
    later = covered.at(8.5)
    assert removed(later) == (0, 0)
    # 10 USD from the mid of 30,075 is inside the spread: a tick ahead of each best
    assert later.resting == ([30_050.5], [30_099.5])


@pytest.fixture(scope="module")
def alone() -> Scene:
    """The example without a seller: the bid goes up until its time is over."""
    return play(sets=("cover.max_s=9",), seconds=14.5)


def test_the_covering_bid_steps_up_to_the_ask(alone: Scene) -> None:
    prices = [look.resting[BID][0] for look in alone.between(4.2, 12.9) if look.resting[BID]]
    assert sorted(set(prices)) == prices[:1] + sorted(set(prices))[1:]
    assert sorted(set(prices)) == [30_060.0, 30_070.0, 30_080.0, 30_090.0, 30_099.5]


def test_what_nobody_sold_is_taken(alone: Scene) -> None:
    """After cover.max_s the bid goes and 60 contracts are bought at once, at 30,100."""
    assert alone.at(12.9).contracts == -60
    assert alone.at(13.2).contracts == 0
    asked = [explain_record(payload) for kind, _, payload in alone.session.records()
             if kind == JournalKind.JOURNAL_WHY]
    takes = [record for record in asked if record["take"] == "TAKE_COVER"]
    assert [record["take_contracts"] for record in takes] == [60]
    assert takes[0]["removed"][BID] & RemovedReason.REMOVED_COVER
    sent = [payload for kind, _, payload in alone.session.records()
            if kind == JournalKind.JOURNAL_OUT and b"immediate_or_cancel" in payload]
    assert len(sent) == 1
    # own bid first, then 5 bps through the ask at most: 30,100 * 1.0005 = 30,115.05
    assert sent[0].index(b"private/cancel") < sent[0].index(b"private/buy")
    assert b'"price":30115,' in sent[0]
    assert b'"reduce_only":true' in sent[0]
    assert b'"post_only":false' in sent[0]
    figures = alone.summary
    assert (figures["fills"], figures["maker_fills"], figures["position_usd"]) == (2, 1, 0)
    assert figures["realized_btc"] == pytest.approx(600 / 30_100 - 600 / SOLD, abs=1.5e-8)
    assert figures["fees_btc"] == pytest.approx(
        0.00015 * 600 / SOLD + 0.00035 * 600 / 30_100, abs=1.5e-8)


def test_the_report_of_its_journal_says_so_too(alone: Scene, tmp_path: Path) -> None:
    """One take of 600 USD, one fill as maker and one as taker; the ask was covered away."""
    records = b"".join(pack_record(Record(kind, 0, now_ns, payload))
                       for kind, now_ns, payload in alone.session.records())
    (tmp_path / "000000.mmj").write_bytes(SEGMENT_MAGIC + pack_block(records, 1, 0))
    run = read_run(tmp_path)
    (market,) = run.markets
    assert run.summary["problems"] == []
    assert takes(run, market) == {
        "cover of an adverse fill": {"orders": 1, "bought": 600.0, "sold": 0.0}}
    assert market.fill_usd.tolist() == [SOLD, 30_100.0]
    assert market.fill_side.tolist() == [-1.0, 1.0]
    assert market.fill_maker.tolist() == [True, False]
    assert headline(run)["profit_btc"] == pytest.approx(
        alone.summary["realized_btc"] - alone.summary["fees_btc"], abs=1e-12)
    for side in (BID, ASK):             # the bid goes, too, while what is left is taken
        covering = sum(bool(removed(look)[side] & RemovedReason.REMOVED_COVER)
                       for look in alone.looks)
        assert removed_shares(market)["covering"][side] == pytest.approx(
            covering / len(alone.looks), abs=0.08)
    assert removed_shares(market)["covering"][ASK] > 0.5


def test_the_journal_says_why_each_decision_came_to_be(covered: Scene) -> None:
    records = [explain_record(payload) for kind, _, payload in covered.session.records()
               if kind == JournalKind.JOURNAL_WHY]
    assert covered.looks[-1].why["reference_source"] == records[-1]["reference_source"]
    # the fill comes before the print: the bid goes for it, and the sweep finds nothing left to pull
    swept = next(r for r in records if r["removed"][BID] & RemovedReason.REMOVED_HOLD)
    assert swept["half_usd"] == pytest.approx(10.0, rel=1e-3)
    cover = [r for r in records if r["removed"][ASK] & RemovedReason.REMOVED_COVER]
    assert cover[0]["reference_usd"] == 30_075.0
    assert cover[0]["position_btc"] == pytest.approx(-600 / 30_000, rel=0.01)
    with pytest.raises(ValueError, match="version that wrote it"):
        explain_record(b"short")


def test_the_command_prints_them_a_line_each(covered: Scene, monkeypatch: pytest.MonkeyPatch,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    records = [Record(kind, 0, now_ns, payload)
               for kind, now_ns, payload in covered.session.records()]
    monkeypatch.setattr("runner.replay.read_journal", lambda _: iter(records))
    assert tell_why(Path("anywhere")) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == sum(record.kind == JournalKind.JOURNAL_WHY for record in records)
    assert {line["instrument"] for line in lines} == {"BTC-PERPETUAL"}
    assert any(line["removed"][BID] & RemovedReason.REMOVED_HOLD for line in lines)
