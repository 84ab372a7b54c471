"""The risk gate: every reason it has, on both of its doors, and no limit ever passed."""

from typing import Any

import pytest
from desk import ASK, BID, SECOND, Desk, params, perpetual
from hypothesis import given
from hypothesis import strategies as st

from mmcore.face import GateFace
from mmcore.risk import GateReason, RiskState
from mmcore.types import ActionKind, RemovedReason

NEW, EDIT = ActionKind.ACTION_NEW, ActionKind.ACTION_EDIT
REFERENCE = 75_000.0            # 0.3 BTC are 2250 contracts there


def gate(changes: dict[str, float] | None = None, contracts: int = 0, **facts: Any) -> GateFace:
    face = GateFace(perpetual(), params(changes))
    face.situation(reference=REFERENCE, contracts=contracts, average=REFERENCE, **facts)
    return face


def rest(face: GateFace, slot: int, side: int, price: int, contracts: int) -> None:
    """Put a live order into the table."""
    face.orders.sent(NEW, slot, SECOND, side=side, generation=1, price_ticks=price,
                     amount_contracts=contracts, request_id=slot + 1)
    face.orders.event(SECOND, kind=0, slot=slot, generation=1, request_id=slot + 1,
                      price_ticks=price, amount_contracts=contracts, last_update_ms=1,
                      order_id="A")


def test_an_ordinary_order_passes() -> None:
    assert gate().admit(NEW, 0, BID, 149_962, 150) == "GATE_OK"


@pytest.mark.parametrize("state", ["RISK_PAUSED", "RISK_STOPPED", "RISK_KILLED"])
def test_state(state: str) -> None:
    face = gate()
    assert face.to_state(RiskState[state])
    assert face.admit(NEW, 0, BID, 149_962, 150) == "GATE_STATE"


def test_collar() -> None:
    # 75 bps of 75,000 are 562.5 USD: 74,437.5 is the last price allowed
    assert gate().admit(NEW, 0, BID, 148_875, 150) == "GATE_OK"
    assert gate().admit(NEW, 0, BID, 148_874, 150) == "GATE_COLLAR"
    assert gate().admit(NEW, 10, ASK, 151_126, 150) == "GATE_COLLAR"


def test_venue_band() -> None:
    face = gate(min_price=74_900.0, max_price=75_100.0)
    assert face.admit(NEW, 0, BID, 149_799, 150) == "GATE_BAND"
    assert face.admit(NEW, 0, BID, 149_800, 150) == "GATE_OK"
    assert face.admit(NEW, 10, ASK, 150_201, 150) == "GATE_BAND"


def test_order_size_is_of_what_would_rest() -> None:
    assert gate().admit(NEW, 0, BID, 149_962, 1000) == "GATE_OK"        # 10,000 USD
    assert gate().admit(NEW, 0, BID, 149_962, 1001) == "GATE_ORDER_SIZE"
    face = gate()
    rest(face, 0, BID, 149_962, 900)
    face.orders.event(SECOND, kind=2, slot=0, generation=1, price_ticks=149_962,
                      amount_contracts=900, filled_contracts=900, last_update_ms=2)
    face.orders.fill(0, 1, 900)
    assert face.admit(EDIT, 0, BID, 149_960, 1800) == "GATE_OK"     # 900 of them are filled
    assert face.admit(EDIT, 0, BID, 149_960, 1901) == "GATE_ORDER_SIZE"


def test_lot() -> None:
    face = GateFace(perpetual(min_amount=100), params())
    face.situation(reference=REFERENCE)
    assert face.admit(NEW, 0, BID, 149_962, 15) == "GATE_LOT"
    assert face.admit(NEW, 0, BID, 149_962, 0) == "GATE_LOT"
    assert face.admit(NEW, 0, BID, 149_962, 20) == "GATE_OK"


def test_position_counts_every_order_that_may_fill() -> None:
    face = gate(contracts=2000)
    # 0.3 BTC less 2000 contracts at 75,000; a bid is worth more BTC at its own, lower price
    assert face.admit(NEW, 0, BID, 149_962, 249) == "GATE_OK"
    assert face.admit(NEW, 1, BID, 149_962, 250) == "GATE_POSITION"
    rest(face, 0, BID, 149_962, 150)
    assert face.admit(NEW, 1, BID, 149_950, 99) == "GATE_OK"
    assert face.admit(NEW, 1, BID, 149_950, 100) == "GATE_POSITION"
    assert face.admit(EDIT, 0, BID, 149_950, 150) == "GATE_OK"          # a move adds nothing
    assert face.admit(EDIT, 0, BID, 149_950, 251) == "GATE_POSITION"
    assert face.admit(NEW, 10, ASK, 150_038, 1000) == "GATE_OK"         # the way out is open


