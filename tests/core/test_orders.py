"""One order followed through the venue's words in every order, and what may fill meanwhile."""

from typing import Any

import pytest
from desk import ASK, BID, MS, SECOND

from connectors.deribit.codes import refusal_of
from mmcore.face import TableFace
from mmcore.orders import OrderOutcome, OrderTable
from mmcore.types import ActionKind, OrderEventKind, VenueOrderState


class Slot:
    """Slot 0 of a table, and short words for what happens to it."""

    def __init__(self) -> None:
        self.face = TableFace(OrderTable())
        self.generation = 0

    def new(self, request_id: int = 11, price: int = 100, amount: int = 10) -> None:
        self.generation += 1
        self.face.sent(ActionKind.ACTION_NEW, 0, SECOND, side=BID, generation=self.generation,
                       price_ticks=price, amount_contracts=amount, request_id=request_id)

    def edit(self, request_id: int = 12, price: int = 101, amount: int = 10) -> None:
        self.face.sent(ActionKind.ACTION_EDIT, 0, SECOND, generation=self.generation,
                       price_ticks=price, amount_contracts=amount, request_id=request_id)

    def cancel(self, request_id: int = 13) -> None:
        self.face.sent(ActionKind.ACTION_CANCEL, 0, SECOND, request_id=request_id)

    def says(self, *, request_id: int = 0, price: int = 100, amount: int = 10, filled: int = 0,
             ms: int = 1, state: int = VenueOrderState.VENUE_ORDER_OPEN,
             generation: int | None = None, order_id: str = "ETH-1") -> int:
        kind = (OrderEventKind.ORDER_EVENT_ACCEPTED if request_id
                else OrderEventKind.ORDER_EVENT_UPDATE)
        return self.face.event(
            SECOND, kind=kind, slot=0, request_id=request_id, price_ticks=price,
            generation=self.generation if generation is None else generation,
            amount_contracts=amount, filled_contracts=filled, last_update_ms=ms,
            order_state=state, order_id=order_id, request=request_id >> 44)

    def refuses(self, code: int, request_id: int) -> int:
        return self.face.event(SECOND, kind=OrderEventKind.ORDER_EVENT_REFUSED, slot=0,
                               generation=self.generation, request_id=request_id,
                               error_code=code, refusal=refusal_of(code))

    @property
    def row(self) -> dict[str, Any]:
        rows = self.face.table.rows()
        return dict(rows[0]) if rows else {"state": "ORDER_CLOSED", "worst_contracts": 0}

    @property
    def state(self) -> str:
        return str(self.row["state"]).removeprefix("ORDER_")

    @property
    def worst(self) -> int:
        return self.face.table.worst(BID)


FILLED = VenueOrderState.VENUE_ORDER_FILLED
CANCELLED = VenueOrderState.VENUE_ORDER_CANCELLED


def test_a_new_order_counts_before_the_venue_answers() -> None:
    slot = Slot()
    slot.new()
    assert (slot.state, slot.worst, slot.face.table.worst(ASK)) == ("NEW_PENDING", 10, 0)
    slot.says(request_id=11)
    assert (slot.state, slot.worst) == ("LIVE", 10)


def test_notification_before_the_answer_to_a_create() -> None:
    slot = Slot()
    slot.new()
    slot.says()
    assert (slot.state, slot.row["request"]) == ("LIVE", ActionKind.ACTION_NEW)
    slot.says(request_id=11)
    assert (slot.state, slot.row["request"]) == ("LIVE", 0)


def test_filled_before_the_answer_to_a_create() -> None:
    slot = Slot()
    slot.new()
    slot.says(filled=10, state=FILLED, ms=5)
    assert slot.state == "CLOSED"
    assert slot.worst == 10                         # until the trade itself is booked
    slot.says(request_id=11, ms=4)                  # the answer is older news
    assert slot.state == "CLOSED"
    assert slot.face.fill(0, 1, 10)
    assert (slot.worst, slot.face.table.open_count) == (0, 0)


