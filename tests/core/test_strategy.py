"""Every rule of pricing with its figures by hand, and what more of something may never do."""

import math
from typing import Any

import pytest
from desk import params, perpetual
from hypothesis import given
from hypothesis import strategies as st

from mmcore.face import Quoter, compute_quotes
from mmcore.regime import Regime
from mmcore.types import InstrumentSpec, RemovedReason
from mmcore.width import as_half_spread, as_reservation, glft_c1, glft_c2

# At 75,000 USD one bp is 7.5 USD, one tick 0.5 USD. Default half-spread 2.5 bps: 18.75 USD.
BASE: dict[str, Any] = {"reference": 75_000.0, "bid_ticks": 149_999, "ask_ticks": 150_001}
DATED = perpetual("BTC-25DEC26", expiry_ms=1_798_185_600_000)

# name: keys, situation, field of the record, what it must be
TERMS: dict[str, tuple[dict[str, float], dict[str, Any], str, float]] = {
    "funding 0.08 % for 1 h: 0.0008 / 8 * 75,000 = 7.5, under the cap of 1 bp": (
        {"quote.funding_hold_s": 3600.0, "quote.max_carry_bps": 5.0},
        {"current_funding": 0.0008}, "carry_usd", -7.5),
    "negative funding: shorts pay, so it shifts up": (
        {"quote.funding_hold_s": 3600.0, "quote.max_carry_bps": 5.0},
        {"current_funding": -0.0008}, "carry_usd", 7.5),
    "carry is capped": (
        {"quote.funding_hold_s": 28800.0, "quote.max_carry_bps": 1.0},
        {"current_funding": 0.003}, "carry_usd", -7.5),
    "taker flow at 2 bps": ({"quote.flow_shift_bps": 2.0}, {"flow": -0.5}, "alpha_usd", -7.5),
    "order-flow imbalance at 2 bps": (
        {"quote.ofi_shift_bps": 2.0, "quote.max_alpha_bps": 2.0}, {"ofi": 1.0}, "alpha_usd", 15),
    "alpha is capped at 1 bp": (
        {"quote.flow_shift_bps": 2.0, "quote.max_alpha_bps": 1.0}, {"flow": 1.0}, "alpha_usd", 7.5),
    "half of a prevailing half-spread of 60 USD": (
        {"quote.market_spread_share": 0.5}, {"spread_usd": 120.0}, "half_usd", 30.0),
    "drought: 15 % of the mean depth, half of the 30 % allowed: 18.75 * 0.5 * 0.5": (
        {"quote.drought_depth_share": 0.3, "quote.drought_widen": 0.5},
        {"depth_contracts": 15.0, "mean_depth_contracts": 100.0}, "drought_usd", 4.6875),
    "padding: 2 deviations of 3 USD per root second over 0.04 s": (
        {"quote.latency_z": 2.0}, {"vol_usd": 3.0, "round_trip_ns": 40_000_000}, "pad_usd", 1.2),
    "floor with 10 % taken: 0.9 * 1.5 + 0.1 * 3.5 + 0.5 bps": (
        {}, {"taker_share": 0.1}, "half_floor_usd", 16.5),
    "regime and window widen": ({}, {"spread_factor": 1.5}, "half_usd", 28.125),
}


@pytest.mark.parametrize("name", TERMS)
def test_term_by_hand(name: str) -> None:
    keys, situation, field, expected = TERMS[name]
    quotes = compute_quotes(perpetual(), params(keys), **{**BASE, **situation})
    assert quotes[field] == pytest.approx(expected)         # type: ignore[literal-required]


def test_contango_is_normal_and_only_its_excess_reverts() -> None:
    fair = {"index_usd": 74_000.0, "fair_basis_usd": 1_000.0}
    assert compute_quotes(DATED, params(), **BASE, **fair)["carry_usd"] == 0.0
    # 300 above its mean, 10 s of a half-life of 600 s: 5 USD down
    rich = compute_quotes(DATED, params(), **BASE, index_usd=74_000.0,
                          fair_basis_usd=700.0)
    assert rich["carry_usd"] == pytest.approx(-5.0)


