"""The recorded inverse perpetual through the whole wire path, the maker quoting into it."""

from pathlib import Path

import pytest
from dict_book import DictBook
from virtual_session import LIVELY, VirtualSession

from connectors.sim.market import Market, open_market
from connectors.sim.market.recorded import RecordedMarket
from mmcore.publish import summary
from runner.config import credentials

LENGTH_S = 647.0
EVERY_S = 0.5
DIFFS_AFTER_SNAPSHOT = 44_770
DIFFS_WITHOUT_CHANGE = 2_613


class Checkpoints:
    """Compares the maker's book with a dict book made from the same payloads."""

    def __init__(self) -> None:
        self.reference = DictBook("BTC-PERPETUAL")
        self.place = 0
        self.compared = 0
        self.levels = 0

    def check(self, session: VirtualSession) -> None:
        assert session.maker is not None
        assert session.server is not None
        self.place, frames = session.frames_from(self.place)
        for payload in frames:
            self.reference.take(payload)
        market = session.maker.engine.markets[0]
        if self.reference.messages == 0 or not market.book.valid:
            return
        for side, rows in enumerate(self.reference.levels()):
            ours = [(market.spec_object.price(ticks), market.spec_object.amount(contracts))
                    for ticks, contracts in market.book.levels(side, 1_000_000)]
            assert ours == rows
            self.levels += len(rows)
        self.compared += 1


def recorded(data_dir: Path) -> tuple[list[Market], VirtualSession]:
    folder = data_dir / "binance_coinm_2024-08-08"
    files = [folder / "btcusd_perp_20240808.gz", folder / "btcusd_perp_20240809.gz"]
    markets: list[Market] = []

    def make(wall_ns: int) -> Market:
        markets.append(open_market(files, seed=1, now_ns=wall_ns))
        return markets[0]

    return markets, VirtualSession(seed=1, sets=(*LIVELY, "quote.levels=2"), ring_mib=128,
                                   market=make)


def test_whole_recording(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    markets, session = recorded(data_dir)
    checkpoints = Checkpoints()
    session.run(LENGTH_S + 5.0, meanwhile=checkpoints.check, every_s=EVERY_S)
    checkpoints.check(session)      # what came while leaving
    assert session.maker is not None
    assert session.server is not None
    figures = summary(session.maker.engine)
    market = markets[0]
    assert isinstance(market, RecordedMarket)
    played = market.counters()
    with capsys.disabled():
        print(f"\nrecording: {played}\nmaker: { {k: figures[k] for k in FIGURES} }\n"
              f"book equal to the dict book at {checkpoints.compared} checkpoints, "
              f"{checkpoints.levels} levels")
    assert played["diffs"] == DIFFS_AFTER_SNAPSHOT
    assert played["noop_diffs"] == DIFFS_WITHOUT_CHANGE
    assert figures["book_updates"] == checkpoints.reference.changes
    assert figures["book_gaps"] == 0
    assert figures["book_crossed"] == 0
    assert checkpoints.compared >= 1000
    assert figures["fills"] > 0
    same_to_the_last_digit(session)
    assert session.verified


FIGURES = ("book_updates", "book_gaps", "book_crossed", "decisions", "orders_new", "orders_edit",
           "rejects", "fills", "position_usd", "realized_btc", "fees_btc")


def same_to_the_last_digit(session: VirtualSession) -> None:
    """Compare position, realised profit and fees with the exchange's own account."""
    assert session.maker is not None
    assert session.server is not None
    client_id = credentials(session.config).client_id
    account = next(a for a in session.server.exchange.accounts if a.client_id == client_id)
    assert account.open_orders == 0
    size, entry, realized_e8, _ = account.position(0)
    _, _, fees_e8, _ = account.money()
    position = session.maker.engine.markets[0].position
    assert position.contracts == size
    assert position.entry_cost == entry
    assert position.realized_e8 == realized_e8
    assert position.fees_e8 == fees_e8