def test_a_trade_may_come_before_the_order_that_says_filled() -> None:
    slot = Slot()
    slot.new()
    slot.says(request_id=11)
    slot.face.fill(0, 1, 4)
    assert slot.worst == 6
    slot.says(filled=4, ms=2)
    assert slot.worst == 6


def test_old_state_during_an_edit_is_not_its_answer() -> None:
    slot = Slot()
    slot.new()
    slot.says(request_id=11)
    slot.edit(price=105, amount=20)
    assert slot.worst == 20                         # the larger of both may fill
    slot.says(filled=3, ms=2)                       # a fill at the old price meanwhile
    assert slot.state == "EDIT_PENDING"
    slot.says(price=105, amount=20, filled=3, ms=3)     # the notification of the edit …
    assert slot.state == "LIVE"
    slot.says(request_id=12, price=105, amount=20, filled=3, ms=3)      # … and its answer
    assert (slot.state, slot.row["price_ticks"], slot.row["request"]) == ("LIVE", 105, 0)


def test_edit_answer_older_than_a_fill_after_it() -> None:
    slot = Slot()
    slot.new()
    slot.says(request_id=11)
    slot.edit(price=105, amount=8)
    slot.says(price=105, amount=8, filled=2, ms=9)
    slot.says(request_id=12, price=105, amount=8, filled=0, ms=8)
    assert (slot.state, slot.row["filled_contracts"], slot.worst) == ("LIVE", 2, 8)
    assert slot.row["request"] == 0


def test_a_refused_edit_leaves_the_old_order_live_and_counted() -> None:
    slot = Slot()
    slot.new()
    slot.says(request_id=11)
    slot.edit(price=105, amount=30)
    outcome = slot.refuses(10028, 12)
    assert outcome & OrderOutcome.OUTCOME_REJECTED
    assert (slot.state, slot.row["price_ticks"], slot.worst) == ("LIVE", 100, 10)


def test_an_edit_refused_for_crossing_has_cancelled_the_order() -> None:
    slot = Slot()
    slot.new()
    slot.says(request_id=11)
    slot.edit()
    outcome = slot.refuses(11054, 12)
    assert outcome & OrderOutcome.OUTCOME_POST_ONLY
    assert slot.state == "CLOSED"


@pytest.mark.parametrize("code", [10001, 10040, 10050, 11051, 11094, 13028, 13888])
def test_doubtful_errors_make_a_create_unknown(code: int) -> None:
    slot = Slot()
    slot.new()
    assert slot.refuses(code, 11) & OrderOutcome.OUTCOME_UNKNOWN
    assert (slot.state, slot.worst, slot.face.table.unknown_count) == ("UNKNOWN", 10, 1)


@pytest.mark.parametrize("code", [11044, 11008, 10010, 10004])
def test_cancel_of_an_order_that_is_gone_waits_for_its_end(code: int) -> None:
    slot = Slot()
    slot.new()
    slot.says(request_id=11)
    slot.cancel()
    slot.refuses(code, 13)
    assert (slot.state, slot.worst) == ("UNKNOWN", 10)
    slot.says(filled=10, state=FILLED, ms=2)
    assert (slot.state, slot.worst) == ("CLOSED", 10)
    slot.face.fill(0, 1, 10)
    assert slot.worst == 0


def test_an_end_counts_even_when_it_looks_old() -> None:
    slot = Slot()
    slot.new()
    slot.says(request_id=11, ms=50)
    slot.cancel()
    slot.says(request_id=13, state=CANCELLED, ms=40)
    assert (slot.state, slot.row["worst_contracts"]) == ("CLOSED", 0)


