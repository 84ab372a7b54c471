"""Faults of a configuration that no single key shows: keys that contradict each other."""

from __future__ import annotations

import typing
from collections.abc import Container

from mmcore.alpha import own_terms
from mmcore.width import has_own_model
from runner.config_keys import KEYS

if typing.TYPE_CHECKING:
    from runner.config import Config

OWN_TERMS = 4               # keys quote.own_N_shift_bps
RING_MIB_STEPS = tuple(2 ** n for n in range(11))


def contradictions(config: Config) -> list[str]:
    """Return one sentence per contradiction, each naming both keys and the remedy."""
    return [*width_faults(config), *size_faults(config), *order_faults(config),
            *instrument_faults(config), *machine_faults(config), *telling_faults(config),
            *loss_faults(config), *pair_faults(config)]


def venue_faults(config: Config) -> list[str]:
    """Return what a recording may have, but no venue that is connected to."""
    if config.funding.model == "interval":
        where = at(config, "funding.model")
        return [(f"{where}: funding.model = 'interval' is for recordings of other venues; Deribit "
                 "pays continuously, take it out")]
    return []


def pair_faults(config: Config) -> list[str]:
    """Return what hedging and pairs cannot work with."""
    faults = []
    if config.hedge.release_btc >= config.hedge.trigger_btc:
        faults.append(
            f"{at(config, 'hedge.release_btc', 'hedge.trigger_btc')}: hedge.release_btc = "
            f"{config.hedge.release_btc:g} must be below hedge.trigger_btc = "
            f"{config.hedge.trigger_btc:g}; a hedge would never begin or never end")
    if config.basis.size_btc > config.basis.max_btc:
        faults.append(
            f"{at(config, 'basis.size_btc', 'basis.max_btc')}: basis.size_btc = "
            f"{config.basis.size_btc:g} exceeds basis.max_btc = {config.basis.max_btc:g}; "
            "lower the first")
    for name, on in (("hedge", config.hedge.enabled), ("basis", config.basis.enabled)):
        if on and len(config.instrument) < 2:
            faults.append(
                f"{at(config, f'{name}.enabled')}: {name}.enabled = true needs a second "
                "[[instrument]]; add one, name = \"front\" for example")
    return faults


def at(config: Config, *names: str) -> str:
    """Return where the first of the keys that somebody wrote down is written."""
    for name in names:
        where = config.origin.get(name, "default")
        if where not in ("default", "sim profile"):
            return where
    return "defaults"


def width_faults(config: Config) -> list[str]:
    quote = config.quote
    faults = []
    for name in ("min_half_spread_bps", "base_half_spread_bps"):
        value = getattr(quote, name)
        if value > quote.max_half_spread_bps:
            faults.append(
                f"{at(config, f'quote.{name}', 'quote.max_half_spread_bps')}: quote.{name} = "
                f"{value:g} exceeds quote.max_half_spread_bps = {quote.max_half_spread_bps:g}, "
                "so nothing would ever be quoted; lower the first or raise the second")
    if quote.resume_vol > quote.stand_aside_vol > 0:
        faults.append(
            f"{at(config, 'quote.resume_vol', 'quote.stand_aside_vol')}: quote.resume_vol = "
            f"{quote.resume_vol:g} exceeds quote.stand_aside_vol = {quote.stand_aside_vol:g}; "
            "lower the first")
    if quote.stand_aside_vol > 0 and quote.resume_vol <= 0:
        faults.append(
            f"{at(config, 'quote.resume_vol', 'quote.stand_aside_vol')}: quote.resume_vol = "
            f"{quote.resume_vol:g} is never reached, so standing aside at quote.stand_aside_vol "
            f"= {quote.stand_aside_vol:g} would never end; raise the first")
    if quote.size_edge_k > 0 and not quote.fee_floor:
        faults.append(
            f"{at(config, 'quote.size_edge_k', 'quote.fee_floor')}: quote.size_edge_k = "
            f"{quote.size_edge_k:g} counts the width over the fee floor, and quote.fee_floor is "
            "false; turn the floor on or set the first to 0")
    if quote.gamma > 0 and config.origin["quote.skew_usd_at_limit"] not in (
            "default", "sim profile"):
        faults.append(
            f"{at(config, 'quote.gamma')}: quote.gamma and quote.skew_usd_at_limit both state "
            "the skew; keep one of them")
    faults += own_faults(config)
    return faults or skew_faults(config)


def skew_faults(config: Config) -> list[str]:
    """At the limit the skew must cover the base half-spread, as far as no price is needed."""
    quote = config.quote
    if quote.skew_usd_at_limit <= 0.0 and quote.gamma <= 0.0:
        return []                       # no skew at all is a choice
    if quote.max_skew_bps >= quote.base_half_spread_bps:
        return []
    place = at(config, "quote.max_skew_bps", "quote.base_half_spread_bps")
    return [(f"{place}: quote.max_skew_bps = {quote.max_skew_bps:g} is under "
             f"quote.base_half_spread_bps = {quote.base_half_spread_bps:g}, so inventory cannot "
             "shift the quotes by their width; raise quote.max_skew_bps")]


