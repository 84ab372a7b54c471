"""The order state machine, cell by cell: what every signal does in every state."""

from collections.abc import Callable

import pytest

from mmcore.face import next_state
from mmcore.orders import OrderOutcome, OrderSignal, OrderState

NEVER = "never"
STATES = ("CLOSED", "NEW_PENDING", "LIVE", "EDIT_PENDING", "CANCEL_PENDING", "UNKNOWN")
# One row per signal, one column per state in that order; "+" is: cancel it by id, "?" is: another
# cancel would not help, ask. What each row says in words:
TABLE = {
    # a create only into a free slot; an edit only of a live order; a cancel of all that may live
    "SENT_NEW": ("NEW_PENDING", NEVER, NEVER, NEVER, NEVER, NEVER),
    "SENT_EDIT": (NEVER, NEVER, "EDIT_PENDING", NEVER, NEVER, NEVER),
    "SENT_CANCEL": (NEVER, NEVER, *["CANCEL_PENDING"] * 4),
    # open at the venue: live; in doubt where we closed it, or where it answers a cancel
    "OPEN": ("UNKNOWN+", "LIVE", "LIVE", "LIVE", "UNKNOWN+", "LIVE"),
    "OPEN_BEFORE": ("UNKNOWN+", "LIVE", "LIVE", "EDIT_PENDING", "CANCEL_PENDING", "UNKNOWN"),
    # filled, cancelled, rejected: closed, whatever we believed
    "CLOSED": ("CLOSED",) * 6,
    # a request without effect: a create never was, an edit or cancel leaves the order to cancel
    "REFUSED": ("CLOSED", "CLOSED", *["LIVE+"] * 4),
    # the order is gone: how it ended only the venue knows
    "GONE": ("CLOSED", "CLOSED", *["UNKNOWN?"] * 4),
    # perhaps it had effect: a create is asked for, an edited or cancelled order is cancelled by id
    "UNSURE": ("CLOSED", "UNKNOWN", "LIVE+", *["UNKNOWN+"] * 3),
    # no answer: as doubtful, but an order whose new state was already told is what was told
    "TIMEOUT": ("CLOSED", "UNKNOWN", "LIVE", "UNKNOWN+", "UNKNOWN+", "UNKNOWN"),
    # nothing to cancel over: the next connection cancels everything
    "LOST": ("CLOSED", *["UNKNOWN"] * 5),
    # not in a query: proves nothing while a create or edit is on its way
    "ABSENT": ("CLOSED", "NEW_PENDING", "CLOSED", "UNKNOWN+", "CLOSED", "CLOSED"),
    # it ended, and a mass quote under way may have put another in its place: that one is new
    "PASSED_ON": ("CLOSED", "NEW_PENDING", "UNKNOWN", "NEW_PENDING", "UNKNOWN", "UNKNOWN"),
}
CELLS = [(state, signal, after) for signal, row in TABLE.items()
         for state, after in zip(STATES, row, strict=True)]


def test_table_names_every_state_and_signal(figure: Callable[[str], None]) -> None:
    assert [s.name for s in OrderState][:-1] == [f"ORDER_{name}" for name in STATES]
    assert {s.name for s in OrderSignal} - {"SIGNALS"} == {f"SIGNAL_{name}" for name in TABLE}
    assert len(CELLS) == 6 * 13
    figure(f"{len(STATES)} states, {len(TABLE)} signals, each of the {len(CELLS)} cells is a case")


@pytest.mark.parametrize("doubted", [False, True])
@pytest.mark.parametrize(("state", "signal", "cell"), CELLS)
def test_transition(state: str, signal: str, cell: str, doubted: bool) -> None:
    after = cell.rstrip("+?")
    found, outcome, must_cancel = next_state(
        OrderState[f"ORDER_{state}"], OrderSignal[f"SIGNAL_{signal}"], doubted)
    if cell == NEVER:
        assert OrderState(found).name == f"ORDER_{state}"       # an impossible signal moves nothing
        assert outcome == OrderOutcome.OUTCOME_INVALID
        assert must_cancel == doubted
        return
    assert OrderState(found).name == f"ORDER_{after}"
    assert bool(outcome & OrderOutcome.OUTCOME_CHANGED) == (after != state)
    assert bool(outcome & OrderOutcome.OUTCOME_UNKNOWN) == (after == "UNKNOWN")
    assert must_cancel == (cell[-1] == "+" or (doubted and after != "CLOSED" and cell[-1] != "?"))
