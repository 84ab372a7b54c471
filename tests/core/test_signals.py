"""Mid, micro-price, imbalance, volatility and the reference, by hand, without own orders."""

import pytest
from desk import Desk, perpetual
from hypothesis import given
from hypothesis import strategies as st

from connectors.deribit.feed import DeribitFeed
from connectors.deribit.labels import Labels
from mmcore.types import ControlKind


def reading(desk: Desk) -> dict[str, object]:
    desk.turn()
    return dict(desk.market.signals.read())


def test_mid_micro_and_imbalance() -> None:
    desk = Desk(ready=False)
    desk.ticker()
    desk.face.book(0, [(149_998, 300), (149_990, 200)], [(150_002, 100), (150_010, 400)],
                   desk.now_ns, change_id=1)
    found = reading(desk)
    assert found["mid_usd"] == 75_000.0
    assert found["spread_usd"] == 2.0
    # 300 bid against 100 asked pull it up: (74,999 * 100 + 75,001 * 300) / 400
    assert found["micro_usd"] == 75_000.5
    assert found["imbalance"] == pytest.approx((500 - 500) / 1000)
    desk.engine.configure("signals.imbalance_levels", 1)
    assert reading(desk)["imbalance"] == pytest.approx((300 - 100) / 400)


def test_micro_price_may_be_the_reference() -> None:
    desk = Desk({"quote.micro_price": 1})
    desk.delta([(149_999, 3000)], [])
    found = reading(desk)
    assert found["reference_source"] == "REFERENCE_MICRO"
    assert found["reference_usd"] == pytest.approx(75_000.25)   # (74,999.5 * 1 + 75,000.5 * 3) / 4


@given(st.lists(st.tuples(
    st.sampled_from((0, 20, 90, 100, 350, 900, 1000, 2500)), st.sampled_from((0, 1, -1))),
    min_size=1, max_size=40))
