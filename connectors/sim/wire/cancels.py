"""The private methods that cancel many orders at once."""

from __future__ import annotations

from typing import Any

from connectors.sim.orders import OrderScope
from connectors.sim.wire.caller import Caller
from connectors.sim.wire.errors import RpcError, invalid
from connectors.sim.wire.later import Reply, gathered
from connectors.sim.wire.params import Params
from connectors.sim.wire.venue import CURRENCIES, Venue, scope_of

FREEZE_NS = 1_000_000_000
TYPES = {"all": 0, "limit": OrderScope.SCOPE_LIMIT,
         "trigger_all": OrderScope.SCOPE_STOP | OrderScope.SCOPE_TAKE,
         "stop": OrderScope.SCOPE_STOP, "take": OrderScope.SCOPE_TAKE}
NOTHING = {"trailing_stop"}     # types the venue knows and nobody has here
NAMES = ("cancel_all", "cancel_all_by_instrument", "cancel_all_by_currency",
         "cancel_all_by_currency_pair", "cancel_all_by_kind_or_type", "cancel_by_label")


class Cancels:
    """Handlers; each takes (caller, params, t_ns) and returns a count, or lists if `detailed`."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.desk = venue.desk
        self.exchange = venue.exchange

    def cancel_all(self, caller: Caller, params: Params, t_ns: int) -> Any:
        return self.cancel(caller, params, t_ns, [(-1, -1)])

    def cancel_all_by_instrument(self, caller: Caller, params: Params, t_ns: int) -> Any:
        market = self.venue.market(params)
        markets = [market]
        if params.flag("include_combos"):
            markets += [m for m in self.venue.markets.values()
                        if market in (self.venue.legs(m) or ())]
        return self.cancel(caller, params, t_ns, [(m, -1) for m in markets])

    def cancel_all_by_currency(self, caller: Caller, params: Params, t_ns: int) -> Any:
        return self.cancel(caller, params, t_ns, [(-1, self.venue.currency(params))])

    def cancel_all_by_currency_pair(self, caller: Caller, params: Params, t_ns: int) -> Any:
        """Cancel what follows the pair's index."""
        pair = params.text("currency_pair")
        return self.cancel(caller, params, t_ns, [
            (m, -1) for m, listing in enumerate(self.venue.listings)
            if listing.index_name == pair])

    def cancel_all_by_kind_or_type(self, caller: Caller, params: Params, t_ns: int) -> Any:
        """Cancel in one currency, in several, or in any."""
        names = params.values.get("currency")
        if not isinstance(names, list):
            return self.cancel_all_by_currency(caller, params, t_ns)
        found = {self.venue.currency(Params({"currency": name})) for name in names}
        if -1 in found or found >= set(CURRENCIES.values()):
            found = {-1}
        return self.cancel(caller, params, t_ns, [(-1, c) for c in sorted(found)])

    def cancel_by_label(self, caller: Caller, params: Params, t_ns: int) -> Any:
        label = params.text("label").encode()
        currency = self.venue.currency(params) if "currency" in params.values else -1
        return self.cancel(caller, Params({}), t_ns, [(-1, currency)], label)

    def cancel(self, caller: Caller, params: Params, t_ns: int, among: list[tuple[int, int]],
               label: bytes | None = None) -> Any:
        """Cancel in each (market, currency); -1 is any."""
        detailed = bool(params.flag("detailed"))
        scope = self.scope(params)
        if params.flag("freeze_quotes"):
            self.exchange.freeze_quotes(t_ns, caller.account, FREEZE_NS)
        before = self.desk.open_orders(caller.account) if detailed else []
        replies: list[Reply] = [] if scope is None else [
            self.desk.cancel_many(t_ns, caller.account, market, currency, label, scope)
            for market, currency in among]

        def total(outcomes: list[Any]) -> Any:
            for outcome in outcomes:
                if isinstance(outcome, RpcError):
                    raise outcome
            return cancelled_groups(self.venue, caller, before) if detailed else sum(outcomes)

        return gathered(replies, total)

    def scope(self, params: Params) -> int | None:
        """Return the OrderScope of `kind` and `type`; None where nothing can match."""
        kind, kinds = params.text("type", "all"), scope_of(params.text("kind", "any"))
        if kind not in TYPES and kind not in NOTHING:
            raise invalid("type", f"must be one of {', '.join(TYPES)}")
        return None if kinds is None or kind in NOTHING else kinds | TYPES[kind]


def cancelled_groups(venue: Venue, caller: Caller,
                     before: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the orders of a list that are cancelled now, by instrument and type."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for old in before:
        order = venue.desk.order(int(old["order_id"].rpartition("-")[2]), caller.account)
        if order is not None and order["order_state"] == "cancelled":
            kind = "trigger" if "trigger" in order else "limit"
            found.setdefault((order["instrument_name"], kind), []).append(order)
    return [{"type": kind, "result": orders, "instrument_name": name,
             "currency": venue.currency_of(name)}
            for (name, kind), orders in found.items()]