def test_an_unknown_order_counts_at_its_larger_amount() -> None:
    face = gate(contracts=2000)
    rest(face, 0, BID, 149_962, 100)
    face.orders.sent(EDIT, 0, SECOND, price_ticks=149_950, amount_contracts=200, request_id=77)
    face.orders.time_out(9 * SECOND, SECOND)
    assert face.admit(NEW, 1, BID, 149_940, 49) == "GATE_OK"
    assert face.admit(NEW, 1, BID, 149_940, 50) == "GATE_POSITION"


def test_a_bid_at_the_limit_may_still_be_moved_away() -> None:
    """Lower down it is worth a little more BTC, but not one contract more."""
    face = gate(contracts=2000)
    rest(face, 0, BID, 149_962, 249)
    assert face.admit(EDIT, 0, BID, 149_700, 249) == "GATE_OK"
    assert face.admit(EDIT, 0, BID, 149_700, 250) == "GATE_POSITION"


def test_the_lower_of_mark_and_reference_counts() -> None:
    face = gate(contracts=2000, mark=74_000.0)      # 0.3 BTC are 2220 contracts at the mark
    assert face.admit(NEW, 0, BID, 149_962, 220) == "GATE_OK"
    assert face.admit(NEW, 0, BID, 149_962, 221) == "GATE_POSITION"


def test_net_counts_the_other_instruments() -> None:
    face = gate()
    assert face.admit(NEW, 0, BID, 149_962, 750, other_net_btc=0.2) == "GATE_NET"
    assert face.admit(NEW, 0, BID, 149_962, 749, other_net_btc=0.2) == "GATE_OK"
    assert face.admit(NEW, 10, ASK, 150_038, 751, other_net_btc=0.2) == "GATE_OK"


def test_open_orders() -> None:
    face = gate({"risk.max_open_orders": 2})
    rest(face, 0, BID, 149_962, 10)
    assert face.admit(NEW, 1, BID, 149_950, 10) == "GATE_OK"
    rest(face, 1, BID, 149_950, 10)
    assert face.admit(NEW, 2, BID, 149_940, 10) == "GATE_OPEN_ORDERS"
    assert face.admit(EDIT, 1, BID, 149_945, 10) == "GATE_OK"


def test_duplicate() -> None:
    face = gate()
    rest(face, 0, BID, 149_962, 10)
    assert face.admit(NEW, 0, BID, 149_950, 10) == "GATE_DUPLICATE"
    face.orders.event(SECOND, kind=2, slot=0, generation=1, price_ticks=149_962,
                      amount_contracts=10, filled_contracts=10, last_update_ms=2, order_state=1)
    assert face.admit(NEW, 0, BID, 149_950, 10) == "GATE_DUPLICATE"     # its fill is not booked
    face.orders.fill(0, 1, 10)
    assert face.admit(NEW, 0, BID, 149_950, 10) == "GATE_OK"


def test_self_cross_looks_at_both_prices_of_an_edit() -> None:
    face = gate()
    rest(face, 10, ASK, 150_038, 10)
    assert face.admit(NEW, 0, BID, 150_037, 10) == "GATE_OK"
    assert face.admit(NEW, 0, BID, 150_038, 10) == "GATE_SELF_CROSS"
    face.orders.sent(EDIT, 10, SECOND, side=ASK, price_ticks=150_010, amount_contracts=10,
                     request_id=77)
    assert face.admit(NEW, 0, BID, 150_010, 10) == "GATE_SELF_CROSS"
    assert face.admit(NEW, 0, BID, 150_009, 10) == "GATE_OK"


def test_post_only_follower_of_an_edit_is_judged_after_it() -> None:
    face = gate()
    rest(face, 10, ASK, 150_038, 10)
    face.orders.sent(EDIT, 10, SECOND, side=ASK, price_ticks=150_080, amount_contracts=10,
                     request_id=77)
    assert face.admit(NEW, 0, BID, 150_060, 10, post_only=True) == "GATE_OK"
    assert face.admit(NEW, 0, BID, 150_060, 10) == "GATE_SELF_CROSS"        # it might take
    face.orders.time_out(9 * SECOND, SECOND)        # now nobody knows where the ask stands
    assert face.admit(NEW, 0, BID, 150_060, 10, post_only=True) == "GATE_SELF_CROSS"


