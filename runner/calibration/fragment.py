"""From a tape to config keys, each with the evidence it rests on."""

import math
from typing import Any

import msgspec
import numpy as np

from runner.calibration.estimates import (
    Estimate,
    Floats,
    Intensity,
    effect,
    gamma_of_half_life,
    gamma_of_shift,
    intensity,
    large_move_bps,
    reach_usd,
    sampled,
    volatility,
)
from runner.calibration.fills import hold_after_fill, market_named
from runner.calibration.momentum import makers_of, threshold
from runner.calibration.suggestion import Suggestion
from runner.calibration.tape import Tape
from runner.config import Config
from runner.micro_price import MOVES_LEAST, Table, fit
from runner.tearsheet.run_data import Run

MAKER_FEE_BPS = 1.5             # of a standard account, where the config names none
MOMENTUM_QUANTILE = 0.999       # one window in a thousand moves further
REACH_TICKS = 1.0               # the fit starts past the touch's own ticks
REACH_QUANTILE = 0.995          # and ends where hardly an order reaches


class Calibration(msgspec.Struct, frozen=True):
    """Everything found in one recording."""

    instrument: str
    lasted_s: float
    price_usd: float
    sigma: Estimate
    arrivals: Intensity
    momentum: Estimate
    momentum_markout: Estimate  # the move after which makers were worse off
    sigma_by_regime: dict[str, Estimate]
    suggestions: list[Suggestion]
    micro_table: Table
    micro_effect: Estimate      # of a table fitted to the first half, on the second
    micro_refused: str


def calibrate(tape: Tape, config: Config, half_life_s: float | None, run: Run | None = None,
              sigmas: dict[str, Estimate] | None = None) -> Calibration:
    """Estimate what the config's keys of width, skew and momentum should be.

    half_life_s: of inventory, from which gamma follows; without it gamma is what gives
    quote.skew_usd_at_limit at inventory.limit_btc. run: whose markouts say how long to hold.
    sigmas: volatility by regime, which the fragment repeats as evidence.
    """
    mid = sampled(tape.touch_s, tape.mid_usd)
    price = float(np.median(mid)) if len(mid) else math.nan
    sigma = volatility(mid)
    reach = reach_usd(tape.taker_mid_usd, tape.taker_usd, tape.taker_side)
    near = REACH_TICKS * tape.tick_usd
    far = max(float(np.quantile(reach, REACH_QUANTILE)) if len(reach) else 0.0,
              near + 4 * tape.tick_usd)
    arrivals = intensity(reach, tape.lasted_s, near, far)
    window_s = config.orders.momentum_ms / 1_000.0
    fine = sampled(tape.touch_s, tape.mid_usd, window_s / 5.0)
    momentum = large_move_bps(fine, 5, MOMENTUM_QUANTILE)
    hurt = threshold(*makers_of(tape, window_s))
    table, micro_refused = micro_table(tape.touch)
    found = micro_effect(tape)
    if table and found.refused:
        table, micro_refused = (), found.refused
    return Calibration(
        instrument=tape.name, lasted_s=tape.lasted_s, price_usd=price, sigma=sigma,
        arrivals=arrivals, momentum=momentum, momentum_markout=hurt, sigma_by_regime=sigmas or {},
        micro_table=table, micro_effect=found,
        micro_refused=micro_refused,
        suggestions=[
            *volatility_keys(sigma, price), *arrival_keys(arrivals),
            momentum_key(momentum, hurt, window_s),
            risk_aversion(sigma, arrivals, config, price, half_life_s),
            width_floor(config),
            *([hold_after_fill(market_named(run, tape.name))] if run is not None else [])])


def momentum_key(rare: Estimate, hurt: Estimate, window_s: float) -> Suggestion:
    """Return the move that markouts show to hurt; else one so rare that a pull costs little."""
    if not hurt.refused:
        return Suggestion("orders.momentum_bps", hurt.value,
                          f"{interval(hurt)} within {window_s * 1e3:g} ms; {hurt.evidence}")
    return Suggestion(
        "orders.momentum_bps", rare.value,
        f"{rare.evidence} in {window_s * 1e3:g} ms {interval(rare)}; markouts show no threshold: "
        f"{hurt.refused}", rare.refused)


def interval(found: Estimate) -> str:
    return f"[{found.low:.4g}, {found.high:.4g}]"


def volatility_keys(sigma: Estimate, price: float) -> list[Suggestion]:
    relative = sigma.value / price * 1e4
    return [Suggestion("quote.skew_reference_vol_bps", relative,
                       f"sigma {sigma.value:.4g} {interval(sigma)} USD/sqrt(s) at {price:,.0f} "
                       f"USD; {sigma.evidence}", sigma.refused)]


