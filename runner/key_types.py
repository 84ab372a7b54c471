"""How a configuration key is described, and what every section of the file is."""

from typing import Any

from msgspec import UNSET, Meta, Struct

# Beside every limit a live venue needs stated, and all of [risk]: what bounds loss and exposure.
LOSS_BOUNDS = {
    "inventory.gross_limit_btc", "inventory.limit_usd", "inventory.gross_limit_usd",
    "inventory.capital_btc", "inventory.target_btc", "instrument.limit_btc",
    "instrument.size_btc", "quote.fee_floor", "quote.min_edge_bps", "orders.otv_brake",
    "orders.reserve_requests", "cover.max_loss_bps"}


def key(
    unit: str,
    effect: str,
    low: float | None = None,
    high: float | None = None,
    *,
    sim: Any = UNSET,
    running: bool = False,
    limit: bool = False,
    core: bool = True,
) -> Meta:
    """Describe a key.

    sim: the default on the embedded exchange where it differs. running: may change while
    trading. limit: must be stated in the file on a live venue. core: the
    engine reads it, where its section is one of the engine's.
    """
    extra = {"unit": unit, "effect": effect, "sim": sim, "running": running, "limit": limit,
             "core": core}
    return Meta(ge=low, le=high, extra=extra)


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file."""
