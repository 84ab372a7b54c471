"""What pricing may never do, over the whole space of its parameters and situations.

Every key that moves a price or an amount is drawn, for each of the three models. What is left out
of a property is said there.
"""

from typing import Any

from desk import linear, params, perpetual
from hypothesis import example, given
from hypothesis import strategies as st

from mmcore.face import GateFace, compute_quotes
from mmcore.types import InstrumentSpec

STEPPED = InstrumentSpec("STEP", tick_size=0.5, contract_size=10, maker_fee=0.00015,
                         tick_steps=[(50_000, 2.5)])
SPECS = {"inverse": perpetual(), "linear": linear(), "stepped": STEPPED}
EXACT = 1e-6            # USD that floating point may lose

KEYS = st.fixed_dictionaries({
    "quote.model": st.sampled_from([0.0, 1.0, 2.0]),
    "quote.gamma": st.sampled_from([0.0, 1e-6, 0.01, 1.0, 100.0]),
    "quote.skew_usd_at_limit": st.floats(0.0, 300.0),
    "quote.max_skew_bps": st.floats(0.0, 50.0),
    "quote.skew_reference_vol_bps": st.floats(0.01, 5.0),
    "quote.intensity_a": st.floats(0.01, 100.0), "quote.intensity_k": st.floats(0.001, 10.0),
    "quote.vol_k": st.floats(0.0, 5.0), "quote.horizon_s": st.floats(0.1, 600.0),
    "quote.base_half_spread_bps": st.floats(0.0, 10.0),
    "quote.min_half_spread_bps": st.floats(0.0, 5.0),
    "quote.min_half_spread_usd": st.floats(0.0, 20.0),
    "quote.min_edge_bps": st.floats(-5.0, 5.0), "quote.fee_floor": st.sampled_from([0.0, 1.0]),
    "quote.max_half_spread_bps": st.sampled_from([20.0, 5000.0]),
    "quote.wide_action": st.sampled_from([0.0, 1.0]), "quote.tiny_size_btc": st.just(0.001),
    "quote.market_spread_share": st.floats(0.0, 2.0),
    "quote.drought_depth_share": st.floats(0.0, 1.0), "quote.drought_widen": st.floats(0.0, 2.0),
    "quote.latency_z": st.floats(0.0, 3.0),
    "quote.markout_widen": st.floats(0.0, 1.0), "quote.max_markout_bps": st.floats(0.0, 5.0),
    "quote.markout_fills": st.just(1.0),
    "quote.imbalance_shift_bps": st.floats(0.0, 5.0), "quote.flow_shift_bps": st.floats(0.0, 5.0),
    "quote.ofi_shift_bps": st.floats(0.0, 5.0), "quote.max_alpha_bps": st.floats(0.0, 5.0),
    "quote.funding_hold_s": st.sampled_from([0.0, 3600.0, 28800.0]),
    "quote.max_carry_bps": st.floats(0.0, 5.0),
    "quote.placement": st.sampled_from([0.0, 1.0, 2.0, 3.0, 4.0]),
    "quote.hang_back_ticks": st.integers(0, 20).map(float),
    "quote.undercut_per_min": st.sampled_from([0.0, 6.0]),
    "quote.undercut_delta_bps": st.floats(0.0, 5.0),
    "quote.levels": st.integers(1, 10).map(float),
    "quote.level_spacing_bps": st.floats(0.01, 10.0), "quote.spacing": st.sampled_from([0.0, 1.0]),
    "quote.level_spacing_vol": st.floats(0.0, 3.0),
    "quote.level_size_factor": st.floats(0.5, 2.0),
    "quote.size_btc": st.floats(0.002, 0.1), "quote.size_edge_k": st.floats(0.0, 2.0),
    "quote.size_vol_k": st.floats(0.0, 2.0), "inventory.limit_btc": st.floats(0.05, 1.0)})

MARKET = st.fixed_dictionaries({
    "kind": st.sampled_from(sorted(SPECS)), "mid": st.integers(40_000, 400_000),
    "width": st.integers(1, 200), "vol": st.floats(0.0, 60.0),
    "imbalance": st.floats(-1.0, 1.0), "flow": st.floats(-1.0, 1.0), "ofi": st.floats(-1.0, 1.0),
    "funding": st.floats(-0.003, 0.003), "contracts": st.integers(-4_000, 4_000),
    "other_btc": st.one_of(st.just(0.0), st.floats(-0.3, 0.3)),
    "depth": st.floats(1.0, 200.0), "round_trip_ns": st.integers(0, 200_000_000),
    "taker_share": st.floats(0.0, 1.0), "spread_factor": st.floats(1.0, 3.0),
    "size_factor": st.floats(0.0, 2.0), "regime": st.integers(0, 4),
    "markout": st.tuples(st.floats(-10.0, 10.0), st.floats(-10.0, 10.0))})