def test_bad_markouts_widen_their_side_alone() -> None:
    keys = {"quote.markout_widen": 0.5, "quote.max_markout_bps": 3.0, "quote.markout_fills": 20.0}
    # bids: mean -1 bp where the floor is 2 bps: half of 3 bps; asks have too few fills
    quotes = compute_quotes(perpetual(), params(keys), **BASE,
                            markout_bps=(-1.0, -9.0), markout_fills=(20, 19))
    assert quotes["markout_usd"] == pytest.approx((11.25, 0.0))
    assert quotes["asks"][0][0] == 150_038
    assert quotes["bids"][0][0] == 149_940          # 75,000 - 18.75 - 11.25 = 74,970


# ------------------------------------------------------------------ published models
def test_avellaneda_stoikov_as_published() -> None:
    assert as_reservation(100.0, 3.0, 0.1, 2.0, 0.5) == pytest.approx(99.4)     # 3 * .1 * 4 * .5
    # half of 0.1 * 4 * 1 + 20 ln(1 + 1/15): 0.2 + 0.64539
    assert as_half_spread(0.1, 2.0, 1.0, 1.5) == pytest.approx(0.2 + 10 * math.log(1 + 0.1 / 1.5))
    assert as_half_spread(0.0, 2.0, 1.0, 1.5) == pytest.approx(1 / 1.5)         # gamma -> 0
    assert as_half_spread(1e-9, 2.0, 1.0, 1.5) == pytest.approx(1 / 1.5, rel=1e-6)


def test_glft_as_published() -> None:
    # x = 0.1 * 1 / 0.3 = 1/3: c1 = ln(4/3) / 0.1; c2 = sqrt(.1 / (2 * 0.9 * 0.3) (4/3)^4)
    assert glft_c1(0.1, 1.0, 0.3) == pytest.approx(math.log(4 / 3) / 0.1)
    assert glft_c2(0.1, 0.9, 1.0, 0.3, 0.1) == pytest.approx(
        math.sqrt(0.1 / 0.54 * (4 / 3) ** 4))
    assert glft_c1(0.0, 1.0, 0.3) == pytest.approx(1 / 0.3)
    # xi -> 0 leaves the power at e (the exponential-utility limit)
    assert glft_c2(0.1, 0.9, 1.0, 0.3, 0.0) == pytest.approx(math.sqrt(0.1 / 0.54 * math.e))
    assert glft_c2(0.0, 0.9, 1.0, 0.3, 0.0) == 0.0


@pytest.mark.parametrize("a", [0.5, 5.0, 50.0])
@pytest.mark.parametrize("k", [0.02, 0.1, 1.0])
@pytest.mark.parametrize("shift", [5.0, 35.0, 100.0])
def test_glft_shifts_at_the_limit_as_stated(a: float, k: float, shift: float) -> None:
    """Without a gamma of its own the shift at the limit and the reference volatility is stated."""
    keys = {"quote.model": 2.0, "quote.intensity_a": a, "quote.intensity_k": k,
            "quote.skew_usd_at_limit": shift, "quote.max_skew_bps": 1000.0}
    for vol_usd in (5.25, 1.0):             # a quiet market counts as the reference
        quotes = compute_quotes(perpetual(), params(keys), **{
            **BASE, "vol_usd": vol_usd, "net_btc": 0.3, "contracts": 2250})
        assert quotes["skew_usd"] == pytest.approx(-shift, rel=1e-6)


