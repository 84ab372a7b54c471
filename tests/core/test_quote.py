"""The quoting model with figures by hand, and what must hold in every situation."""

import math

import pytest
from desk import linear, params, perpetual
from hypothesis import given
from hypothesis import strategies as st

from mmcore.face import Quoter, compute_quotes
from mmcore.types import InstrumentSpec, RemovedReason

# At 75,000 USD one bp is 7.5 USD, one tick 0.5 USD, one contract 10 USD.
REFERENCE = 75_000.0
TOUCH = {"bid_ticks": 149_999, "ask_ticks": 150_001}
WIDE = {"bid_ticks": 149_990, "ask_ticks": 150_010}


def test_flat_and_calm_by_hand() -> None:
    quotes = compute_quotes(perpetual(), params(), reference=REFERENCE, **TOUCH)
    assert quotes["half_usd"] == pytest.approx(18.75)           # 2.5 bps
    assert quotes["half_floor_usd"] == pytest.approx(15.0)      # 1.5 bps fee + half of 1 bp
    # 74,981.25 down to 74,981.0; 75,018.75 up to 75,019.0; 0.02 BTC = 1500 USD = 150 contracts
    assert quotes["bids"] == [(149_962, 150)]
    assert quotes["asks"] == [(150_038, 150)]
    assert quotes["reducing"] == (False, False)


def test_volatility_widens() -> None:
    quotes = compute_quotes(perpetual(), params(), reference=REFERENCE, vol_usd=5.0, **TOUCH)
    assert quotes["half_vol_usd"] == pytest.approx(15.8113883)      # 1.0 * 5 * sqrt(10)
    assert quotes["half_usd"] == pytest.approx(18.75 + 15.8113883)


def test_minimum_in_usd_and_in_bps() -> None:
    narrow = {"quote.base_half_spread_bps": 0.0, "quote.fee_floor": 0.0}
    quotes = compute_quotes(perpetual(), params(narrow), reference=REFERENCE, **TOUCH)
    assert quotes["half_usd"] == pytest.approx(7.5)             # 1 bp is more than 2.5 USD
    quotes = compute_quotes(perpetual(), params(narrow), reference=10_000.0)
    assert quotes["half_usd"] == pytest.approx(2.5)             # 1 bp is 1 USD there


def test_fee_floor_binds_the_adding_side_only() -> None:
    thin = {"quote.base_half_spread_bps": 0.0, "quote.skew_usd_at_limit": 0.0}
    quotes = compute_quotes(perpetual(), params(thin), reference=REFERENCE, net_btc=0.1,
                            contracts=750, **TOUCH)
    assert quotes["reducing"] == (False, True)
    assert quotes["bids"][0][0] == 149_970                      # 15 USD away: the floor
    assert quotes["asks"][0][0] == 150_000                      # no floor, no minimum
    rebate = perpetual(maker_fee=-0.00005)
    quotes = compute_quotes(rebate, params(thin), reference=REFERENCE, **TOUCH)
    assert quotes["half_floor_usd"] == pytest.approx(0.0)       # -3.75 + 3.75


def test_long_skews_down_by_the_stated_usd_at_the_limit() -> None:
    long = compute_quotes(perpetual(), params(), reference=REFERENCE, net_btc=0.3,
                          contracts=2250, **TOUCH)
    assert long["skew_usd"] == pytest.approx(-35.0)
    half = compute_quotes(perpetual(), params(), reference=REFERENCE, net_btc=0.15,
                          contracts=1125, **TOUCH)
    assert half["skew_usd"] == pytest.approx(-17.5)
    # vol above the 0.7 bps reference counts squared: (10.5 / 5.25)^2 = 4; cap 8 bps = 60 USD
    wild = compute_quotes(perpetual(), params(), reference=REFERENCE, net_btc=0.1,
                          contracts=750, vol_usd=10.5, **TOUCH)
    assert wild["skew_usd"] == pytest.approx(-35.0 / 3 * 4)
    capped = compute_quotes(perpetual(), params(), reference=REFERENCE, net_btc=0.3,
                            contracts=2250, vol_usd=10.5, **TOUCH)
    assert capped["skew_usd"] == pytest.approx(-60.0)


def test_gamma_by_hand() -> None:
    # r - s = -q gamma sigma^2 tau = -0.1 * 2 * 3^2 * 10 = -18 USD
    quotes = compute_quotes(perpetual(), params({"quote.gamma": 2.0}), reference=REFERENCE,
                            net_btc=0.1, contracts=750, vol_usd=3.0, **TOUCH)
    assert quotes["skew_usd"] == pytest.approx(-18.0)