def test_a_timeout_is_unknown_until_the_venue_speaks() -> None:
    slot = Slot()
    slot.new()
    assert slot.face.time_out(2 * SECOND, SECOND) == 0
    assert slot.face.time_out(2 * SECOND + 1, SECOND) == 1
    assert (slot.state, slot.worst) == ("UNKNOWN", 10)
    assert slot.face.time_out(9 * SECOND, SECOND) == 0      # once
    slot.says(ms=7)
    assert slot.state == "LIVE"


def test_absence_resolves_an_unknown_order_but_not_one_in_flight() -> None:
    slot = Slot()
    slot.new()
    slot.face.absent(0)
    assert slot.state == "NEW_PENDING"
    slot.face.time_out(9 * SECOND, SECOND)
    slot.face.absent(0)
    assert (slot.state, slot.worst) == ("CLOSED", 0)


def test_an_unanswered_edit_of_unknown_effect_counts_at_both_amounts() -> None:
    slot = Slot()
    slot.new(amount=10)
    slot.says(request_id=11)
    slot.edit(price=90, amount=25)
    slot.face.time_out(9 * SECOND, SECOND)
    assert (slot.state, slot.worst) == ("UNKNOWN", 25)
    slot.cancel(request_id=14)
    assert (slot.state, slot.worst) == ("CANCEL_PENDING", 25)


def test_lost_connection_makes_every_order_unknown() -> None:
    slot = Slot()
    slot.new()
    slot.says(request_id=11)
    assert slot.face.lose_all() == 1
    assert (slot.state, slot.worst) == ("UNKNOWN", 10)
    assert slot.says(request_id=11, ms=3) & OrderOutcome.OUTCOME_CHANGED


def test_words_about_an_earlier_order_of_the_slot_are_strays() -> None:
    slot = Slot()
    slot.new()
    slot.says(request_id=11, state=CANCELLED)
    slot.new(request_id=21)
    assert slot.says(state=CANCELLED, generation=1, ms=9) == OrderOutcome.OUTCOME_STRAY
    assert slot.refuses(10028, 11) == OrderOutcome.OUTCOME_STRAY
    assert not slot.face.fill(0, 1, 5)
    assert slot.state == "NEW_PENDING"


def test_taking_over_the_position_books_what_was_filled_and_unbooks_nothing() -> None:
    slot = Slot()
    slot.new()
    slot.says(request_id=11)
    slot.face.fill(0, 1, 4)                         # the trade came first
    slot.face.all_booked()
    slot.says(filled=4, state=CANCELLED, ms=2)
    assert slot.worst == 0
    other = Slot()
    other.new()
    other.says(request_id=11, filled=4, state=CANCELLED)
    assert other.worst == 4
    other.face.all_booked()
    assert other.worst == 0


def test_a_slot_in_use_takes_no_second_order() -> None:
    slot = Slot()
    slot.new()
    slot.new(request_id=99)
    assert slot.face.table.invalid_transitions == 1
    assert slot.face.table.open_count == 1


def test_times_are_the_callers(seed: int) -> None:
    slot = Slot()
    slot.new()
    assert slot.row["sent_ns"] == SECOND
    assert slot.face.time_out(SECOND + 100 * MS, 200 * MS) == 0


# ------------------------------------------------------------------ mass quotes name a place
MASS = int(ActionKind.ACTION_MASS_QUOTE) << 44 | 77
FILLED = VenueOrderState.VENUE_ORDER_FILLED
CANCELLED = VenueOrderState.VENUE_ORDER_CANCELLED


def requoted() -> Slot:
    """A live order A of 10 under a mass quote of 12."""
    slot = Slot()
    slot.new()
    slot.says(request_id=11, order_id="A")
    assert slot.row["worst_contracts"] == 10
    slot.edit(request_id=MASS, amount=12)
    return slot


def test_an_order_and_the_one_a_mass_quote_may_make_both_count() -> None:
    slot = requoted()
    assert slot.row["worst_contracts"] == 22
    slot.says(request_id=MASS, price=101, amount=12, ms=2, order_id="A")
    assert (slot.state, slot.row["worst_contracts"]) == ("LIVE", 12)


