"""The planner's messages against the least there are, found by trying every assignment."""

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass

from desk import ASK, BID, Desk

CASES = 10_000
REFUSED = "refused_by_risk"


@dataclass(frozen=True)
class Judge:
    """The hysteresis in plain words: whether an order serves a rung as it is."""

    side: int
    reference: float
    floor: float
    keys: dict[str, float]

    def keeps(self, order: tuple[int, int], rung: tuple[int, int]) -> bool:
        (price, resting), (wanted, amount) = order, rung
        if not amount / 2 <= resting <= amount + amount // 20:
            return False
        away = price - wanted if self.side == BID else wanted - price
        if abs(away) <= self.keys["orders.keep_ticks"]:
            return True
        moved_bps = abs(away) * 0.5 / self.reference * 1e4
        distance = abs(price * 0.5 - self.reference)
        if away > 0:
            return distance >= self.floor and moved_bps <= self.keys["orders.retreat_bps"]
        off = self.keys["orders.off_center_bps"] * 1e-4 * self.reference
        return (distance <= off + abs(wanted * 0.5 - self.reference)
                and moved_bps <= self.keys["orders.requote_bps"])


def least(judge: Judge, live: list[tuple[int, int]], rungs: list[tuple[int, int]]) -> int:
    """Edits and creates of a side at best; an order that can serve or move is never thrown away."""
    few, many = sorted((live, rungs), key=len)
    best = len(few) + len(rungs)
    for chosen in itertools.permutations(range(len(many)), len(few)):
        pairs = [(few[i], many[k]) if few is live else (many[k], few[i])
                 for i, k in enumerate(chosen)]
        edits = sum(not judge.keeps(order, rung) for order, rung in pairs)
        best = min(best, edits + max(len(rungs) - len(live), 0))
    return best


def cancels(live: list[int], rungs: list[int]) -> int:
    """Orders too many go one by one, or with one message where none stays."""
    doomed = sum(max(a - b, 0) for a, b in zip(live, rungs, strict=True))
    return 1 if doomed >= 2 and doomed == sum(live) else doomed


class Table:
    """One desk whose wishes change at random; every answer comes at once."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.keys = {"orders.keep_ticks": 2.0, "orders.retreat_bps": 1.0,
                     "orders.requote_bps": 2.0, "orders.off_center_bps": 10.0}
        self.desk = Desk({"quote.vol_k": 0, "orders.max_updates_per_s": 1000, "risk.stale_ms": 1e9,
                          "orders.max_unanswered": 64, "quote.fee_floor": 0, "risk.max_order_usd":
                          1e6, "inventory.limit_btc": 100, "risk.max_open_orders": 100,
                          "risk.max_mark_deviation_bps": 5000, "risk.price_collar_bps": 5000,
                          "risk.book_silence_ms": 1e9, "risk.ticker_stale_ms": 1e9, **self.keys})
        self.desk.control(14, value=10**9, real=1e9)        # CONTROL_CREDITS
        self.mid = 150_000

    def change(self) -> None:
        rng, engine = self.rng, self.desk.engine
        what = rng.random()
        if what < 0.6:
            self.mid += rng.choice((1, -1)) * rng.choice((3, 14, 20, 31, 60, 90, 150))
            self.desk.snapshot(bid=(self.mid - 1) * 0.5, ask=(self.mid + 1) * 0.5)
        elif what < 0.75:
            engine.configure("quote.levels", rng.randint(1, 4))
        elif what < 0.9:
            engine.configure("quote.level_spacing_bps", rng.choice((1, 2, 4)))
        else:
            engine.configure("quote.size_btc", rng.choice((0.01, 0.015, 0.02, 0.05)))

    def live(self) -> list[list[tuple[int, int]]]:
        sides: list[list[tuple[int, int]]] = [[], []]
        for row in self.desk.market.orders.rows():
            assert row["state"] == "ORDER_LIVE"
            sides[row["side"]].append((row["price_ticks"], row["amount_contracts"]))
        return sides

    def compare(self) -> bool:
        """Change the wish, plan, and compare; False where the gate held something back."""
        desk = self.desk
        for _ in range(self.rng.randint(1, 2)):
            self.change()
        live, refused = self.live(), desk.face.counters()[REFUSED]
        sent = desk.turn()
        wanted = desk.market.quotes()
        if desk.face.counters()[REFUSED] == refused:
            why = desk.market.why()
            at_best = cancels([len(s) for s in live], [len(s) for s in wanted])
            for side in (BID, ASK):
                judge = Judge(side, why["reference_usd"], why["half_floor_usd"], self.keys)
                at_best += least(judge, live[side], wanted[side])
            assert len(sent) == at_best, (live, wanted, sent)
        desk.accept(sent)
        same = desk.face.counters()[REFUSED] == refused
        for _ in range(3):              # what the gate held back may follow now
            desk.accept(desk.turn())
        return same


def test_no_message_too_many(seed: int, figure: Callable[[str], None]) -> None:
    table = Table(random.Random(seed))
    compared = messages = 0
    table.desk.accept(table.desk.turn())
    while compared < CASES:
        before = table.desk.face.counters()
        compared += table.compare()
        after = table.desk.face.counters()
        messages += after["batches"] - before["batches"]
    assert messages > CASES // 10       # the cases ask for something
    assert table.desk.engine.faults.code == 0
    figure(f"{compared} cases, in each as many messages as the least of every assignment; in "
           f"{messages} of them there was something to send (seed {seed})")