def test_bids_dominate_bid_tighter_and_ask_further() -> None:
    quotes = compute_quotes(perpetual(), params({"quote.imbalance_shift_bps": 1.0}),
                            reference=REFERENCE, imbalance=0.5, **TOUCH)
    assert quotes["alpha_usd"] == pytest.approx(3.75)
    assert quotes["bids"][0][0] == 149_970      # 75,003.75 - 18.75 = 74,985.0
    assert quotes["asks"][0][0] == 150_045      # 75,022.5


@pytest.mark.parametrize(("share", "adding", "reducing"), [
    (0.0, 150, 150), (1 / 3, 112, 200), (2 / 3, 75, 250), (1.0, 37, 300), (1.5, 37, 300)])
def test_adding_size_is_half_at_two_thirds_and_reducing_doubles(share: float, adding: int,
                                                                reducing: int) -> None:
    contracts = round(share * 0.3 * 7500)
    quotes = compute_quotes(perpetual(), params(), reference=REFERENCE, net_btc=share * 0.3,
                            contracts=contracts, **TOUCH)
    assert quotes["bids"][0][1] == adding
    assert quotes["asks"][0][1] == (reducing if contracts else adding)


def test_reducing_size_is_at_most_the_position_and_one_base_size() -> None:
    # net delta of other instruments is 0.3, this one holds ten contracts: 10 + 150, not 300
    quotes = compute_quotes(perpetual(), params(), reference=REFERENCE, net_btc=0.3,
                            contracts=10, **TOUCH)
    assert quotes["asks"][0][1] == 160


def test_capped_reducing_size_is_whole_lots() -> None:
    lots = perpetual(min_amount=100)            # ten contracts a lot
    quotes = compute_quotes(lots, params(), reference=REFERENCE, net_btc=0.3, contracts=7, **TOUCH)
    assert quotes["asks"][0][1] == 150


def test_ladder_spacing() -> None:
    ladder = {"quote.levels": 3.0, "quote.level_spacing_bps": 4.0}
    quotes = compute_quotes(perpetual(), params(ladder), reference=REFERENCE, **TOUCH)
    # 18.75, 48.75 and 78.75 USD away
    assert [price for price, _ in quotes["bids"]] == [149_962, 149_902, 149_842]
    assert [price for price, _ in quotes["asks"]] == [150_038, 150_098, 150_158]
    tight = {"quote.levels": 3.0, "quote.level_spacing_bps": 0.0}
    quotes = compute_quotes(perpetual(), params(tight), reference=REFERENCE, **TOUCH)
    assert [price for price, _ in quotes["bids"]] == [149_962, 149_961, 149_960]


def test_too_wide_stands_aside_on_the_adding_sides() -> None:
    quotes = compute_quotes(perpetual(), params(), reference=REFERENCE, vol_usd=100.0,
                            net_btc=0.1, contracts=750, **TOUCH)
    assert quotes["removed"] == (RemovedReason.REMOVED_WIDTH, 0)
    assert quotes["bids"] == []
    assert quotes["asks"]


def test_no_reference_and_no_size() -> None:
    quotes = compute_quotes(perpetual(), params(), reference=0.0)
    assert quotes["removed"] == (RemovedReason.REMOVED_REFERENCE,) * 2
    quotes = compute_quotes(perpetual(), params({"quote.size_btc": 0.00001}), reference=REFERENCE)
    assert quotes["removed"] == (RemovedReason.REMOVED_SIZE,) * 2


def test_reducing_quote_stops_one_tick_ahead_of_the_touch() -> None:
    skewed = {"quote.skew_usd_at_limit": 55.0, "quote.max_skew_bps": 100.0}
    quotes = compute_quotes(perpetual(), params(skewed), reference=REFERENCE, net_btc=0.3,
                            contracts=2250, bid_ticks=149_990, ask_ticks=150_010)
    assert quotes["asks"][0][0] == 150_009


def test_adding_quote_never_stands_through_mid() -> None:
    pushed = {"quote.imbalance_shift_bps": 10.0, "quote.max_alpha_bps": 10.0,
              "quote.fee_floor": 0.0}
    quotes = compute_quotes(perpetual(), params(pushed), reference=REFERENCE, imbalance=1.0,
                            bid_ticks=149_999, ask_ticks=160_000)
    assert quotes["bids"][0][0] == 150_000      # 75,075 - 18.75 would be above the reference


STEPPED = InstrumentSpec("STEP", tick_size=0.5, contract_size=10, maker_fee=0.00015,
                         tick_steps=[(50_000, 2.5)])


def check_price(spec: InstrumentSpec, ticks: int) -> None:
    assert spec.round_down(spec.price(ticks)) == ticks
    assert spec.round_up(spec.price(ticks)) == ticks