def test_gross_counts_every_instrument_at_its_worst() -> None:
    face = gate({"inventory.gross_limit_btc": 0.1, "inventory.limit_btc": 1})
    rest(face, 10, ASK, 150_038, 700)
    # sold 700 or bought 750: the larger counts; at 75,000 0.1 BTC are 750 contracts
    assert face.admit(NEW, 0, BID, 149_962, 749) == "GATE_OK"
    assert face.admit(NEW, 0, BID, 149_962, 750) == "GATE_GROSS"        # at 74,981


def test_limits_in_usd_hold_where_they_are_tighter() -> None:
    face = gate({"inventory.limit_usd": 7_500})
    assert face.admit(NEW, 10, ASK, 150_038, 750) == "GATE_OK"
    assert face.admit(NEW, 10, ASK, 150_038, 751) == "GATE_NET"
    face = gate({"inventory.gross_limit_usd": 7_500})
    assert face.admit(NEW, 10, ASK, 150_038, 751) == "GATE_GROSS"


def test_leverage() -> None:
    face = gate({"risk.max_leverage": 0.5}, equity=0.1)         # 0.05 BTC: 375 contracts
    assert face.admit(NEW, 10, ASK, 150_038, 375) == "GATE_OK"
    assert face.admit(NEW, 10, ASK, 150_038, 376) == "GATE_LEVERAGE"
    face = gate({"risk.max_leverage": 0.5}, contracts=1000, equity=0.1)
    assert face.admit(NEW, 10, ASK, 150_038, 1000) == "GATE_OK"         # the way out is open


def test_margin() -> None:
    # 0.048 used of 0.1 at most half may be: 0.002 left are 0.1 BTC at 2 %
    face = gate({"risk.margin_use_max": 0.5}, margin=0.048, margin_balance=0.1, margin_rate=0.02)
    assert face.admit(NEW, 10, ASK, 150_038, 750) == "GATE_OK"
    assert face.admit(NEW, 10, ASK, 150_038, 751) == "GATE_MARGIN"


def test_fat_finger() -> None:
    best = (149_999, 150_001)
    face = gate({"risk.fat_finger_bps": 10}, best=best)         # 75.0005 USD through 75,000.5
    assert face.admit(NEW, 0, BID, 150_151, 10) == "GATE_OK"
    assert face.admit(NEW, 0, BID, 150_152, 10) == "GATE_FAT_FINGER"
    assert face.admit(NEW, 10, ASK, 149_850, 10) == "GATE_OK"
    assert face.admit(NEW, 10, ASK, 149_849, 10) == "GATE_FAT_FINGER"


def test_message_rate() -> None:
    face = gate({"risk.max_messages_per_s": 3})
    face.now_ns = SECOND
    assert [face.admit(NEW, 0, BID, 149_962, 10) for _ in range(4)] == [
        "GATE_OK", "GATE_OK", "GATE_OK", "GATE_RATE"]
    face.now_ns += SECOND + 1
    assert face.admit(NEW, 0, BID, 149_962, 10) == "GATE_OK"


def test_an_order_that_says_it_reduces_must() -> None:
    face = gate(contracts=100)
    assert face.admit(NEW, 10, ASK, 150_038, 100, reduce_only=True) == "GATE_OK"
    assert face.admit(NEW, 0, BID, 149_962, 10, reduce_only=True) == "GATE_REDUCE"
    assert gate().admit(NEW, 10, ASK, 150_038, 10, reduce_only=True) == "GATE_REDUCE"
    assert gate().admit(NEW, 0, BID, 149_962, 10, reduce_only=True) == "GATE_REDUCE"


