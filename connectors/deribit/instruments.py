"""What the venue lists, as the core counts it: definitions, and names chosen by rule."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from connectors.deribit.messages import InstrumentData
from mmcore.types import InstrumentSpec

PERPETUAL = "perpetual"
FRONT = "front"
NEXT_QUARTER = "next-quarter"
RULES = (PERPETUAL, FRONT, NEXT_QUARTER)


def spec_of(data: InstrumentData) -> InstrumentSpec:
    """Return one listed instrument for the core; ValueError says what cannot be traded here."""
    name = data.instrument_name
    if data.kind != "future":
        raise ValueError(f"{name} is a {data.kind}; only futures and perpetuals are traded")
    if not data.is_active:
        raise ValueError(f"{name} is not active")
    # Older listings leave the type out; a contract quoted in USD is the inverse one.
    kind = data.instrument_type or ("reversed" if data.quote_currency == "USD" else "linear")
    if kind not in {"reversed", "linear"}:
        raise ValueError(f"{name}: instrument type {kind!r} is neither reversed nor linear")
    perpetual = data.settlement_period == PERPETUAL
    return InstrumentSpec(
        name,
        tick_size=data.tick_size,
        contract_size=data.contract_size,
        min_amount=data.min_trade_amount,
        inverse=kind == "reversed",
        maker_fee=data.maker_commission,
        taker_fee=data.taker_commission,
        expiry_ms=0 if perpetual else data.expiration_timestamp,
        tick_steps=[(s.above_price, s.tick_size) for s in data.tick_size_steps],
    )


def is_quarterly(expiry_ms: int) -> bool:
    """Say whether an expiry is the last Friday of March, June, September or December."""
    day = datetime.fromtimestamp(expiry_ms / 1000, UTC)
    return (day.month % 3 == 0 and day.weekday() == 4
            and (day + timedelta(days=7)).month != day.month)


def resolve(
    names: Sequence[str],
    listed: Sequence[InstrumentData],
    now_ms: int,
    *,
    wind_down_h: float = 48.0,
    inverse: bool = True,
) -> list[InstrumentData]:
    """Return the instruments that names and rules stand for, in their order.

    perpetual: the BTC perpetual; front: the nearest expiry still outside its wind-down;
    next-quarter: the second quarterly from now. Anything else is a name. Two that mean one
    contract, or one that means none, are ValueErrors.
    """
    found: dict[str, str] = {}
    chosen = []
    for name in names:
        data = resolve_one(name, listed, now_ms, wind_down_h, inverse)
        if data.instrument_name in found:
            raise ValueError(f"instruments {found[data.instrument_name]!r} and {name!r} are the "
                             f"same contract, {data.instrument_name}; drop one of them")
        found[data.instrument_name] = name
        chosen.append(data)
    return chosen


def resolve_one(
    name: str, listed: Sequence[InstrumentData], now_ms: int, wind_down_h: float, inverse: bool
) -> InstrumentData:
    """Return the one instrument a name or rule stands for."""
    if name not in RULES:
        for data in listed:
            if data.instrument_name == name:
                return data
        close = ", ".join(sorted(d.instrument_name for d in family(listed, inverse))) or "none"
        raise ValueError(f"instrument {name!r} is not listed; use {', '.join(RULES)} or one of: "
                         f"{close}")
    ours = family(listed, inverse)
    if name == PERPETUAL:
        candidates = [d for d in ours if d.settlement_period == PERPETUAL]
    else:
        dated = sorted((d for d in ours if d.settlement_period != PERPETUAL),
                       key=lambda d: d.expiration_timestamp)
        if name == FRONT:
            limit_ms = now_ms + int(wind_down_h * 3_600_000)
            candidates = [d for d in dated if d.expiration_timestamp > limit_ms]
        else:
            candidates = [d for d in dated if d.expiration_timestamp > now_ms
                          and is_quarterly(d.expiration_timestamp)][1:]
    if not candidates:
        raise ValueError(f"instrument rule {name!r}: the venue lists no such contract now")
    return candidates[0]


def family(listed: Sequence[InstrumentData], inverse: bool) -> list[InstrumentData]:
    """Return the BTC futures of one kind: inverse (USD) or linear (a stablecoin)."""
    return [d for d in listed if d.kind == "future" and d.base_currency == "BTC"
            and d.is_active and (d.quote_currency == "USD") == inverse]


def differences(data: InstrumentData, spec: InstrumentSpec) -> list[str]:
    """Say what changed between the listing and the spec in use, besides fees."""
    now = spec_of(data)
    return [
        f"{what} {old} is now {new}"
        for what, old, new in (
            ("tick", spec.tick_usd, now.tick_usd),
            ("contract size", spec.contract_size, now.contract_size),
            ("smallest amount", spec.lot_contracts, now.lot_contracts),
            ("expiry", spec.expiry_ms, now.expiry_ms),
            ("inverse", spec.inverse, now.inverse),
        )
        if old != new
    ]