def test_models_in_the_quote() -> None:
    keys = {"quote.gamma": 5.0, "quote.size_btc": 0.02, "quote.intensity_k": 0.1,
            "quote.intensity_a": 2.0, "quote.fee_floor": 0.0, "quote.min_half_spread_bps": 0.0,
            "quote.min_half_spread_usd": 0.0}
    flat = compute_quotes(perpetual(), params({**keys, "quote.model": 1.0}), vol_usd=4.0, **BASE)
    # gamma * size = 0.1 per USD: 0.5 * 0.1 * 16 * 10 + 10 ln 2
    assert flat["half_usd"] == pytest.approx(8.0 + 10 * math.log(2))
    assert flat["skew_usd"] == 0.0                                              # q = 0
    held = {"net_btc": 0.1, "contracts": 750}
    long = compute_quotes(perpetual(), params({**keys, "quote.model": 2.0}), vol_usd=4.0,
                          **BASE, **held)
    c2 = glft_c2(5.0, 2.0, 0.02, 0.1, 5.0)
    assert long["half_usd"] == pytest.approx(10 * math.log(2) + 0.01 * 4.0 * c2)
    assert long["skew_usd"] == pytest.approx(-min(0.1 * 4.0 * c2, 60.0))


# ------------------------------------------------------------------ sides, sizes, placement
def test_wide_pulls_or_shrinks_to_tiny() -> None:
    keys = {"quote.max_half_spread_bps": 2.0}
    pulled = compute_quotes(perpetual(), params(keys), **BASE)
    assert pulled["removed"] == (RemovedReason.REMOVED_WIDTH,) * 2
    tiny = {**keys, "quote.wide_action": 1.0, "quote.tiny_size_btc": 0.001}
    quotes = compute_quotes(perpetual(), params(tiny), **BASE)
    assert (quotes["bids"][0][1], quotes["asks"][0][1]) == (7, 7)   # 75 USD in contracts of 10


@pytest.mark.parametrize(("keys", "situation", "contracts"), [
    ({"quote.size_mode": 1.0, "quote.size_share": 0.1}, {}, 225),       # 0.03 of 0.3 BTC
    ({"quote.size_mode": 2.0, "quote.size_share": 0.1, "inventory.capital_btc": 0.9}, {}, 675),
    ({"quote.size_vol_k": 1.0}, {"vol_usd": 10.5}, 75),                 # twice the reference vol
    ({"quote.size_edge_k": 1.0}, {}, 187),                              # 18.75 / 15: a quarter more
    ({}, {"size_factor": 0.5}, 75)])
def test_size_by_hand(keys: dict[str, float], situation: dict[str, Any], contracts: int) -> None:
    quotes = compute_quotes(perpetual(), params(keys), **{**BASE, **situation})
    assert quotes["bids"][0][1] == contracts


def test_ladder_by_volatility_with_a_size_profile() -> None:
    keys = {"quote.levels": 3.0, "quote.spacing": 1.0, "quote.level_spacing_vol": 1.0,
            "quote.horizon_s": 4.0, "quote.level_size_factor": 0.5, "quote.vol_k": 0.0}
    quotes = compute_quotes(perpetual(), params(keys), vol_usd=5.0, **BASE)
    # 18.75 then 10 USD apart (5 * sqrt 4); 150, 75 and 37 contracts
    assert quotes["bids"] == [(149_962, 150), (149_942, 75), (149_922, 37)]


@pytest.mark.parametrize(("policy", "bid"), [(0, 149_901), (1, 149_900), (2, 149_901),
                                             (3, 149_890)])
def test_placement(policy: int, bid: int) -> None:
    keys = {"quote.placement": float(policy), "quote.undercut_per_min": 6.0,
            "quote.undercut_delta_bps": 0.5, "quote.hang_back_ticks": 10.0}
    quotes = compute_quotes(perpetual(), params(keys), reference=75_000.0, bid_ticks=149_900,
                            ask_ticks=150_100)
    assert quotes["bids"][0][0] == bid


def test_undercuts_have_a_budget_and_end_at_the_model() -> None:
    keys = params({"quote.placement": 2.0, "quote.undercut_per_min": 2.0,
                   "quote.undercut_delta_bps": 1.0})
    quoter = Quoter()
    found = [quoter.quotes(perpetual(), keys, reference=75_000.0, bid_ticks=best,
                           ask_ticks=150_100, now_ns=1)["bids"][0][0]
             for best in (149_900, 149_900, 149_902, 149_904, 149_980)]
    assert found == [149_901, 149_901, 149_903, 149_904, 149_962]
    # half a minute later one more is left
    assert quoter.quotes(perpetual(), keys, reference=75_000.0, bid_ticks=149_950,
                         ask_ticks=150_100, now_ns=31_000_000_000)["bids"][0][0] == 149_951


