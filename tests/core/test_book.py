"""The order book against a dict, and its words about itself."""

from hypothesis import given, settings
from hypothesis import strategies as st

from mmcore.book import BookResult, OrderBook

Levels = list[tuple[int, int]]


def book(bids: Levels, asks: Levels) -> OrderBook:
    found = OrderBook()
    assert found.load(bids, asks, change_id=1) == BookResult.BOOK_SNAPSHOT
    return found


def test_snapshot_then_changes() -> None:
    b = book([(99, 10), (98, 20)], [(101, 5), (103, 7)])
    assert (b.best_bid_ticks, b.best_ask_ticks) == (99, 101)
    assert b.load([(99, 0)], [(102, 4)], change_id=2, prev_change_id=1) == BookResult.BOOK_APPLIED
    assert b.levels(0) == [(98, 20)]
    assert b.levels(1) == [(101, 5), (102, 4), (103, 7)]
    assert b.level_counts == (1, 3)
    assert (b.amount(1, 102), b.amount(1, 104)) == (4, 0)


def test_nothing_applies_before_a_snapshot() -> None:
    b = OrderBook()
    assert b.load([(99, 1)], [], change_id=2, prev_change_id=1) == BookResult.BOOK_IGNORED
    assert not b.valid


def test_a_gap_is_invalid_until_the_next_snapshot() -> None:
    b = book([(99, 10)], [(101, 5)])
    assert b.load([(99, 11)], [], change_id=4, prev_change_id=3) == BookResult.BOOK_GAP
    assert not b.valid
    assert b.load([(99, 11)], [], change_id=2, prev_change_id=1) == BookResult.BOOK_IGNORED
    assert b.load([(98, 1)], [(102, 1)], change_id=9) == BookResult.BOOK_SNAPSHOT
    assert b.valid
    assert b.levels(0) == [(98, 1)]


def test_an_old_message_is_ignored() -> None:
    b = book([(99, 10)], [(101, 5)])
    assert b.load([(99, 0)], [], change_id=1, prev_change_id=0) == BookResult.BOOK_IGNORED
    assert b.valid
    assert b.levels(0) == [(99, 10)]


def test_crossed_and_locked_books_are_invalid() -> None:
    for price in (101, 102):
        b = book([(99, 10)], [(101, 5)])
        assert b.load([(price, 1)], [], change_id=2, prev_change_id=1) == BookResult.BOOK_CROSSED
        assert not b.valid
    assert OrderBook().load([(5, 1)], [(5, 1)], change_id=1) == BookResult.BOOK_CROSSED


def test_one_sided_and_empty_books() -> None:
    b = book([], [(101, 5)])
    assert (b.best_bid_ticks, b.best_ask_ticks) == (None, 101)
    assert b.load([], [(101, 0)], change_id=2, prev_change_id=1) == BookResult.BOOK_APPLIED
    assert (b.best_ask_ticks, b.levels(1), b.level_counts) == (None, [], (0, 0))


def test_far_levels_survive_a_window_move() -> None:
    b = book([(150_000, 1), (10, 7)], [(150_001, 2), (900_000, 8)])
    b.load([(150_000, 0)], [(150_001, 0), (160_000, 3)], change_id=2, prev_change_id=1)
    b.load([(159_999, 4)], [], change_id=3, prev_change_id=2)
    assert b.window_moves > 0
    assert b.levels(0) == [(159_999, 4), (10, 7)]
    assert b.levels(1) == [(160_000, 3), (900_000, 8)]


class Model:
    """Two dicts, an id and a flag."""

    def __init__(self) -> None:
        self.sides: list[dict[int, int]] = [{}, {}]
        self.change_id, self.valid = 0, False

    def put(self, bids: Levels, asks: Levels) -> None:
        for side, rows in enumerate((bids, asks)):
            for price, amount in rows:
                self.sides[side].pop(price, None)
                if amount:
                    self.sides[side][price] = amount

    def apply(self, bids: Levels, asks: Levels, change_id: int, prev: int) -> str:
        if prev < 0:
            self.sides = [{}, {}]
        elif not self.valid or change_id <= self.change_id:
            return "BOOK_IGNORED"
        elif prev != self.change_id:
            self.valid = False
            return "BOOK_GAP"
        self.put(bids, asks)
        self.change_id = change_id
        self.valid = not (self.sides[0] and self.sides[1]
                          and max(self.sides[0]) >= min(self.sides[1]))
        if not self.valid:
            return "BOOK_CROSSED"
        return "BOOK_SNAPSHOT" if prev < 0 else "BOOK_APPLIED"


# The middle wanders by thousands of ticks, so that the window (16,384) must move; some levels
# are far away on purpose.
OFFSETS = st.one_of(st.integers(1, 30), st.integers(1, 9_000), st.integers(20_000, 100_000))
ROWS = st.lists(st.tuples(OFFSETS, st.sampled_from([0, 0, 1, 5, 9_000_000])), max_size=8)
TOUCH = st.sampled_from([True] * 9 + [False])
STEPS = st.lists(st.tuples(st.integers(-6_000, 6_000), ROWS, ROWS, TOUCH,
                           st.sampled_from(["delta"] * 9 + ["snapshot", "gap", "old"])),
                 min_size=1, max_size=40)


@settings(max_examples=150)
@given(STEPS)
def test_book_is_the_dict_model(steps: list[tuple[int, Levels, Levels, bool, str]]) -> None:
    b, model, middle = OrderBook(), Model(), 300_000
    for drift, bid_rows, ask_rows, touch, kind in [(0, [(1, 5)], [(1, 5)], False, "snapshot"),
                                                   *steps]:
        middle += drift
        bids = [(middle - offset, amount) for offset, amount in bid_rows]
        asks = [(middle + offset, amount) for offset, amount in ask_rows]
        if touch:                       # delete what is in the way, as a venue's book does
            bids += [(price, 0) for price in model.sides[0] if price >= middle]
            asks += [(price, 0) for price in model.sides[1] if price <= middle]
        change_id = model.change_id + (0 if kind == "old" else 1)
        prev = {"snapshot": -1, "gap": model.change_id + 7}.get(kind, model.change_id)
        expected = model.apply(bids, asks, change_id, prev)
        found = b.load(bids, asks, change_id=change_id, prev_change_id=prev)
        assert BookResult(found).name == expected
        assert b.valid == model.valid
        for side in (0, 1):
            rows = sorted(model.sides[side].items(), reverse=side == 0)
            assert b.levels(side, 100_000) == rows
            assert b.level_counts[side] == len(rows)
        best = (b.best_bid_ticks, b.best_ask_ticks)
        assert best == (max(model.sides[0], default=None), min(model.sides[1], default=None))
    assert b.dropped_levels == 0
