"""The recorded perpetual and two dated contracts, frame by frame through feed and engine.

A test environment: random orders into books that are empty at first and rest for up to 18 s. What
the engine sends is accepted as a venue would; nobody trades with it.
"""

from collections.abc import Callable
from pathlib import Path

from desk import MS, SECOND, Desk

from connectors.deribit.feed import DeribitFeed
from connectors.deribit.labels import Labels
from connectors.replay.deribit import read_frames
from connectors.replay.reader import open_recording
from mmcore.market import Market
from mmcore.types import ControlKind, RemovedReason

FOLDER = "deribit_testenv_2023-06-15"
FILE = "deribit_testenv_2023-06-15.frames.jsonl.gz"
TICK_NS = 10 * MS
PROBED_NS = 500 * MS        # of silence, then a sign of life is asked for; see link.is_quiet
ANSWER_NS = 30 * MS
STALE = RemovedReason.REMOVED_STALE
LEAD = 1                    # the perpetual's number there: no price without it
NAMES = ["BTC-16JUN23", "BTC-PERPETUAL", "BTC-23JUN23"]
SILENCE_MS = 30_000.0


class Frames(Desk):
    """The desk of the recording: what its quotes and their hindrances were, tick by tick."""

    def __init__(self, path: Path, changes: dict[str, float], silence_ms: float) -> None:
        self.path = path
        specs = open_recording([path]).instruments
        super().__init__(changes, ready=False, specs=specs)
        for market in self.engine.markets:      # its perpetual rests like the others
            market.params.set("risk.book_silence_ms", silence_ms)
        self.feed = DeribitFeed(self.engine, specs, Labels("mm", run=1))
        count = len(specs)
        self.ticks = 0
        self.two_sided = [0] * count        # ticks from a valid book of two sides on
        self.quoted = [0] * count           # of these, with a bid and an ask of ours resting
        self.any = [0] * count
        self.stale: list[tuple[str, float]] = []
        self.longest_ns = [0] * count
        self.book_ns = [0] * count

    def play(self) -> "Frames":
        """Run it from the first frame to the last; return itself."""
        begun = False
        for frame in read_frames(self.path):
            if not begun:
                begun = True
                self.begin(frame.recv_ns)
            while self.now_ns + TICK_NS <= frame.recv_ns:
                self.now_ns += TICK_NS
                if self.now_ns - self.heard_ns >= PROBED_NS + ANSWER_NS:
                    self.heard_ns = self.now_ns         # public/test, which any venue answers
                    self.face.frame(self.now_ns)
                self.accept(self.timer())
                self.look()
            self.now_ns = self.heard_ns = frame.recv_ns
            updates = [m.book_updates for m in self.engine.markets]
            self.feed.payload(frame.payload, self.now_ns)
            self.accept(self.turn())
            for i, market in enumerate(self.engine.markets):
                if market.book.valid and not self.book_ns[i]:
                    self.book_ns[i] = self.now_ns
                if market.book_updates != updates[i]:
                    self.longest_ns[i] = max(self.longest_ns[i], self.now_ns - self.book_ns[i])
                    self.book_ns[i] = self.now_ns
        return self

    def begin(self, recv_ns: int) -> None:
        self.now_ns = self.began_ns = self.heard_ns = recv_ns
        self.control(ControlKind.CONTROL_WALL_OFFSET, value=1)      # its clock is the wall's
        self.control(ControlKind.CONTROL_CONNECTED)
        self.control(ControlKind.CONTROL_CREDITS, value=100, real=20.0)
        for i in range(len(self.specs)):
            self.control(ControlKind.CONTROL_SUBSCRIBED, market=i)
        self.control(ControlKind.CONTROL_RECONCILED)

    def look(self) -> None:
        self.ticks += 1
        for i, market in enumerate(self.engine.markets):
            if market.book.valid and market.blocked & STALE:
                self.stale.append((market.name, (self.now_ns - self.began_ns) / SECOND))
            if not (two_sided(market) and two_sided(self.engine.markets[LEAD])):
                continue
            self.two_sided[i] += 1
            sides = {row["side"] for row in market.orders.rows()
                     if row["state"] == "ORDER_LIVE"}
            self.quoted[i] += len(sides) == 2
            self.any[i] += len(sides) > 0


def two_sided(market: Market) -> bool:
    return market.book.valid and bool(market.book.levels(0, 1) and market.book.levels(1, 1))


CHANGES = {"quote.max_half_spread_bps": 500.0, "quote.max_reference_spread_bps": 500.0,
           "risk.max_mark_deviation_bps": 1000.0, "risk.price_collar_bps": 2000.0,
           "quote.vol_k": 0.0, "expiry.wind_down_h": 48.0, "expiry.out_before_h": 8.0}


def play(data_dir: Path, silence_ms: float = SILENCE_MS) -> Frames:
    return Frames(data_dir / FOLDER / FILE, CHANGES, silence_ms).play()


def test_all_three_are_quoted_and_quiet_is_not_stale(
        data_dir: Path, figure: Callable[[str], None]) -> None:
    frames = play(data_dir)
    assert [spec.name for spec in frames.specs] == NAMES
    for i, name in enumerate(NAMES):
        shares = [count / frames.two_sided[i] for count in (frames.quoted[i], frames.any[i])]
        figure(f"{name}: quoted on both sides {shares[0]:.1%}, on one at least {shares[1]:.1%} of "
               f"the {frames.two_sided[i] * TICK_NS / SECOND:.1f} s in which its book and the "
               f"perpetual's have two sides, {frames.any[i] / frames.ticks:.1%} of all "
               f"{frames.ticks * TICK_NS / SECOND:.1f} s; its book rested for up to "
               f"{frames.longest_ns[i] / SECOND:.1f} s")
        assert shares[0] > 0.7
        assert shares[1] > 0.9
    counters = frames.face.counters()
    assert counters["malformed"] == counters["book_gaps"] == counters["book_crossed"] == 0
    assert counters["frames"] > 857             # and what was asked for in silence
    assert max(frames.longest_ns) > 17 * SECOND
    assert frames.stale == []


def test_with_a_shorter_limit_the_same_rest_is_stale(data_dir: Path) -> None:
    """2 s instead of 30: so the count above can fail."""
    assert {name for name, _ in play(data_dir, 2_000.0).stale} == set(NAMES)