def arrival_keys(arrivals: Intensity) -> list[Suggestion]:
    return [Suggestion("quote.intensity_a", arrivals.a.value,
                       f"{interval(arrivals.a)} 1/s; {arrivals.a.evidence}", arrivals.a.refused),
            Suggestion("quote.intensity_k", arrivals.k.value,
                       f"{interval(arrivals.k)} 1/USD; {arrivals.k.evidence}",
                       arrivals.k.refused)]


def risk_aversion(sigma: Estimate, arrivals: Intensity, config: Config, price: float,
                  half_life_s: float | None) -> Suggestion:
    """Return gamma for a half-life of inventory, or for the configured shift at the limit."""
    horizon, limit = config.quote.horizon_s, config.inventory.limit_btc
    if half_life_s is not None:
        half = width_floor(config).value * 1e-4 * price
        value = gamma_of_half_life(half_life_s, sigma.value, horizon, arrivals, half,
                                   config.quote.size_btc)
        return Suggestion("quote.gamma", value,
                          f"inventory halves in {half_life_s:g} s at a half-spread of {half:.2f} "
                          "USD", sigma.refused or arrivals.k.refused)
    shift = config.quote.skew_usd_at_limit
    return Suggestion("quote.gamma", gamma_of_shift(shift, limit, sigma.value, horizon),
                      f"{shift:g} USD at {limit:g} BTC over {horizon:g} s", sigma.refused)


def width_floor(config: Config) -> Suggestion:
    """Return the half-spread under which an adding quote pays more fees than it earns."""
    maker = config.venue.maker_fee_bps
    fee = MAKER_FEE_BPS if maker is None else maker
    half = max(0.0, fee + 0.5 * config.quote.min_edge_bps)
    return Suggestion("quote.min_half_spread_bps", half,
                      f"maker fee {fee:g} bps a side and half of quote.min_edge_bps "
                      f"{config.quote.min_edge_bps:g}")


def micro_table(touch: Floats) -> tuple[Table, str]:
    """Fit the micro-price table; empty with the reason where the mid hardly moved."""
    rows = touch[:, 1:].astype(np.int64).tolist()
    try:
        return fit(tuple(row) for row in rows), ""
    except ValueError:
        return (), f"the mid moved fewer than {MOVES_LEAST} times"


def micro_effect(tape: Tape) -> Estimate:
    """Estimate what share of a micro-price came true a second later, on data it has not seen."""
    half = len(tape.touch) // 2
    table, why = micro_table(tape.touch[:half])
    later = tape.touch[half:]
    if not table or len(later) < 2:
        return Estimate(np.nan, np.nan, np.nan, "1", 0, "", why or "no data left to judge it on")
    values = np.array(table)
    share = later[:, 3] / np.maximum(later[:, 3] + later[:, 4], 1.0)
    column = np.minimum((share * values.shape[1]).astype(int), values.shape[1] - 1)
    row = np.clip((later[:, 2] - later[:, 1]).astype(int), 1, values.shape[0]) - 1
    predicted = sampled(later[:, 0], values[row, column])
    mid_ticks = sampled(later[:, 0], 0.5 * (later[:, 1] + later[:, 2]))
    return effect(predicted[:-1], np.diff(mid_ticks), "1")


def as_toml(found: Calibration) -> str:
    """Return the lines of a config file; what is refused stands there as a comment with why."""
    lines = [(f"# {found.instrument}, {found.lasted_s:,.0f} s, median mid {found.price_usd:,.2f} "
             "USD; intervals are 95 %."), ""]
    lines[1:1] = [
        f"# sigma when {name}: "
        + (f"not known, {s.refused}" if s.refused else
           f"{s.value:.4g} {interval(s)} USD/sqrt(s), {s.evidence}")
        for name, s in found.sigma_by_regime.items()]
    sections: dict[str, list[str]] = {}
    for item in found.suggestions:
        section, _, name = item.key.partition(".")
        part = sections.setdefault(section, [])
        part.append(f"# {item.why}")
        if item.refused:
            part.append(f"# {name} not set: {item.refused}")
        else:
            part.append(f"{name} = {item.value:.6g}")
    if found.micro_table:
        rows = "".join("    [" + ", ".join(f"{x:.4f}" for x in row) + "],\n"
                       for row in found.micro_table)
        sections.setdefault("signals", []).append(
            "# Stoikov (2018), ticks off the mid by share of the bid; used by quote.micro_price\n"
            f"# a tick of it became {found.micro_effect.value:.2f} {interval(found.micro_effect)} "
            f"ticks a second later, fitted to the first half; {found.micro_effect.evidence}\n"
            f"micro_table = [\n{rows}]")
    else:
        sections.setdefault("signals", []).append(f"# micro_table not set: {found.micro_refused}")
    for section, part in sections.items():
        lines += [f"[{section}]", *part, ""]
    return "\n".join(lines)


def as_dict(found: Calibration) -> dict[str, Any]:
    """Return the calibration for a program."""
    return dict(msgspec.to_builtins(found))
