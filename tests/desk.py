"""A maker's desk for tests: an engine on the default figures, and a venue that answers it."""

from collections.abc import Iterable
from typing import Any

from connectors.deribit.own import refusal_of
from mmcore.engine import Engine
from mmcore.face import EngineFace, ListSink
from mmcore.journal import Journal
from mmcore.market import Market
from mmcore.params import Params
from mmcore.types import ActionKind, ControlKind, InstrumentSpec, OrderEventKind, VenueOrderState

Sent = dict[str, Any]           # an action as ListSink keeps it

BID, ASK = 0, 1
MS = 1_000_000
SECOND = 1_000_000_000
START_NS = 1_000 * SECOND

# The shipped defaults; warm-up 0, so that a test starts quoting at once. A rule that is not named
# here is off: a test of it turns it on.
DEFAULTS = {
    "signals.vol_half_life_s": 60, "signals.warmup_s": 0, "signals.imbalance_levels": 5,
    "quote.size_btc": 0.02, "quote.levels": 1, "quote.level_spacing_bps": 4,
    "quote.min_half_spread_bps": 1.0, "quote.min_half_spread_usd": 2.5,
    "quote.min_edge_bps": 1.0, "quote.base_half_spread_bps": 2.5, "quote.vol_k": 1.0,
    "quote.horizon_s": 10, "quote.max_half_spread_bps": 30, "quote.gamma": 0,
    "quote.skew_usd_at_limit": 35, "quote.skew_reference_vol_bps": 0.7,
    "quote.max_skew_bps": 8, "quote.imbalance_shift_bps": 0.3, "quote.fee_floor": 1,
    "quote.micro_price": 0, "quote.max_reference_spread_bps": 20,
    "orders.requote_bps": 2, "orders.retreat_bps": 1, "orders.off_center_bps": 10,
    "orders.keep_ticks": 0, "orders.refresh_s": 1, "orders.max_updates_per_s": 8,
    "orders.reserve_requests": 6, "orders.valid_for_ms": 1000, "orders.unknown_ms": 1000,
    "orders.max_unanswered": 8, "inventory.limit_btc": 0.3, "inventory.target_btc": 0,
    "risk.stale_ms": 1000, "risk.book_silence_ms": 10000, "risk.ticker_stale_ms": 6000,
    "risk.max_feed_lag_ms": 250, "risk.max_mark_deviation_bps": 50,
    "risk.price_collar_bps": 75, "risk.max_order_usd": 10000, "risk.max_open_orders": 20,
    "risk.reject_storm_count": 5, "risk.reject_storm_s": 10,
    "signals.flow_half_life_s": 5, "signals.ofi_half_life_s": 1, "signals.vol_window_s": 120,
    "signals.basis_half_life_s": 600, "signals.run_trades": 5, "quote.max_alpha_bps": 100,
    "quote.max_carry_bps": 1, "quote.level_size_factor": 1, "quote.intensity_a": 1,
    "quote.intensity_k": 0.1, "orders.momentum_ms": 500, "cover.max_s": 60,
    "orders.take_limit_bps": 5,
}


def perpetual(name: str = "BTC-PERPETUAL", **changes: object) -> InstrumentSpec:
    """The inverse perpetual: tick 0.5 USD, contract 10 USD, 1.5 and 3.5 bps."""
    facts: dict[str, object] = {"tick_size": 0.5, "contract_size": 10, "maker_fee": 0.00015,
                                "taker_fee": 0.00035}
    return InstrumentSpec(name, **{**facts, **changes})  # type: ignore[arg-type]


def linear() -> InstrumentSpec:
    """A linear contract: tick 2.5, amount in steps of 0.0001 BTC."""
    return InstrumentSpec("BTC_USDC-PERPETUAL", tick_size=2.5, contract_size=0.0001,
                          inverse=False)


def params(changes: dict[str, float] | None = None) -> Params:
    """The defaults with some keys changed."""
    values = Params()
    for key, value in {**DEFAULTS, **(changes or {})}.items():
        values.set(key, value)
    return values