SITUATIONS = st.fixed_dictionaries({
    "mid": st.integers(40_000, 400_000), "width": st.integers(1, 200),
    "vol_usd": st.floats(0.0, 40.0), "imbalance": st.floats(-1.0, 1.0),
    "contracts": st.integers(-4_000, 4_000), "other_btc": st.floats(-0.3, 0.3),
    "levels": st.integers(1, 10), "spacing": st.floats(0.0, 10.0),
    "base": st.floats(0.0, 10.0), "fee_floor": st.sampled_from([0.0, 1.0]),
    "shift": st.floats(0.0, 5.0), "skew": st.floats(0.0, 200.0)})


def settings_of(s: dict[str, float]) -> dict[str, float]:
    return {"quote.levels": s["levels"], "quote.level_spacing_bps": s["spacing"],
            "quote.base_half_spread_bps": s["base"], "quote.fee_floor": s["fee_floor"],
            "quote.imbalance_shift_bps": s["shift"], "quote.skew_usd_at_limit": s["skew"]}


@given(s=SITUATIONS, stepped=st.booleans())
def test_quotes_are_valid_ordered_and_never_cross(s: dict[str, float], stepped: bool) -> None:
    spec = STEPPED if stepped else perpetual()
    bid, ask = int(s["mid"]) - int(s["width"]), int(s["mid"]) + int(s["width"])
    if stepped:
        bid, ask = spec.round_down(spec.price(bid)), spec.round_up(spec.price(ask))
    reference = spec.price(bid + ask) / 2
    contracts = int(s["contracts"])
    net = spec.btc(contracts, reference) + s["other_btc"]
    quotes = compute_quotes(spec, params(settings_of(s)), reference=reference, bid_ticks=bid,
                            ask_ticks=ask, vol_usd=s["vol_usd"], imbalance=s["imbalance"],
                            net_btc=net, contracts=contracts)
    bids = [price for price, _ in quotes["bids"]]
    asks = [price for price, _ in quotes["asks"]]
    assert bids == sorted(set(bids), reverse=True)
    assert asks == sorted(set(asks))
    assert all(price < ask for price in bids)
    assert all(price > bid for price in asks)
    if bids and asks:
        assert bids[0] < asks[0]
    for price, amount in quotes["bids"] + quotes["asks"]:
        check_price(spec, price)
        assert amount > 0
        assert amount % spec.lot_contracts == 0
    floor = quotes["half_floor_usd"] - 1e-6
    fair = reference + quotes["alpha_usd"]
    assert quotes["reducing"][0] or all(fair - spec.price(price) >= floor for price in bids)
    assert quotes["reducing"][1] or all(spec.price(price) - fair >= floor for price in asks)


@given(s=SITUATIONS, more=st.integers(0, 2_000))
def test_more_inventory_never_raises_the_bid(s: dict[str, float], more: int) -> None:
    spec = perpetual()
    bid, ask = int(s["mid"]) - int(s["width"]), int(s["mid"]) + int(s["width"])
    reference = spec.price(int(s["mid"]))
    found = []
    for contracts in (int(s["contracts"]), int(s["contracts"]) + more):
        quotes = compute_quotes(
            spec, params(settings_of(s)), reference=reference, bid_ticks=bid, ask_ticks=ask,
            vol_usd=s["vol_usd"], imbalance=s["imbalance"],
            net_btc=spec.btc(contracts, reference), contracts=contracts)
        found.append((quotes["bids"][0][0] if quotes["bids"] else -1, quotes["reducing"][0]))
    # a reducing quote stops at the touch plus one tick; an adding one inside a wide spread may not
    if found[0][1] == found[1][1] or int(s["width"]) == 1:
        assert found[1][0] <= found[0][0]


@given(s=SITUATIONS)
def test_mirror_market_gives_mirror_quotes(s: dict[str, float]) -> None:
    spec, reference = perpetual(), spec_price(int(s["mid"]))
    width, mid, contracts = int(s["width"]), int(s["mid"]), int(s["contracts"])
    net = spec.btc(contracts, reference)
    common = {"reference": reference, "bid_ticks": mid - width, "ask_ticks": mid + width,
              "vol_usd": s["vol_usd"]}
    one = compute_quotes(spec, params(settings_of(s)), imbalance=s["imbalance"], net_btc=net,
                         contracts=contracts, **common)         # type: ignore[arg-type]
    other = compute_quotes(spec, params(settings_of(s)), imbalance=-s["imbalance"], net_btc=-net,
                           contracts=-contracts, **common)      # type: ignore[arg-type]
    assert one["bids"] == [(2 * mid - price, amount) for price, amount in other["asks"]]
    assert one["asks"] == [(2 * mid - price, amount) for price, amount in other["bids"]]


def spec_price(ticks: int) -> float:
    return perpetual().price(ticks)


def test_linear_contract_quotes_the_same_btc() -> None:
    quotes = compute_quotes(linear(), params(), reference=REFERENCE, bid_ticks=29_999,
                            ask_ticks=30_001)
    assert quotes["bids"][0][1] == 200          # 0.02 BTC in steps of 0.0001