def test_an_order_filled_before_its_mass_quote_is_followed_by_another() -> None:
    slot = requoted()
    slot.says(amount=10, filled=10, ms=2, state=FILLED, order_id="A")
    assert (slot.state, slot.row["worst_contracts"]) == ("NEW_PENDING", 22)
    assert slot.face.fill(0, slot.generation, 10)
    assert slot.row["worst_contracts"] == 12
    slot.says(price=101, amount=12, ms=3, order_id="B")
    assert (slot.state, slot.row["order_id"]) == ("LIVE", "B")
    slot.says(amount=10, filled=10, ms=2, state=FILLED, order_id="A")      # told twice
    assert (slot.state, slot.row["worst_contracts"]) == ("LIVE", 12)
    slot.says(request_id=MASS, price=101, amount=12, ms=3, order_id="B")
    slot.says(price=101, amount=12, filled=12, ms=4, state=FILLED, order_id="B")
    assert slot.row["worst_contracts"] == 12        # closed, and not booked yet
    slot.face.fill(0, slot.generation, 12)
    assert slot.state == "CLOSED"
    assert not slot.face.table.rows()


def test_an_order_filled_after_its_mass_quote_is_followed_by_none() -> None:
    slot = requoted()
    slot.says(price=101, amount=12, filled=12, ms=3, state=FILLED, order_id="A")
    assert slot.row["worst_contracts"] == 24
    slot.face.fill(0, slot.generation, 12)
    slot.says(request_id=MASS, price=101, amount=12, ms=2, order_id="A")
    assert not slot.face.table.rows()


def test_another_order_may_be_told_of_before_the_end_of_the_first() -> None:
    slot = requoted()
    slot.says(request_id=MASS, price=101, amount=12, ms=3, order_id="B")
    assert (slot.state, slot.row["worst_contracts"]) == ("LIVE", 22)    # the first may have filled
    slot.says(amount=10, filled=4, ms=2, state=CANCELLED, order_id="A")
    assert (slot.state, slot.row["worst_contracts"]) == ("LIVE", 16)    # 4 of it did
    slot.face.fill(0, slot.generation, 4)
    assert slot.row["worst_contracts"] == 12


def test_a_mass_quote_without_an_answer_is_doubted_until_both_orders_are_known_to_be_gone() -> None:
    slot = requoted()
    assert slot.face.time_out(3 * SECOND, SECOND) == 1
    assert (slot.state, slot.row["must_cancel"]) == ("UNKNOWN", True)
    slot.cancel(request_id=13)
    slot.says(request_id=13, ms=2, state=CANCELLED, order_id="A")
    assert (slot.state, slot.row["order_id"]) == ("UNKNOWN", "")
    assert slot.row["worst_contracts"] == 12
    slot.face.event(SECOND, kind=OrderEventKind.ORDER_EVENT_ABSENT, slot=0,
                    generation=slot.generation)
    assert not slot.face.table.rows()


def test_what_a_doubtful_mass_quote_made_is_cancelled_by_its_own_id() -> None:
    slot = requoted()
    slot.refuses(13028, MASS)
    assert slot.row["worst_contracts"] == 22
    slot.says(price=101, amount=12, ms=3, order_id="B")
    assert (slot.row["order_id"], slot.row["must_cancel"]) == ("B", True)
    slot.says(amount=10, filled=10, ms=2, state=FILLED, order_id="A")
    slot.face.fill(0, slot.generation, 10)
    assert slot.row["worst_contracts"] == 12


def test_a_position_taken_over_has_what_the_first_order_filled() -> None:
    slot = requoted()
    slot.says(request_id=MASS, price=101, amount=12, ms=3, order_id="B")
    slot.face.all_booked()
    assert slot.row["worst_contracts"] == 12
    slot.says(amount=10, filled=4, ms=2, state=CANCELLED, order_id="A")
    assert slot.row["worst_contracts"] == 12