def touch(spec: InstrumentSpec, m: dict[str, Any]) -> tuple[int, int, float]:
    """Return best bid and ask on the grid, and the mid."""
    bid = spec.round_down(spec.price(m["mid"] - m["width"]))
    ask = spec.round_up(spec.price(m["mid"] + m["width"]))
    return bid, ask, 0.5 * (spec.price(bid) + spec.price(ask))


def quoted(keys: dict[str, float], m: dict[str, Any], **changes: Any) -> Any:
    """Return the ladder of a market, some of it changed."""
    m = {**m, **changes}
    spec = SPECS[m["kind"]]
    bid, ask, reference = touch(spec, m)
    net = spec.btc(m["contracts"], reference) + m["other_btc"]
    return compute_quotes(
        spec, params(keys), reference=reference, bid_ticks=bid, ask_ticks=ask, vol_usd=m["vol"],
        imbalance=m["imbalance"], net_btc=net, contracts=m["contracts"],
        spread_usd=spec.price(ask - bid), depth_contracts=m["depth"],
        mean_depth_contracts=100.0, flow=m["flow"], ofi=m["ofi"], current_funding=m["funding"],
        round_trip_ns=m["round_trip_ns"], taker_share=m["taker_share"],
        markout_bps=m["markout"], markout_fills=(5, 5), spread_factor=m["spread_factor"],
        size_factor=m["size_factor"], regime=m["regime"])


def adds(m: dict[str, Any], net_btc: float, side: int) -> bool:
    """Whether a quote of a side takes the net delta further from its target."""
    return net_btc >= 0.0 if side == 0 else net_btc <= 0.0


@given(keys=KEYS, m=MARKET, jitter=st.integers(0, 5))
def test_quotes_are_valid_ordered_and_never_cross_or_invert(
        keys: dict[str, float], m: dict[str, Any], jitter: int) -> None:
    spec = SPECS[m["kind"]]
    bid, ask, reference = touch(spec, m)
    found = quoted({**keys, "quote.jitter_ticks": float(jitter)}, m)
    bids = [price for price, _ in found["bids"]]
    asks = [price for price, _ in found["asks"]]
    assert bids == sorted(set(bids), reverse=True)
    assert asks == sorted(set(asks))
    assert all(price < ask for price in bids)
    assert all(price > bid for price in asks)
    assert not bids or not asks or bids[0] < asks[0]
    for price, amount in found["bids"] + found["asks"]:
        assert spec.round_down(spec.price(price)) == spec.round_up(spec.price(price)) == price
        assert amount > 0
        assert amount % spec.lot_contracts == 0
    fair = reference + found["carry_usd"] + found["alpha_usd"]
    floor = found["half_floor_usd"] - EXACT
    if not found["reducing"][0]:
        assert all(spec.price(price) <= min(fair - floor, reference) + EXACT for price in bids)
    if not found["reducing"][1]:
        assert all(spec.price(price) >= max(fair + floor, reference) - EXACT for price in asks)
    # nobody stands more than one tick, or one coarser step, ahead of the best
    assert all(price <= bid + 1 for price in bids)
    assert all(price >= ask - 1 for price in asks)


@given(keys=KEYS, m=MARKET, more=st.floats(0.0, 60.0))
def test_more_vol_never_narrows_nor_brings_an_adding_quote_nearer(
        keys: dict[str, float], m: dict[str, Any], more: float) -> None:
    """Prices are rounded outwards, so both quotes together may lose one step of the grid."""
    spec = SPECS[m["kind"]]
    _, _, reference = touch(spec, m)
    net = spec.btc(m["contracts"], reference) + m["other_btc"]
    calm, loud = quoted(keys, m), quoted(keys, m, vol=m["vol"] + more)
    for term in ("half_usd", "half_vol_usd", "pad_usd"):
        assert loud[term] >= calm[term] - EXACT, term           # type: ignore[literal-required]
    assert loud["half_base_usd"] == calm["half_base_usd"]
    step = 5 if m["kind"] == "stepped" else 1
    if all(found[side] for found in (calm, loud) for side in ("bids", "asks")):
        before = calm["asks"][0][0] - calm["bids"][0][0]
        assert loud["asks"][0][0] - loud["bids"][0][0] >= before - step
    for side, name in enumerate(("bids", "asks")):
        if adds(m, net, side) and not calm["reducing"][side] and calm[name] and loud[name]:
            sign = 1 if side == 0 else -1
            assert sign * (loud[name][0][0] - calm[name][0][0]) <= 0, name
            assert loud[name][0][1] <= calm[name][0][1] or keys["quote.size_edge_k"] > 0.0