@pytest.mark.parametrize("state", ["RISK_REDUCING", "RISK_PAUSED"])
def test_reducing_passes_towards_zero_and_never_through_it(state: str) -> None:
    face = gate(contracts=100)
    face.to_state(RiskState[state])
    assert face.admit(NEW, 10, ASK, 150_038, 100) == "GATE_OK"
    assert face.admit(NEW, 10, ASK, 150_038, 101) == "GATE_STATE"
    assert face.admit(NEW, 0, BID, 149_962, 10) == "GATE_STATE"
    rest(face, 10, ASK, 150_038, 60)
    assert face.admit(NEW, 11, ASK, 150_040, 41) == "GATE_STATE"        # 60 are on their way
    assert face.admit(NEW, 11, ASK, 150_040, 40) == "GATE_OK"
    # long here, but short in all: selling would take the net further from zero
    assert face.admit(NEW, 11, ASK, 150_040, 10, other_net_btc=-0.2) == "GATE_STATE"


def test_a_batch_holds_no_more_than_it_can() -> None:
    face = gate({"risk.max_open_orders": 1000, "inventory.limit_btc": 100})
    said = [face.admit(NEW, 0, BID, 149_900, 1, again=k > 0) for k in range(65)]
    assert set(said[:64]) == {"GATE_OK"}
    assert said[64] == "GATE_BATCH"
    assert face.gate.refusals() == {"GATE_BATCH": 1}
    assert face.admit(NEW, 0, BID, 149_900, 1) == "GATE_OK"     # the next turn


def test_every_gate_reason_is_counted_by_name() -> None:
    face = gate()
    face.admit(NEW, 0, BID, 148_000, 150)
    face.admit(NEW, 0, BID, 148_000, 150)
    assert face.gate.refusals() == {"GATE_COLLAR": 2}
    assert [r.name for r in GateReason][-1] == "GATE_REASONS"


def test_killed_and_stopped_are_left_by_nobody() -> None:
    face = gate()
    assert face.to_state(RiskState.RISK_STOPPED)
    assert not face.to_state(RiskState.RISK_ACTIVE)
    assert face.to_state(RiskState.RISK_KILLED)
    assert not face.to_state(RiskState.RISK_STOPPED)
    assert not face.to_state(RiskState.RISK_KILLED)
    assert face.gate.state_name == "RISK_KILLED"


# ------------------------------------------------------------------ ladders
BIDS = [(149_962, 150), (149_902, 150), (149_842, 150)]
ASKS = [(150_038, 150), (150_098, 150), (150_158, 150)]


def test_a_ladder_is_cut_to_the_room_left() -> None:
    bids, asks, removed = gate(contracts=2050).approve(BIDS, ASKS)
    assert bids == [(149_962, 150), (149_902, 49)]
    assert asks == ASKS
    assert removed == (RemovedReason.REMOVED_INVENTORY, 0)


@pytest.mark.parametrize("contracts", [2250, 2251, 9000])
def test_at_and_beyond_the_limit_only_the_reducing_side_is_left(contracts: int) -> None:
    bids, asks, removed = gate(contracts=contracts).approve(BIDS, ASKS, reducing=(False, True))
    assert bids == []
    assert asks == ASKS
    assert removed == (RemovedReason.REMOVED_INVENTORY, 0)
    bids, asks, _ = gate(contracts=-contracts).approve(BIDS, ASKS, reducing=(True, False))
    assert (bids, asks) == (BIDS, [])


def test_net_limit_of_the_other_instruments_cuts_too() -> None:
    bids, asks, _ = gate().approve(BIDS, ASKS, other_net_btc=0.29)
    assert bids == [(149_962, 74)]
    assert asks == ASKS


def test_rungs_outside_the_collar_are_left_out() -> None:
    far = [(149_962, 150), (148_000, 150)]
    bids, _, removed = gate().approve(far, ASKS)
    assert bids == [(149_962, 150)]
    assert removed[0] == RemovedReason.REMOVED_COLLAR


def test_a_rung_is_cut_to_the_largest_order() -> None:
    bids, _, _ = gate({"risk.max_order_usd": 1000}).approve(BIDS, ASKS)
    assert bids == [(price, 100) for price, _ in BIDS]


def test_blocked_and_reducing_state() -> None:
    bits = RemovedReason.REMOVED_STALE | RemovedReason.REMOVED_LAG
    assert gate().approve(BIDS, ASKS, blocked=bits) == ([], [], (bits, bits))
    face = gate(contracts=100)
    face.to_state(RiskState.RISK_REDUCING)
    assert face.approve(BIDS, ASKS, reducing=(False, True)) == (        # to zero, not through it
        [], [(150_038, 100)], (RemovedReason.REMOVED_STATE, RemovedReason.REMOVED_INVENTORY))