def own_faults(config: Config) -> list[str]:
    """What names a signal or a width model of one's own must find one."""
    faults = []
    names = own_terms()
    for place in range(1, OWN_TERMS + 1):
        name = f"own_{place}_shift_bps"
        if getattr(config.quote, name) > 0 and place > len(names):
            there = ", ".join(names) or "none"
            faults.append(f"{at(config, f'quote.{name}')}: quote.{name} weighs signal number "
                          f"{place} of your own; registered in mmcore/alpha.pyx: {there}; "
                          "register one or set it to 0")
    if config.quote.model == "own" and not has_own_model():
        faults.append(f'{at(config, "quote.model")}: quote.model = "own", and no width model of '
                      "your own is registered in mmcore/width.pyx; register one or choose another")
    return faults


def size_faults(config: Config) -> list[str]:
    limit = config.inventory.limit_btc
    inventory = config.inventory
    faults = []
    if inventory.fills_in_row_shrink > inventory.fills_in_row_pause > 0:
        faults.append(
            f"{at(config, 'inventory.fills_in_row_shrink', 'inventory.fills_in_row_pause')}: "
            f"inventory.fills_in_row_shrink = {inventory.fills_in_row_shrink} is over "
            f"inventory.fills_in_row_pause = {inventory.fills_in_row_pause}, so nothing would "
            "ever shrink; lower the first")
    if config.quote.size_btc > limit:
        faults.append(
            f"{at(config, 'quote.size_btc', 'inventory.limit_btc')}: quote.size_btc = "
            f"{config.quote.size_btc:g} exceeds inventory.limit_btc = {limit:g}; "
            "lower the size or raise the limit")
    if abs(config.inventory.target_btc) > limit:
        faults.append(
            f"{at(config, 'inventory.target_btc', 'inventory.limit_btc')}: inventory.target_btc "
            f"= {config.inventory.target_btc:g} is beyond inventory.limit_btc = {limit:g}; "
            "move the target inside the limit")
    return faults


def order_faults(config: Config) -> list[str]:
    orders, risk = config.orders, config.risk
    faults = []
    if orders.requote_bps > orders.off_center_bps:
        faults.append(
            f"{at(config, 'orders.requote_bps', 'orders.off_center_bps')}: orders.requote_bps = "
            f"{orders.requote_bps:g} exceeds orders.off_center_bps = {orders.off_center_bps:g}; "
            "lower the first or raise the second")
    if orders.otv_soft >= orders.otv_hard:
        faults.append(
            f"{at(config, 'orders.otv_soft', 'orders.otv_hard')}: orders.otv_soft = "
            f"{orders.otv_soft:g} is not under orders.otv_hard = {orders.otv_hard:g}, so messages "
            "would stop before they grew fewer; lower the first or raise the second")
    if orders.mode == "mass_quote":
        faults += protection_faults(config)
    needed = 2 * config.quote.levels * len(config.instrument)
    if needed > risk.max_open_orders:
        faults.append(
            f"{at(config, 'risk.max_open_orders', 'quote.levels')}: the ladder needs {needed} "
            f"orders (2 sides x {config.quote.levels} levels x {len(config.instrument)} "
            f"instruments) and risk.max_open_orders is {risk.max_open_orders}; "
            "lower quote.levels or raise risk.max_open_orders")
    return faults


def protection_faults(config: Config) -> list[str]:
    """What the venue would refuse of the limits of mass quotes, or what would never trip."""
    orders, quote = config.orders, config.quote
    largest = quote.size_btc * max(1.0, quote.level_size_factor ** (quote.levels - 1))
    faults = []
    if largest > orders.mmp_max_quote_btc:
        faults.append(
            f"{at(config, 'orders.mmp_max_quote_btc', 'quote.size_btc')}: a rung of {largest:g} "
            f"BTC exceeds orders.mmp_max_quote_btc = {orders.mmp_max_quote_btc:g}; lower "
            "quote.size_btc or raise orders.mmp_max_quote_btc")
    if orders.mmp_max_quote_btc > orders.mmp_quantity_btc:
        faults.append(
            f"{at(config, 'orders.mmp_quantity_btc', 'orders.mmp_max_quote_btc')}: "
            f"orders.mmp_max_quote_btc = {orders.mmp_max_quote_btc:g} exceeds "
            f"orders.mmp_quantity_btc = {orders.mmp_quantity_btc:g}, so one quote would trip the "
            "protection; lower the first or raise the second")
    if orders.mmp_delta_btc >= orders.mmp_quantity_btc:
        faults.append(
            f"{at(config, 'orders.mmp_delta_btc', 'orders.mmp_quantity_btc')}: "
            f"orders.mmp_delta_btc = {orders.mmp_delta_btc:g} is not under "
            f"orders.mmp_quantity_btc = {orders.mmp_quantity_btc:g}; lower the first")
    return faults