class Desk:
    """Engine, sink and clock; by default connected, reconciled and on a book of 0.5 USD width."""

    def __init__(self, changes: dict[str, float] | None = None, *, ready: bool = True,
                 specs: Iterable[InstrumentSpec] | None = None,
                 journal: Journal | None = None) -> None:
        self.specs = list(specs or [perpetual()])
        self.engine = Engine(params(changes), self.specs, journal)
        self.face = EngineFace(self.engine)
        self.sink = ListSink()
        self.engine.attach(self.sink)
        self.now_ns = START_NS
        self.change_id = [0] * len(self.specs)
        self.venue_ms = 1_000
        self.trade_id = 0
        if ready:
            self.control(ControlKind.CONTROL_CONNECTED)
            self.control(ControlKind.CONTROL_CREDITS, value=100, real=20.0)
            for i in range(len(self.specs)):
                self.ticker(market=i)
                self.snapshot(market=i)
            self.control(ControlKind.CONTROL_RECONCILED)

    @property
    def market(self) -> Market:
        return self.engine.markets[0]

    def control(self, kind: ControlKind, market: int = 0, value: int = 0,
                real: float = 0.0) -> None:
        self.engine.control(kind, self.now_ns, market, value, real)

    def wait(self, ms: float) -> None:
        """Let time pass on a connection that stays alive."""
        self.now_ns += int(ms * MS)
        self.face.frame(self.now_ns)

    def ticker(self, market: int = 0, mark: float = 75_000.0, state: int = 0) -> None:
        self.face.frame(self.now_ns)
        self.face.ticker(market, self.now_ns, mark=mark, index=mark, state=state)

    def snapshot(self, bid: float = 74_999.5, ask: float = 75_000.5, contracts: int = 1000,
                 market: int = 0) -> str:
        """A book of one level a side."""
        spec = self.specs[market]
        self.change_id[market] += 1
        self.face.frame(self.now_ns)
        return self.face.book(market, [(spec.ticks(bid), contracts)],
                              [(spec.ticks(ask), contracts)], self.now_ns,
                              change_id=self.change_id[market])

    def delta(self, bids: list[tuple[int, int]], asks: list[tuple[int, int]], *, gap: int = 0,
              market: int = 0) -> str:
        """One change message; gap > 0 breaks the chain."""
        previous = self.change_id[market] + gap
        self.change_id[market] = previous + 1
        self.face.frame(self.now_ns)
        return self.face.book(market, bids, asks, self.now_ns, change_id=previous + 1,
                              prev_change_id=previous)

    def turn(self) -> list[Sent]:
        self.engine.run_turn(self.now_ns)
        return self.sink.take()

    def timer(self) -> list[Sent]:
        self.engine.run_timer(self.now_ns)
        return self.sink.take()

    # ---------------------------------------------------------------- the venue's side
    def accept(self, actions: Iterable[Sent], filled: int = 0) -> None:
        """Answer each request as a venue that did what it was asked."""
        for a in actions:
            if a["kind"] == "ACTION_CANCEL_INSTRUMENT":
                rows = self.engine.markets[a["market"]].orders.rows()
                self._word(OrderEventKind.ORDER_EVENT_ACCEPTED, a)
                for row in rows:
                    self.cancelled(row["slot"], row["generation"], market=a["market"])
                continue
            closed = a["kind"] == "ACTION_CANCEL"
            self._word(OrderEventKind.ORDER_EVENT_ACCEPTED, a, filled=filled, state=(
                VenueOrderState.VENUE_ORDER_CANCELLED if closed
                else VenueOrderState.VENUE_ORDER_OPEN))

    def refuse(self, actions: Iterable[Sent], code: int) -> int:
        """Answer each request with an error; return the last outcome."""
        outcome = 0
        for a in actions:
            outcome = self._word(OrderEventKind.ORDER_EVENT_REFUSED, a, code=code)
        return outcome

    def cancelled(self, slot: int, generation: int, market: int = 0, filled: int = 0) -> None:
        self.venue_ms += 1
        self.face.order(self.now_ns, kind=OrderEventKind.ORDER_EVENT_UPDATE, market=market,
                        slot=slot, generation=generation, filled_contracts=filled,
                        order_state=VenueOrderState.VENUE_ORDER_CANCELLED,
                        last_update_ms=self.venue_ms)

    def update(self, a: Sent, *, filled: int = 0,
               state: int = VenueOrderState.VENUE_ORDER_OPEN) -> int:
        """A notification that carries the order as the request asked for it."""
        return self._word(OrderEventKind.ORDER_EVENT_UPDATE, a, filled=filled, state=state)

    def _word(self, kind: OrderEventKind, a: Sent, *, filled: int = 0, code: int = 0,
              state: int = VenueOrderState.VENUE_ORDER_OPEN) -> int:
        self.venue_ms += 1
        answer = kind != OrderEventKind.ORDER_EVENT_UPDATE
        price, amount = a["price_ticks"], a["amount_contracts"]
        if a["kind"] == "ACTION_CANCEL":
            row = next(r for r in self.engine.markets[a["market"]].orders.rows()
                       if r["slot"] == a["slot"])
            price, amount = row["price_ticks"], row["amount_contracts"]
            filled = max(filled, row["filled_contracts"])
        return self.face.order(
            self.now_ns, kind=kind, market=a["market"], slot=a["slot"],
            generation=a["generation"], request=ActionKind[a["kind"]] if answer else 0,
            request_id=a["request_id"] if answer else 0, error_code=code,
            refusal=refusal_of(code), order_state=state,
            price_ticks=price, amount_contracts=amount, filled_contracts=filled,
            last_update_ms=self.venue_ms, order_id=f"ETH-{a['slot']}-{a['generation']}")

    def fill(self, a: Sent, contracts: int, *, trade_id: int | None = None,
             fee_e8: int = 0) -> bool:
        """Report a trade of the order an action created or edited."""
        if trade_id is None:
            self.trade_id += 1
            trade_id = self.trade_id
        return self.face.fill(self.now_ns, market=a["market"], slot=a["slot"],
                              generation=a["generation"], side=a["side"],
                              price_ticks=a["price_ticks"], amount_contracts=contracts,
                              fee_e8=fee_e8, trade_id=trade_id)