ORDERS = st.lists(st.tuples(st.integers(0, 19), st.integers(1, 1500), st.integers(0, 3)),
                  max_size=20, unique_by=lambda order: order[0])
RUNGS = st.lists(st.integers(1, 3000), max_size=10)


def worst(face: GateFace, side: int, extra: int = 0) -> float:
    held = face.market.position.contracts
    contracts = (held if side == BID else -held) + face.market.orders.worst(side) + extra
    return perpetual().btc(contracts, REFERENCE)


@given(contracts=st.integers(-4000, 4000), other=st.floats(-0.4, 0.4), orders=ORDERS,
       limit=st.floats(0.01, 0.5), side=st.sampled_from([BID, ASK]), slot=st.integers(0, 9),
       amount=st.integers(1, 2000))
def test_nothing_admitted_passes_a_limit(
        contracts: int, other: float, orders: list[tuple[int, int, int]], limit: float,
        side: int, slot: int, amount: int) -> None:
    face = gate({"inventory.limit_btc": limit, "risk.max_order_usd": 1e9}, contracts=contracts)
    for each, size, what in orders:
        own = BID if each < 10 else ASK
        price = 149_900 - each if own == BID else 150_100 + each
        rest(face, each, own, price, size)
        if what == 1:
            face.orders.sent(EDIT, each, SECOND, price_ticks=price, amount_contracts=2 * size,
                             request_id=100 + each)
        elif what == 2:
            face.orders.sent(ActionKind.ACTION_CANCEL, each, SECOND, request_id=100 + each)
    if any(what == 3 for _, _, what in orders):
        face.orders.lose_all()
    row = {r["slot"]: r for r in face.market.orders.rows()}.get(slot + 10 * side)
    before = worst(face, side)
    known = row["worst_contracts"] if row else 0
    extra = max(amount - known, 0)
    kind = EDIT if row else NEW
    price = 149_900 if side == BID else 150_100
    if face.admit(kind, slot + 10 * side, side, price, amount, other_net_btc=other) != "GATE_OK":
        return
    after = worst(face, side, extra)
    signed_other = other if side == BID else -other
    assert after <= limit + 1e-9 or after <= before + 1e-12
    assert after + signed_other <= limit + 1e-9 or after <= before + 1e-12


@given(contracts=st.integers(-4000, 4000), other=st.floats(-0.4, 0.4), bids=RUNGS, asks=RUNGS,
       limit=st.floats(0.0, 0.5))
def test_nothing_approved_passes_a_limit(contracts: int, other: float, bids: list[int],
                                         asks: list[int], limit: float) -> None:
    face = gate({"inventory.limit_btc": limit}, contracts=contracts)
    found = face.approve([(149_900 - i, n) for i, n in enumerate(bids)],
                         [(150_100 + i, n) for i, n in enumerate(asks)], other_net_btc=other)
    for side in (BID, ASK):
        total = sum(amount for _, amount in found[side])
        own = contracts if side == BID else -contracts
        if total:
            assert perpetual().btc(own + total, REFERENCE) <= limit + 1e-9
            net = perpetual().btc(own + total, REFERENCE) + (other if side == BID else -other)
            assert net <= limit + 1e-9


# ------------------------------------------------------------------ what blocks a market
def blocked(desk: Desk) -> int:
    desk.turn()
    return int(desk.market.why()["removed"][0])


def test_not_blocked() -> None:
    assert blocked(Desk()) == 0


def test_removed_reasons_of_a_market() -> None:
    desk = Desk()
    desk.market.book.drop()
    desk.ticker()
    assert blocked(desk) & RemovedReason.REMOVED_BOOK_INVALID
    desk = Desk({"signals.warmup_s": 120})
    assert blocked(desk) == RemovedReason.REMOVED_WARMUP
    desk = Desk()
    desk.ticker(state=1)
    assert blocked(desk) == RemovedReason.REMOVED_STATE | RemovedReason.REMOVED_CALENDAR
    desk = Desk()
    desk.ticker(mark=75_800.0)      # 105 bps from the mid, 100 allowed
    assert blocked(desk) == RemovedReason.REMOVED_REFERENCE
    desk = Desk(ready=False)
    desk.ticker()
    desk.snapshot()
    assert blocked(desk) == RemovedReason.REMOVED_NOT_READY