def instrument_faults(config: Config) -> list[str]:
    names = [i.name for i in config.instrument]
    faults = [
        f"{at(config, f'instrument.{names.index(name)}.name')}: instrument.name = {name!r} is "
        f"listed {names.count(name)} times; keep one of them"
        for name in sorted({n for n in names if names.count(n) > 1})]
    for i, entry in enumerate(config.instrument):
        if entry.limit_btc is not None and entry.limit_btc > config.inventory.limit_btc:
            faults.append(
                f"{at(config, f'instrument.{i}.limit_btc', 'inventory.limit_btc')}: "
                f"instrument.{i}.limit_btc = {entry.limit_btc:g} exceeds inventory.limit_btc = "
                f"{config.inventory.limit_btc:g}; lower it or raise inventory.limit_btc")
    return faults


def machine_faults(config: Config) -> list[str]:
    faults = []
    if config.journal.ring_mib not in RING_MIB_STEPS:
        faults.append(
            f"{at(config, 'journal.ring_mib')}: journal.ring_mib = {config.journal.ring_mib} is "
            "not a power of two; use 16")
    if config.venue.label_prefix == "" or not config.venue.label_prefix.isalnum() \
            or len(config.venue.label_prefix) > 8:
        faults.append(
            f"{at(config, 'venue.label_prefix')}: venue.label_prefix = "
            f"{config.venue.label_prefix!r} must be 1 to 8 letters or digits; use \"mm\"")
    runtime = config.runtime
    # Helpers are children and stay where the reactor is pinned unless they are told otherwise.
    if runtime.spin and (runtime.reactor_cpu < 0 or runtime.helper_cpu in (
            -1, runtime.reactor_cpu)):
        faults.append(
            f"{at(config, 'runtime.spin')}: runtime.spin = true takes a CPU whole, and "
            f"runtime.reactor_cpu = {runtime.reactor_cpu}, runtime.helper_cpu = "
            f"{runtime.helper_cpu} share it; give each a CPU of its own, or spin = false")
    return faults


def telling_faults(config: Config) -> list[str]:
    telemetry, journal = config.telemetry, config.journal
    faults = []
    if telemetry.webhook_url and telemetry.webhook_shape == "telegram" \
            and not telemetry.webhook_chat:
        faults.append(f"{at(config, 'telemetry.webhook_shape')}: telemetry.webhook_shape = "
                      "telegram needs telemetry.webhook_chat, the chat id")
    if telemetry.webhook_url and not telemetry.prometheus:
        faults.append(f"{at(config, 'telemetry.webhook_url')}: telemetry.webhook_url needs "
                      "telemetry.prometheus = true: the exporter sends the alerts")
    if 0 < journal.quota_mib < 2 * journal.segment_mib:
        faults.append(f"{at(config, 'journal.quota_mib', 'journal.segment_mib')}: "
                      f"journal.quota_mib = {journal.quota_mib} holds less than two segments of "
                      f"journal.segment_mib = {journal.segment_mib}; raise the first")
    return faults


def loss_faults(config: Config) -> list[str]:
    """What the limits may lose must fit what is to be lost at most; live venues only."""
    risk, limit = config.risk, config.inventory.limit_btc
    faults = []
    if risk.day_soft_btc >= risk.day_kill_btc > 0.0:
        faults.append(
            f"{at(config, 'risk.day_soft_btc', 'risk.day_kill_btc')}: risk.day_soft_btc = "
            f"{risk.day_soft_btc:g} is not under risk.day_kill_btc = {risk.day_kill_btc:g}, so "
            "the first loss would kill; lower the first or raise the second")
    if config.profile == "live" and risk.day_kill_btc <= 0.0:
        faults.append(
            f"{at(config, 'risk.day_kill_btc')}: risk.day_kill_btc = 0 lets a live maker lose "
            "without end; set what a day may cost")
    move = risk.stress_kill_pct / 100
    if config.profile == "sim" or not 0.0 < move < 1.0 or risk.day_kill_btc <= 0.0:
        return faults
    loss = limit * (1 / (1 - move) - 1)
    if loss > risk.day_kill_btc:
        most = risk.day_kill_btc / (1 / (1 - move) - 1)
        faults.append(
            f"{at(config, 'inventory.limit_btc', 'risk.day_kill_btc')}: a long of "
            f"inventory.limit_btc = {limit:g} loses {loss:.4f} BTC when the price falls by "
            f"risk.stress_kill_pct = {risk.stress_kill_pct:g} %, more than risk.day_kill_btc = "
            f"{risk.day_kill_btc:g}; lower inventory.limit_btc to {most:.3f} or raise the kill")
    return faults


def limits_missing(given: Container[str], profile: str, file_name: str) -> list[str]:
    """Name the limits and keys a live venue needs stated."""
    if profile != "live":
        return []
    missing = [k.name for k in KEYS.values() if k.limit and k.name not in given]
    missing += [k for k in ("venue.client_id", "venue.client_secret") if k not in given]
    if not missing:
        return []
    names = ", ".join(missing)
    return [f"{file_name}: a live venue starts only with its limits stated; add {names}"]