def test_changes_of_the_touch_in_the_last_second(steps: list[tuple[int, int]]) -> None:
    desk = Desk()
    desk.snapshot(ask=75_030.0)
    desk.turn()
    best = 149_999
    told: list[tuple[int, int]] = []        # tenth of a second, 1 up or -1 down
    for i, (ms, move) in enumerate(steps):
        desk.wait(ms)
        desk.delta([(140_000, 10 + i)], [])     # far behind: only that there is a turn
        if move:
            desk.delta([(best, 0), (best + move, 500)], [])
            best += move
            told.append((desk.now_ns // 100_000_000, move))
        found = reading(desk)
        counted = [move for tenth, move in told if tenth > desk.now_ns // 100_000_000 - 10]
        assert (found["top_rate"], found["top_rise"]) == (len(counted), sum(counted))


def test_own_orders_are_not_the_market() -> None:
    desk = Desk()
    actions = desk.turn()
    desk.accept(actions)
    bid = actions[0] if actions[0]["side"] == 0 else actions[1]
    # ours alone stand closer than the others now
    desk.delta([(149_999, 0), (bid["price_ticks"], 150), (149_900, 80)], [])
    found = reading(desk)
    assert found["best_bid_ticks"] == bid["price_ticks"]
    assert found["others_bid_ticks"] == 149_900
    desk.delta([(bid["price_ticks"], 200)], [])     # somebody joined with 50
    assert reading(desk)["others_bid_ticks"] == bid["price_ticks"]


def test_volatility_by_hand() -> None:
    desk = Desk()
    reading(desk)
    desk.wait(1000)
    desk.delta([(149_999, 0), (150_001, 10)], [(150_001, 0), (150_003, 10)])    # mid + 1 USD
    assert reading(desk)["vol_usd"] == pytest.approx(1.0)       # the first move: r^2 / dt
    desk.wait(2000)
    desk.delta([(150_001, 0), (150_009, 10)], [(150_003, 0), (150_011, 10)])    # + 4 USD in 2 s
    weight = 2 ** (-2 / 60)
    expected = weight * 1.0 + (1 - weight) * 16 / 2
    assert reading(desk)["vol_usd"] == pytest.approx(expected**0.5)


def test_volatility_does_not_sample_faster_than_ten_a_second() -> None:
    desk = Desk()
    reading(desk)
    desk.wait(50)
    desk.delta([(149_999, 0), (150_001, 10)], [(150_001, 0), (150_003, 10)])
    assert reading(desk)["vol_usd"] == 0.0


def test_a_resync_is_not_a_price_move() -> None:
    desk = Desk()
    reading(desk)
    desk.wait(1000)
    desk.snapshot(bid=76_000.0, ask=76_001.0)
    assert reading(desk)["vol_usd"] == 0.0


def test_one_sided_or_wide_book_falls_back_to_the_last_trade_then_mark() -> None:
    desk = Desk()
    desk.delta([], [(150_001, 0)])
    assert reading(desk)["reference_source"] == "REFERENCE_MARK"
    assert reading(desk)["reference_usd"] == 75_000.0
    desk.face.trade(0, 0, 150_020, 10, desk.now_ns, excluded=True)      # a block print
    assert reading(desk)["reference_source"] == "REFERENCE_MARK"
    desk.face.trade(0, 0, 150_010, 10, desk.now_ns)
    found = reading(desk)
    assert (found["reference_source"], found["reference_usd"]) == ("REFERENCE_LAST", 75_005.0)
    # 20 bps of 75,000 are 150 USD: 300 ticks are still a mid, 302 are not
    desk.delta([], [(150_299, 10)])
    assert reading(desk)["reference_source"] == "REFERENCE_MID"
    desk.delta([], [(150_299, 0), (150_305, 10)])
    assert reading(desk)["reference_source"] == "REFERENCE_LAST"


def test_nothing_known_is_no_reference() -> None:
    desk = Desk(ready=False)
    assert reading(desk)["reference_source"] == "REFERENCE_NONE"
    desk.control(ControlKind.CONTROL_CONNECTED)
    assert desk.turn() == []


def test_ticker_keeps_what_a_message_lacks() -> None:
    desk = Desk()
    desk.face.ticker(0, desk.now_ns, mark=0.0, index=75_001.0, last=74_990.0,
                     current_funding=0.0001)
    found = reading(desk)
    assert (found["mark_usd"], found["index_usd"]) == (75_000.0, 75_001.0)
    assert (found["last_usd"], found["current_funding"]) == (74_990.0, 0.0001)



def test_the_basis_of_a_dated_contract_is_told_a_year() -> None:
    """75,750 over 75,000 is 1 %; 36.525 days are a tenth of a year: 10 % a year."""
    expiry_ms, tenth_ms = 1_790_000_000_000, 36_525 * 86_400
    spec = perpetual("BTC-27JUN25", expiry_ms=expiry_ms)
    desk = Desk(specs=[spec])
    feed = DeribitFeed(desk.engine, [spec], Labels("mm", run=1, config=1))

    def basis_year(mark: float, timestamp_ms: int) -> object:
        data = (f'{{"instrument_name":"BTC-27JUN25","timestamp":{timestamp_ms},"state":"open",'
                f'"mark_price":{mark},"index_price":75000.0}}')
        feed.payload(b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":'
                     b'"ticker.BTC-27JUN25.raw","data":' + data.encode() + b"}}", desk.now_ns)
        return reading(desk)["basis_year"]

    assert basis_year(75_750.0, expiry_ms - tenth_ms) == pytest.approx(0.1)
    # half the time left, under the index: -0.5 % in a twentieth of a year
    assert basis_year(74_625.0, expiry_ms - tenth_ms // 2) == pytest.approx(-0.1)
    # at its expiry there is no rate any more; the last one stays
    assert basis_year(80_000.0, expiry_ms) == pytest.approx(-0.1)
