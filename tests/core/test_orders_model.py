"""The order table against a plain model, over random events in any order."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from desk import BID, SECOND
from test_order_table import NEVER, STATES, TABLE

from connectors.deribit.codes import refusal_of
from mmcore.face import TableFace
from mmcore.orders import OrderTable
from mmcore.types import ActionKind, OrderEventKind, VenueOrderState

EVENTS = 1_000_000
UNSURE = {10001, 10040, 10050, 11051, 11094, 13028, 13888}
GONE = {11044, 11008, 10010, 10004}
OPEN, CANCELLED = VenueOrderState.VENUE_ORDER_OPEN, VenueOrderState.VENUE_ORDER_CANCELLED
KEYS = ("state", "price_ticks", "amount_contracts", "filled_contracts", "booked_contracts",
        "worst_contracts", "must_cancel")


@dataclass
class Model:
    """One slot. State by the table, figures by the newest word, exposure by the larger amount."""

    state: str = "CLOSED"
    generation: int = 0
    price: int = 0
    amount: int = 0
    pending: tuple[int, int] = (0, 0)       # price and amount on their way
    filled: int = 0
    booked: int = 0
    request: tuple[str, int] = ("", 0)      # kind and id outstanding
    sent_ns: int = 0
    update_ms: int = 0
    doubted: bool = False                   # to be cancelled by id

    def step(self, signal: str) -> None:
        cell = TABLE[signal][STATES.index(self.state)]
        if cell != NEVER:
            self.state = cell.rstrip("+?")
            self.doubted = cell[-1] == "+" or (
                self.doubted and self.state != "CLOSED" and cell[-1] != "?")
        if self.state == "CLOSED":
            self.pending = (self.pending[0], 0)

    @property
    def worst(self) -> int:
        may = self.filled if self.state == "CLOSED" else max(self.amount, self.pending[1])
        return max(may - self.booked, 0)

    def sent(self, kind: str, request_id: int, now_ns: int, price: int = 0,
             amount: int = 0) -> None:
        self.request, self.sent_ns = (kind, request_id), now_ns
        if kind == "NEW":
            self.generation += 1
            self.price, self.amount = price, amount
            self.filled = self.booked = self.update_ms = 0
            self.doubted = False
        self.step(f"SENT_{kind}")
        if kind != "CANCEL":
            self.pending = (price, amount)

    def word(self, generation: int, request_id: int, ms: int, price: int, amount: int,
             filled: int, is_open: bool) -> None:
        if generation != self.generation:
            return
        answered = request_id != 0 and request_id == self.request[1]
        news = ms >= self.update_ms and filled >= self.filled
        if news:
            self.update_ms, self.price, self.amount, self.filled = ms, price, amount, filled
        if not is_open:
            self.request = ("", 0)
            self.step("CLOSED")
        elif not news:
            if answered:
                self.request, self.pending = ("", 0), (self.pending[0], 0)
                if self.state != "CLOSED":
                    self.step("OPEN")
        elif (answered or self.request[1] == 0 or self.state == "NEW_PENDING"
              or (self.state == "EDIT_PENDING" and (price, amount) == self.pending)):
            before = self.state
            self.step("OPEN")
            if self.state == "LIVE" and before != "LIVE":
                self.pending = (self.pending[0], 0)
            if answered:
                self.request = ("", 0)
        else:
            self.step("OPEN_BEFORE")

    def refused(self, request_id: int, code: int) -> None:
        if request_id == 0 or request_id != self.request[1]:
            return
        self.request = ("", 0)
        if code == 11054:
            self.step("CLOSED")
        elif code in UNSURE:
            self.step("UNSURE")
        elif code in GONE:
            self.step("GONE")
        else:
            self.step("REFUSED")
            self.pending = (self.pending[0], 0)

    def time_out(self, now_ns: int) -> None:
        if self.request[1] and now_ns - self.sent_ns > SECOND:
            self.request = (self.request[0], 0)
            self.step("TIMEOUT")

    def lose(self) -> None:
        if self.state != "CLOSED":
            self.request = (self.request[0], 0)
            self.step("LOST")


class Pair:
    """The table's slot 0 and the model, fed the same random events."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.model, self.face = rng, Model(), TableFace(OrderTable())
        self.now_ns, self.next_id = SECOND, 1

    def send(self) -> None:
        m, rng = self.model, self.rng
        if m.request[1]:
            return
        kind = {"CLOSED": "NEW", "LIVE": rng.choice(("EDIT", "CANCEL")),
                "UNKNOWN": "CANCEL"}.get(m.state, "")
        if not kind or (kind == "NEW" and m.worst):
            return
        price, amount = rng.randrange(90, 110), rng.randrange(1, 40)
        self.next_id += 1
        m.sent(kind, self.next_id, self.now_ns, price, amount)
        self.face.sent(ActionKind[f"ACTION_{kind}"], 0, self.now_ns, side=BID,
                       generation=m.generation, price_ticks=price, amount_contracts=amount,
                       request_id=self.next_id)

    def word(self) -> None:
        m, rng = self.model, self.rng
        request_id = rng.choice((0, m.request[1], m.request[1], self.next_id - 1))
        price, amount = rng.choice(((m.price, m.amount), m.pending))
        filled = min(amount, m.filled + rng.choice((0, 0, 1, 5, -1)))
        ms = max(m.update_ms + rng.choice((1, 1, 1, 0, -1)), 1)
        generation = max(m.generation - (rng.random() < 0.05), 0)
        is_open = rng.random() < 0.8
        m.word(generation, request_id, ms, price, amount, max(filled, 0), is_open)
        kind = (OrderEventKind.ORDER_EVENT_ACCEPTED if request_id
                else OrderEventKind.ORDER_EVENT_UPDATE)
        self.face.event(self.now_ns, kind=kind, slot=0, generation=generation,
                        request_id=request_id, price_ticks=price, amount_contracts=amount,
                        filled_contracts=max(filled, 0), last_update_ms=ms, order_id="A",
                        order_state=OPEN if is_open else CANCELLED)

    def refuse(self) -> None:
        request_id = self.rng.choice((self.model.request[1], self.next_id - 1, 0))
        code = self.rng.choice((10028, 11054, 11044, 10004, 13888, 10001, -32602))
        self.model.refused(request_id, code)
        self.face.event(self.now_ns, kind=OrderEventKind.ORDER_EVENT_REFUSED, slot=0,
                        generation=self.model.generation, request_id=request_id,
                        refusal=refusal_of(code))

    def trade(self) -> None:
        if self.model.booked < self.model.filled:
            self.model.booked += 1
            assert self.face.fill(0, self.model.generation, 1)

    def time(self) -> None:
        self.now_ns += self.rng.choice((1, SECOND // 2, 2 * SECOND))
        self.model.time_out(self.now_ns)
        self.face.time_out(self.now_ns, SECOND)

    def rare(self) -> None:
        if self.rng.random() < 0.3:
            self.model.lose()
            self.face.lose_all()
        else:
            self.model.step("ABSENT")
            self.face.absent(0)

    def check(self) -> None:
        m, table = self.model, self.face.table
        rows: list[Any] = table.rows()
        free = m.state == "CLOSED" and m.booked >= m.filled
        assert len(rows) == (not free)
        if rows:
            assert tuple(rows[0][key] for key in KEYS) == (
                f"ORDER_{m.state}", m.price, m.amount, m.filled, m.booked, m.worst, m.doubted)
        assert table.worst(BID) == m.worst
        assert table.open_count == (m.state != "CLOSED")
        assert table.unknown_count == (m.state == "UNKNOWN")
        assert table.invalid_transitions == 0


def test_table_follows_the_model(seed: int, figure: Callable[[str], None]) -> None:
    rng = random.Random(seed)
    pair = Pair(rng)
    steps = (pair.send, pair.word, pair.refuse, pair.trade, pair.time, pair.rare)
    for _ in range(EVENTS):
        rng.choices(steps, weights=(30, 30, 6, 20, 6, 2))[0]()
        pair.check()
    figure(f"{EVENTS} random events, 0 divergences from the model (seed {seed})")
