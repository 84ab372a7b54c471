"""A maker's desk for tests: an engine on the default figures, and a venue that answers it."""

from collections.abc import Iterable
from typing import Any

from connectors.deribit.codes import refusal_of
from mmcore.engine import Engine
from mmcore.face import EngineFace, ListSink
from mmcore.journal import Journal
from mmcore.market import Market
from mmcore.params import Params
from mmcore.types import ActionKind, ControlKind, InstrumentSpec, OrderEventKind, VenueOrderState
from runner.config_keys import ENGINE_SECTIONS, KEYS, engine_numbers

Sent = dict[str, Any]           # an action as ListSink keeps it

BID, ASK = 0, 1
MS = 1_000_000
SECOND = 1_000_000_000
START_NS = 1_000 * SECOND

# A desk has the shipped defaults but for these rules, which are off: a test of one turns it on.
OFF = (
    "signals.warmup_s",                 # quoting starts at once
    "signals.imbalance_threshold", "signals.sweep_bps", "signals.top_rate_max", "signals.regime",
    "quote.funding_hold_s", "quote.market_spread_share", "quote.drought_depth_share",
    "quote.latency_z", "quote.markout_widen", "orders.momentum_bps", "orders.pull_trade_usd",
    "orders.post_fill_hold_ms", "orders.stale_s", "orders.stale_trades", "orders.otv_brake",
    "inventory.fills_in_row_shrink", "inventory.fills_in_row_pause", "inventory.cut_above_btc",
    "inventory.gross_limit_btc", "risk.max_index_deviation_bps", "risk.max_leverage",
    "risk.margin_use_max", "risk.fat_finger_bps", "risk.max_messages_per_s",
    "risk.throttle_fills", "risk.stop_loss_btc", "risk.stop_move_pct", "risk.day_soft_btc",
    "risk.day_kill_btc", "risk.stress_kill_pct", "risk.stress_margin_pct", "risk.edge_gate",
    "cover.trigger_bps",
    "settlement.pull_before_s", "settlement.resume_after_s", "expiry.wind_down_h",
    "expiry.out_before_h", "funding.target_max_btc",
)
SHIPPED = engine_numbers({
    section: {name.partition(".")[2]: spec.default for name, spec in KEYS.items()
              if name.startswith(f"{section}.")} for section in ENGINE_SECTIONS})
DEFAULTS = {**SHIPPED, **dict.fromkeys(OFF, 0.0)}


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


def removed(desk: Desk, market: int = 0) -> tuple[int, int]:
    bits: tuple[int, int] = desk.engine.markets[market].why()["removed"]
    return bits


def quoting(changes: dict[str, float], **more: Any) -> tuple[Desk, list[dict[str, Any]]]:
    desk = Desk({"orders.unknown_ms": 1e9, **changes}, **more)  # nobody answers all of them
    actions = desk.turn()
    desk.accept(actions)
    return desk, actions
