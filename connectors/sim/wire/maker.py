"""The private methods of makers: mass quotes and their protection."""

from __future__ import annotations

from typing import Any

from connectors.sim.wire.caller import Caller
from connectors.sim.wire.cancels import cancelled_groups
from connectors.sim.wire.errors import RpcError, invalid
from connectors.sim.wire.later import PENDING as PENDING_ERROR
from connectors.sim.wire.later import Reply, gathered, outcome_of
from connectors.sim.wire.params import Params
from connectors.sim.wire.quote_desk import QuoteDesk
from connectors.sim.wire.venue import Venue, scope_of

SIDES = (("bid", 0), ("ask", 1))
QUOTES_MAX = 100
FREEZE_NS = 1_000_000_000
GROUP_LIMIT_BTC = 500.0
CREDIT_QUOTES = 5
QUEUE_FULL = 10047
PENDING = object()      # in place of the outcome of a side not taken up yet
CANCEL_TYPES = ("all", "currency", "currency_pair", "instrument", "instrument_kind",
                "quote_set_id")
NAMES = ("mass_quote", "cancel_quotes", "set_mmp_config", "get_mmp_config", "reset_mmp",
         "get_mmp_status")


class Maker:
    """Handlers; each takes (caller, params, t_ns) and returns the result."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.desk = QuoteDesk(venue.exchange)
        self.exchange = venue.exchange

    # ---- quotes
    def mass_quote(self, caller: Caller, params: Params, t_ns: int) -> Any:
        """Put a list of quotes; each side's fate is its own.

        With `wait_for_response` false what the matching engine has not taken up yet is answered
        as pending.
        """
        quotes = params.values.get("quotes")
        if not isinstance(quotes, list) or not 0 < len(quotes) <= QUOTES_MAX or not all(
                isinstance(q, dict) for q in quotes):
            raise invalid("quotes", f"must be a list of 1 to {QUOTES_MAX} quotes")
        name = params.text("mmp_group")
        if not self.exchange.accounts[caller.account].mass_quotes:
            raise RpcError(13902)
        if caller.connection < 0 or not self.exchange.cancels_on_disconnect(
                caller.connection, False):
            raise RpcError(13042)
        wait = params.flag("wait_for_response") is not False
        sides: list[tuple[str, str]] = []
        replies: list[Reply] = []
        for quote in (Params(q, params.lenient) for q in quotes):
            market = self.venue.market(quote)
            number, group = self.exchange.mmp(
                caller.account, self.desk.index_of(market), name)
            if group is None or not group.configured:
                raise RpcError(13040)
            for side, values in self.in_order(caller, quote, market, number):
                sides.append((quote.text("instrument_name"), SIDES[side][0]))
                queued = any(reply[0] == PENDING_ERROR for reply in replies)
                replies.append(self.put(caller, params, quote, values, market, side, number,
                                        t_ns, part=queued))
                if replies[-1][0] == QUEUE_FULL:
                    raise RpcError(QUEUE_FULL)      # the request as a whole found no place

        def result(outcomes: list[Any]) -> dict[str, Any]:
            return mass_result(params, sides, outcomes)

        if not wait:
            return result([PENDING if reply[0] == PENDING_ERROR else outcome_of(reply)
                           for reply in replies])
        return gathered(replies, result)

    def in_order(self, caller: Caller, quote: Params, market: int,
                 number: int) -> list[tuple[int, Params]]:
        """Return the sides given; the ask first where the bid goes up, so they never cross."""
        sides = []
        for name, side in SIDES:
            values = quote.values.get(name)
            if values is None:
                continue
            if not isinstance(values, dict):
                raise invalid(name, "must be an object")
            sides.append((side, Params(values, quote.lenient)))
        if len(sides) == 2:
            before = self.desk.resting_ticks(caller.account, market, 0, number)
            price = sides[0][1].number("price")
            spec = self.exchange.specs[market]
            if before is not None and price is not None and price > spec.price(before):
                sides.reverse()
        return sides

    def put(self, caller: Caller, params: Params, quote: Params, values: Params, market: int,
            side: int, number: int, t_ns: int, *, part: bool) -> Reply:
        """Put one side; the reply of a side taken away is no order."""
        if not self.exchange.take_credit(t_ns, caller.account, CREDIT_QUOTES):
            return 13903, None, None
        spec = self.exchange.specs[market]
        amount, price = values.number("amount"), values.number("price")
        if amount is None or (amount > 0 and price is None):
            raise invalid("amount" if amount is None else "price", "value required")
        try:
            contracts = spec.contracts(amount) if amount else 0
        except ValueError:
            return 10021, None, None
        try:
            ticks = spec.ticks(price) if price is not None and contracts else 0
        except ValueError:
            return 10043, None, None
        return self.desk.side(
            t_ns, caller.connection, caller.account, market, side, number, ticks, contracts,
            quote_id=short(params, "quote_id"), set_id=short(quote, "quote_set_id"),
            post_only=bool(values.flag("post_only")),
            reject_post_only=bool(values.flag("reject_post_only")),
            valid_until_ms=params.integer("valid_until", 0, 0, 10**14), part=part)

    def cancel_quotes(self, caller: Caller, params: Params, t_ns: int) -> Any:
        """Return how many were cancelled, or them where `detailed`."""
        kind = params.choice("cancel_type", CANCEL_TYPES)
        market = self.venue.market(params) if kind == "instrument" else -1
        currency = self.venue.currency(params) if kind == "currency" else -1
        set_id = short(params, "quote_set_id") if kind == "quote_set_id" else None
        scope = scope_of(params.text("kind", "any")) if kind == "instrument_kind" else 0
        freeze = FREEZE_NS if params.flag("freeze_quotes") else 0
        before = self.venue.desk.open_orders(caller.account) if params.flag("detailed") else []
        if kind == "currency_pair":
            markets = [m for m, listing in enumerate(self.venue.listings)
                       if listing.index_name == params.text("currency_pair")]
        else:
            markets = [market]
        count = 0
        for one in markets if scope is not None else []:
            count += self.exchange.drop_quotes(t_ns, caller.account, one, currency, set_id,
                                               freeze, scope or 0)
        if params.flag("detailed"):
            return cancelled_groups(self.venue, caller, before)
        return count

    # ---- quote protection
    def index(self, params: Params) -> int:
        name = params.text("index_name")
        if name not in self.exchange.index_names:
            raise invalid("index_name", "index not found")
        return self.exchange.index_names.index(name)

    def set_mmp_config(self, caller: Caller, params: Params, t_ns: int) -> Any:
        index, name = self.index(params), params.text("mmp_group", "")
        interval = params.integer("interval", -1, 0, 3600)
        frozen = params.integer("frozen_time", -1, 0, 3600)
        if interval < 0 or frozen < 0:
            raise invalid("interval" if interval < 0 else "frozen_time", "value required")
        limits = {k: params.number(k) or 0.0 for k in (
            "quantity_limit", "delta_limit", "vega_limit", "max_quote_quantity")}
        for key, limit in limits.items():
            if not 0.0 <= limit <= GROUP_LIMIT_BTC:
                raise invalid(key, f"must be from 0 to {GROUP_LIMIT_BTC:.0f}")
        if 0.0 < limits["quantity_limit"] <= limits["delta_limit"]:
            raise invalid("delta_limit", "must be below quantity_limit")
        if interval > 0 and limits["max_quote_quantity"] <= 0.0:
            raise invalid("max_quote_quantity", "value required")
        try:
            _, group = self.exchange.mmp(caller.account, index, name, True)
        except ValueError as error:
            raise invalid("mmp_group", str(error)) from None
        assert group is not None
        group.configure(float(interval), float(frozen), *(round(v, 4) for v in limits.values()))
        return [self.config_view(group, index)]

    def config_view(self, group: Any, index: int) -> dict[str, Any]:
        view = {"index_name": self.exchange.index_names[index],
                "interval": int(group.interval_s), "frozen_time": int(group.frozen_s),
                "max_quote_quantity": group.max_quote_quantity, "block_rfq": False}
        for key in ("quantity_limit", "delta_limit", "vega_limit"):
            if getattr(group, key) > 0.0:
                view[key] = getattr(group, key)
        if group.name:
            view["mmp_group"] = group.name
        return view

    def get_mmp_config(self, caller: Caller, params: Params, t_ns: int) -> Any:
        """Return the groups that are configured, all or as named."""
        index = self.index(params) if "index_name" in params.values else None
        name = params.text("mmp_group", "") if "mmp_group" in params.values else None
        return [self.config_view(g, g.index)
                for g in self.exchange.accounts[caller.account].mmp_groups
                if g.configured and index in (None, g.index) and name in (None, g.name)]

    def reset_mmp(self, caller: Caller, params: Params, t_ns: int) -> str:
        index = self.index(params)
        number, _ = self.exchange.mmp(caller.account, index, params.text("mmp_group", ""))
        if number == 0 or not self.desk.reset(caller.account, index, number):
            raise RpcError(13040)
        return "ok"

    def get_mmp_status(self, caller: Caller, params: Params, t_ns: int) -> Any:
        """Return the groups frozen now."""
        index = self.index(params) if "index_name" in params.values else None
        found = []
        for number, group in enumerate(self.exchange.accounts[caller.account].mmp_groups, 1):
            if index not in (None, group.index):
                continue
            until = self.desk.frozen_until_ms(t_ns, caller.account, group.index, number)
            if until is not None:
                view = {"index_name": self.exchange.index_names[group.index],
                        "frozen_until": until, "block_rfq": False}
                if group.name:
                    view["mmp_group"] = group.name
                found.append(view)
        return found


def mass_result(params: Params, sides: list[tuple[str, str]],
                outcomes: list[Any]) -> dict[str, Any]:
    """Return the result of a mass quote from what each side came to."""
    orders: list[Any] = []
    trades: list[Any] = []
    errors: list[Any] = []
    pending: list[Any] = []
    for (name, side), outcome in zip(sides, outcomes, strict=True):
        if outcome is PENDING:
            pending.append({"instrument_name": name, "side": side})
        elif isinstance(outcome, RpcError):
            errors.append({"instrument_name": name, "side": side, "error": outcome.view()})
        elif outcome is not None and "order" in outcome:
            orders.append(outcome["order"])
            trades += outcome["trades"]
    view: dict[str, Any] = {"orders": orders, "trades": trades}
    if params.flag("detailed"):
        view["errors"] = errors
        if pending:
            view["pending_requests"] = pending
    else:
        view["errors_count"] = len(errors)
        if pending:
            view["pending_requests_count"] = len(pending)
    return view


def short(params: Params, name: str) -> bytes:
    """Return a quote's name; missing is empty."""
    value = params.text(name, "").encode("utf-8", "replace")
    if len(value) > 32:
        raise invalid(name, "at most 32 characters")
    return value