@given(keys=KEYS, m=MARKET, more=st.integers(0, 4_000))
def test_more_inventory_never_raises_a_quote(keys: dict[str, float], m: dict[str, Any],
                                             more: int) -> None:
    """Neither the bid nor, the mirror of it, the ask; with fewer rungs only those of both."""
    less, much = quoted(keys, m), quoted(keys, m, contracts=m["contracts"] + more)
    for name in ("bids", "asks"):
        if less[name] and much[name]:
            assert much[name][0][0] <= less[name][0][0], name
    assert much["skew_usd"] <= less["skew_usd"] + EXACT


@given(keys=KEYS, m=MARKET)
@example(keys={"quote.model": 2.0, "quote.gamma": 1.0}, m={
    "kind": "inverse", "mid": 150_000, "width": 1, "vol": 5.0, "imbalance": 0.5, "flow": 0.2,
    "ofi": -0.4, "funding": 0.001, "contracts": 300, "other_btc": 0.0, "depth": 50.0,
    "round_trip_ns": 0, "taker_share": 0.0, "spread_factor": 1.0, "size_factor": 1.0,
    "regime": 0, "markout": (-1.0, 2.0)})
def test_the_mirror_market_gives_the_mirror_quotes(keys: dict[str, float],
                                                   m: dict[str, Any]) -> None:
    """Coarser steps begin at a price, so they have no mirror and are left out."""
    if m["kind"] == "stepped":
        m = {**m, "kind": "inverse"}
    mid = m["mid"]
    one = quoted(keys, m)
    other = quoted(keys, m, **{name: -m[name] for name in (
        "imbalance", "flow", "ofi", "funding", "contracts", "other_btc")},
        markout=m["markout"][::-1])
    for mine, theirs in (("bids", "asks"), ("asks", "bids")):
        # a bid ends at 0, and its mirror has no such end
        expected = [(2 * mid - price, amount) for price, amount in other[theirs]
                    if 1 < price < 2 * mid - 1]
        found = [(price, amount) for price, amount in one[mine] if 1 < price < 2 * mid - 1]
        assert len(found) == len(expected)
        for (price, amount), (mirror, same) in zip(found, expected, strict=True):
            # at a price that is a tick but for rounding, either neighbour is right
            assert abs(price - mirror) <= 1
            assert abs(amount - same) <= SPECS[m["kind"]].lot_contracts
    for term in ("carry_usd", "alpha_usd", "skew_usd"):
        assert abs(one[term] + other[term]) < EXACT             # type: ignore[literal-required]
    assert abs(one["half_usd"] - other["half_usd"]) < EXACT


@given(keys=KEYS, m=MARKET)
def test_no_approved_ladder_passes_a_limit(keys: dict[str, float], m: dict[str, Any]) -> None:
    """What pricing asks for, cut by risk: position and a whole side filled stay inside."""
    spec = SPECS[m["kind"]]
    _, _, reference = touch(spec, m)
    found = quoted(keys, m)
    face = GateFace(spec, params(keys))
    face.situation(reference=reference, contracts=m["contracts"], average=reference)
    bids, asks, _ = face.approve(found["bids"], found["asks"], reducing=found["reducing"],
                                 other_net_btc=m["other_btc"])
    limit = keys["inventory.limit_btc"]
    held = spec.btc(m["contracts"], reference)
    for sign, rungs in ((1.0, bids), (-1.0, asks)):
        filled = sign * sum(spec.btc(amount, reference) for _, amount in rungs)
        if rungs:
            assert sign * (held + filled) <= limit + 1e-9
            assert sign * (held + m["other_btc"] + filled) <= limit + 1e-9
        for price, amount in rungs:
            usd = amount * 10 if spec.inverse else amount * spec.contract_size * reference
            assert usd <= 10_000 + EXACT
            assert abs(spec.price(price) - reference) <= 75e-4 * reference + EXACT