@pytest.mark.parametrize("vol_usd", [0.0, 5.25, 15.0, 40.0])
@pytest.mark.parametrize("factor", [1.0, 1.5, 3.0])
@pytest.mark.parametrize("round_trip_ns", [0, 400_000_000])
def test_the_reducing_quote_at_the_limit_is_at_the_touch(vol_usd: float, factor: float,
                                                         round_trip_ns: int) -> None:
    """Width, factors and pads are for adding: who must get out stands at the touch."""
    situation = {"reference": REFERENCE, "vol_usd": vol_usd, "spread_factor": factor,
                 "round_trip_ns": round_trip_ns, **WIDE}
    keys = params({"quote.latency_z": 2.0, "quote.max_half_spread_bps": 5000.0})
    long = compute_quotes(perpetual(), keys, net_btc=0.3, contracts=2250, **situation)
    short = compute_quotes(perpetual(), keys, net_btc=-0.3, contracts=-2250, **situation)
    assert long["asks"][0][0] == 150_010 - 1
    assert short["bids"][0][0] == 149_990 + 1
    # half of it used: at most half of the model's own width, and nothing of the rest
    half = compute_quotes(perpetual(), keys, net_btc=0.15, contracts=1125, **situation)
    model = half["half_base_usd"] + half["half_vol_usd"]
    wanted = REFERENCE + half["alpha_usd"] + half["skew_usd"] + 0.5 * model
    assert half["asks"][0][0] == max(math.ceil(wanted * 2), 150_010 - 1)


@pytest.mark.parametrize(("keys", "situation", "ask_usd", "bid_usd"), [
    ({"quote.imbalance_widen_bps": 2.0}, {"imbalance": 0.5}, 7.5, 0.0),
    ({"quote.imbalance_widen_bps": 2.0}, {"imbalance": -0.5}, 0.0, 7.5),
    ({"quote.flow_widen_bps": 1.0}, {"flow": 0.4}, 3.0, 0.0),
    ({"quote.run_widen_bps": 1.0, "signals.run_trades": 5}, {"run": 5}, 7.5, 0.0),
    ({"quote.run_widen_bps": 1.0, "signals.run_trades": 5}, {"run": -6}, 0.0, 7.5),
    ({"quote.run_widen_bps": 1.0, "signals.run_trades": 5}, {"run": 4}, 0.0, 0.0),
    ({"quote.run_widen_bps": 1.0, "signals.run_trades": 5, "quote.flow_widen_bps": 1.0},
     {"run": 5, "flow": -1.0}, 7.5, 7.5),
])
def test_signals_move_the_side_they_speak_against_alone(
        keys: dict[str, float], situation: dict[str, float], ask_usd: float,
        bid_usd: float) -> None:
    still = {"quote.imbalance_shift_bps": 0.0}
    plain = compute_quotes(perpetual(), params(still), reference=REFERENCE, **TOUCH)
    moved = compute_quotes(perpetual(), params({**still, **keys}), reference=REFERENCE, **TOUCH,
                           **situation)  # type: ignore[typeddict-item]
    assert moved["signal_usd"] == pytest.approx((bid_usd, ask_usd))
    # 18.75 USD of width to whole ticks of 0.5
    assert moved["bids"][0][0] == math.floor(2 * (REFERENCE - 18.75 - bid_usd))
    assert moved["asks"][0][0] == math.ceil(2 * (REFERENCE + 18.75 + ask_usd))
    assert (plain["bids"][0][0], plain["asks"][0][0]) == (149_962, 150_038)


def test_a_side_that_brings_the_net_back_is_not_shrunk_for_it() -> None:
    # long 0.2 of 0.3 elsewhere, flat here: the ask reduces the net, so only the bid shrinks
    quotes = compute_quotes(perpetual(), params(), reference=REFERENCE, net_btc=0.2, contracts=0,
                            **TOUCH)
    assert quotes["reducing"] == (False, False)
    assert quotes["bids"][0][1] == 75           # half at two thirds of the limit
    assert quotes["asks"][0][1] == 150


def test_nothing_of_an_earlier_decision_stays_in_the_record() -> None:
    quoter = Quoter()
    quoter.quotes(perpetual(), params(), reference=REFERENCE, net_btc=0.2, contracts=1500, **TOUCH)
    empty = quoter.quotes(perpetual(), params(), reference=0.0, **TOUCH)
    for term in ("carry_usd", "alpha_usd", "skew_usd", "half_usd", "half_base_usd", "pad_usd"):
        assert empty[term] == 0.0, term     # type: ignore[literal-required]
    assert empty["removed"] == (RemovedReason.REMOVED_REFERENCE,) * 2
