"""Making the venue's open orders none: ours, a stranger's by policy, and those of unknown fate.

Orders of unknown fate are asked for by label with ids the feed itself decodes, so that a replay
of the frames resolves them the same way.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from connectors.deribit import endpoints
from connectors.deribit.labels import LabelOwner
from connectors.deribit.messages import OrderData
from connectors.deribit.rpc import Rpc, RpcClosedError, RpcError, encode
from connectors.deribit.session import DeribitSession
from mmcore.types import InstrumentSpec

log = logging.getLogger("mm.deribit")

QUERY_KIND = 6  # request ids of get_order_state_by_label; see own.pxd
STATE_KIND = 9  # of get_order_state
LISTED_KIND = 10  # of get_open_orders_by_instrument
QUOTE_SLOTS = 20  # slots below are quotes, those above orders that take
EXPIRY_SLACK_NS = 1_000_000_000  # an order may still appear this long after its valid_until
QUERY_AGAIN_NS = 1_000_000_000
Key = tuple[int, int, int]  # market, slot, generation
LISTED_AT_MOST = 5  # foreign orders named in a refusal


class Sweep:
    """Cancels and resolves over one session and RPC."""

    def __init__(self, session: DeribitSession, rpc: Rpc, specs: Sequence[InstrumentSpec],
                 timeout_s: float, *, ask_trades: Callable[[int], None] | None = None) -> None:
        """ask_trades: given where our orders are mass quotes; asks for a market's own trades."""
        self.session = session
        self.rpc = rpc
        self.specs = list(specs)
        self.timeout_s = timeout_s
        self.ask_trades = ask_trades
        self.queries = 0
        self._asked_ns: dict[tuple[int, int, int], int] = {}

    # ---------------------------------------------------------------- everything
    async def clear_orders(self, deadline_s: float) -> bool:
        """Cancel everything and learn how every order ended; False at the deadline.

        What was under way on a lost connection may reach the venue after the first cancel_all;
        so once none of it can take effect any more, everything is cancelled again.
        """
        under_way = bool(self.unknown_orders())
        if not await self.cancel_and_verify(deadline_s):
            return False
        return not under_way or (await self.resolve_unknown(deadline_s)
                                 and await self.cancel_and_verify(deadline_s))

    async def clear_killed(self, deadline_s: float) -> bool:
        """clear_orders() of a kill: what was under way when it came is waited for as well.

        What the kill itself sends since, to close a position, is left to it.

        Raises RpcClosedError where the connection goes meanwhile.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline_s
        before, under_way = self.known_orders()
        if not await self.cancel_and_verify(deadline_s, before):
            return False
        if not under_way:
            return True
        while before & self.known_orders()[0]:
            self.ask_unknown()
            if loop.time() > end:
                return False
            if not self.session.sink.is_connected:
                raise RpcClosedError("the connection went while orders were waited for")
            await asyncio.sleep(0.02)
        return await self.cancel_and_verify(max(0.0, end - loop.time()), before)

    def known_orders(self) -> tuple[frozenset[Key], bool]:
        """Return what the engine counts as open, and whether a request of it is under way."""
        rows = [(market, row) for market, m in enumerate(self.session.engine.markets)
                for row in m.orders.rows()]
        return (frozenset((market, row["slot"], row["generation"]) for market, row in rows),
                any(row["request"] or row["state"] == "ORDER_UNKNOWN" for _, row in rows))

    def is_newer(self, order: OrderData, before: frozenset[Key]) -> bool:
        """Say whether an order is ours and none of those known before."""
        labels = self.session.feed.own.labels
        told = (labels.parse(order.label) if order.label
                else labels.parse_quote(order.quote_id, order.quote_set_id))
        return told[0] == LabelOwner.LABEL_OURS and told[1:] not in before

    async def cancel_and_verify(self, deadline_s: float,
                                before: frozenset[Key] | None = None) -> bool:
        """Cancel every order of the account until a query shows none; False at the deadline.

        The dead-man stop goes too, and the guard puts it back: it may be there again already.
        before: the orders that must be gone, where newer ones of ours may be there.

        Raises RpcClosedError where the connection goes meanwhile.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline_s
        pause_s = 0.05
        while True:
            try:
                await self.pay_for_cancel_all()
                await self.rpc.call(endpoints.CANCEL_ALL, {}, int, timeout_s=self.timeout_s)
                left = [o for o in await self.open_orders() if not self.is_dead_man(o)
                        and not (before is not None and self.is_newer(o, before))]
                if not left:
                    return True
                log.warning("%d orders are still open after cancel_all", len(left))
            except RpcClosedError:
                raise
            except (RpcError, TimeoutError) as error:
                log.warning("cancel_all, not yet verified: %s", error)
            if loop.time() + pause_s > end:
                return False
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, 2.0)

    def is_dead_man(self, order: OrderData) -> bool:
        """Say whether it is the stop that outlives us: no quote, and no business of a sweep."""
        owner = self.session.feed.own.labels.parse(order.label)[0]
        return order.order_type == "stop_market" and owner == LabelOwner.LABEL_OTHER_RUN

    async def pay_for_cancel_all(self) -> None:
        """Wait until the credits of cancel_all, a pool of its own, allow one more."""
        budget = self.session.engine.budget
        wait_s = budget.take_cancel_all(self.session.now_ns())
        while wait_s > 0.0:
            await asyncio.sleep(wait_s)
            wait_s = budget.take_cancel_all(self.session.now_ns())

    async def open_orders(self) -> list[OrderData]:
        """Ask for every open order of the account, trigger orders too."""
        return await self.rpc.call(
            endpoints.GET_OPEN_ORDERS, {}, list[OrderData], timeout_s=self.timeout_s)

    # ---------------------------------------------------------------- somebody else's
    async def find_foreign(self) -> list[OrderData]:
        """Return the open orders that no maker of our label prefix made."""
        labels = self.session.feed.own.labels
        return [order for order in await self.open_orders()
                if labels.parse(order.label)[0] == LabelOwner.LABEL_FOREIGN
                and labels.parse_quote(order.quote_id, order.quote_set_id)[0]
                == LabelOwner.LABEL_FOREIGN]

    async def cancel_ours_alone(self, foreign: Sequence[OrderData]) -> None:
        """Cancel our orders one by one: cancel_all would take the foreign ones too."""
        keep = {order.order_id for order in foreign}
        for order in await self.open_orders():
            if order.order_id in keep or self.is_dead_man(order):
                continue
            try:
                await self.rpc.call(endpoints.CANCEL, {"order_id": order.order_id}, OrderData,
                                    timeout_s=self.timeout_s)
            except RpcError as error:
                log.warning("cancelling %s: %s", order.order_id, error)

    # ---------------------------------------------------------------- unknown fate
    def unknown_orders(self) -> list[tuple[int, int, int, int, str]]:
        """List (market, slot, generation, valid_until_ms, id or "") of orders of unknown fate."""
        return [(market, row["slot"], row["generation"], row["valid_until_ms"], row["order_id"])
                for market, m in enumerate(self.session.engine.markets)
                if m.orders.unknown_count
                for row in m.orders.rows() if row["state"] == "ORDER_UNKNOWN"]

    def ask_unknown(self) -> int:
        """Ask by label for each order of unknown fate; the feed applies the answers.

        An order is only asked for once nothing sent for it can still take effect: then even its
        absence is evidence. Returns how many are still unknown.
        """
        unknown = self.unknown_orders()
        now_ns = self.session.now_ns()
        wall_ns = now_ns + self.session.engine.wall_offset_ns
        for market, slot, generation, valid_until_ms, order_id in unknown:
            if wall_ns < valid_until_ms * 1_000_000 + EXPIRY_SLACK_NS:
                continue
            key = (market, slot, generation)
            if now_ns - self._asked_ns.get(key, -QUERY_AGAIN_NS) < QUERY_AGAIN_NS:
                continue
            self._asked_ns[key] = now_ns
            self.queries += 1
            kind, method, params = self.question(market, slot, generation, order_id)
            self.session.send_text(encode(
                kind << 44 | market << 40 | slot << 32 | generation, method, params))
        if not unknown:
            self._asked_ns.clear()
        return len(unknown)

    def question(self, market: int, slot: int, generation: int,
                 order_id: str) -> tuple[int, str, dict[str, str]]:
        """Return how to ask for one order: by its label; a quote, which has none, by its id.

        A quote whose id never came is looked for among the open ones; its trades first, for the
        list does not tell one that was filled from one that never was.
        """
        if self.ask_trades is None or slot >= QUOTE_SLOTS:
            return QUERY_KIND, endpoints.GET_ORDER_STATE_BY_LABEL, {
                "currency": currency_of(self.specs[market]),
                "label": self.session.feed.own.labels.write(market, slot, generation)}
        if order_id:
            return STATE_KIND, endpoints.GET_ORDER_STATE, {"order_id": order_id}
        self.ask_trades(market)
        return LISTED_KIND, endpoints.GET_OPEN_ORDERS_BY_INSTRUMENT, {
            "instrument_name": self.specs[market].name}

    async def resolve_unknown(self, deadline_s: float) -> bool:
        """Ask until no order is of unknown fate; False at the deadline.

        Raises RpcClosedError where the connection or the login goes meanwhile.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline_s
        own = self.session.feed.own
        refused = own.unauthorized
        while self.ask_unknown():
            if loop.time() > end:
                return False
            if own.unauthorized != refused:     # a fresh connection logs in again
                raise RpcClosedError("the login was refused while orders were asked for")
            if not self.session.sink.is_connected:
                raise RpcClosedError("the connection went while orders were asked for")
            await asyncio.sleep(0.02)
        return True


def foreign_fault(foreign: Sequence[OrderData]) -> str:
    """Say in one line which orders are not ours, and the remedy."""
    named = ", ".join(f"{o.order_id} {o.direction} {o.amount:g} {o.instrument_name}"
                      for o in foreign[:LISTED_AT_MOST])
    more = f" and {len(foreign) - LISTED_AT_MOST} more" if len(foreign) > LISTED_AT_MOST else ""
    return (f"the account has {len(foreign)} open orders that are not ours ({named}{more}); a "
            "cancel-all is account-wide: cancel them, use a sub-account of its own, or set "
            "start.foreign_orders = \"cancel\"")


def currency_of(spec: InstrumentSpec) -> str:
    """Return the currency the venue files an instrument's orders under."""
    base = spec.name.split("-")[0]
    return base.split("_")[-1]