def test_jitter_goes_away_from_mid_and_repeats() -> None:
    seen = set()
    for seed in range(20):
        keys = params({"quote.jitter_ticks": 3.0, "quote.jitter_seed": float(seed)})
        one = compute_quotes(perpetual(), keys, **BASE)
        assert one == compute_quotes(perpetual(), keys, **BASE)
        assert 149_959 <= one["bids"][0][0] <= 149_962
        assert 150_038 <= one["asks"][0][0] <= 150_041
        seen.add(one["bids"][0][0])
    assert len(seen) > 1


def test_hold_spares_the_reducing_side_beyond_two_thirds() -> None:
    held = RemovedReason.REMOVED_HOLD
    for share, removed in ((0.6, held), (0.7, 0)):
        quotes = compute_quotes(perpetual(), params(), **BASE, net_btc=share * 0.3,
                                contracts=round(share * 2250), removed_held=(held, held))
        assert quotes["removed"] == (held, removed)


# ------------------------------------------------------------------ properties
SITUATIONS = st.fixed_dictionaries({
    "model": st.integers(0, 2), "vol": st.floats(0.0, 20.0), "more": st.floats(0.0, 20.0),
    "contracts": st.integers(-2_000, 2_000), "imbalance": st.floats(-1.0, 1.0),
    "placement": st.integers(0, 4), "jitter": st.integers(0, 3), "width": st.integers(1, 100),
    "levels": st.integers(1, 5)})


def settings(s: dict[str, float]) -> dict[str, float]:
    return {"quote.model": s["model"], "quote.placement": s["placement"],
            "quote.levels": s["levels"], "quote.undercut_per_min": 6, "quote.latency_z": 1,
            "quote.max_half_spread_bps": 5000, "quote.undercut_delta_bps": 0.5}


@given(s=SITUATIONS)
def test_more_volatility_never_narrows(s: dict[str, float]) -> None:
    spec, contracts = perpetual(), int(s["contracts"])
    found = [compute_quotes(
        spec, params(settings(s)), reference=75_000.0, bid_ticks=150_000 - int(s["width"]),
        ask_ticks=150_000 + int(s["width"]), vol_usd=vol, imbalance=s["imbalance"],
        net_btc=spec.btc(contracts, 75_000.0), contracts=contracts, round_trip_ns=20_000_000)
        for vol in (s["vol"], s["vol"] + s["more"])]
    calm, wild = found
    assert wild["half_usd"] + wild["pad_usd"] >= calm["half_usd"] + calm["pad_usd"] - 1e-9
    if not calm["reducing"][0]:
        assert wild["bids"][0][0] <= calm["bids"][0][0] or contracts < 0
    if not calm["reducing"][1]:
        assert wild["asks"][0][0] >= calm["asks"][0][0] or contracts > 0


@given(s=SITUATIONS)
def test_quotes_of_every_model_and_policy_are_ordered(s: dict[str, float]) -> None:
    spec: InstrumentSpec = perpetual()
    contracts = int(s["contracts"])
    keys = {**settings(s), "quote.jitter_ticks": s["jitter"]}
    bid, ask = 150_000 - int(s["width"]), 150_000 + int(s["width"])
    quotes = compute_quotes(spec, params(keys), reference=75_000.0, bid_ticks=bid, ask_ticks=ask,
                            vol_usd=s["vol"], imbalance=s["imbalance"], contracts=contracts,
                            net_btc=spec.btc(contracts, 75_000.0),
                            regime=Regime.REGIME_VOLATILE)
    bids = [price for price, _ in quotes["bids"]]
    asks = [price for price, _ in quotes["asks"]]
    assert bids == sorted(set(bids), reverse=True)
    assert asks == sorted(set(asks))
    assert bids[0] < min(asks[0], ask)
    assert asks[0] > bid
