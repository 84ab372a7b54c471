"""The other side of the parity benchmark: the same events and orders in hftbacktest 2.4.4."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from hftbacktest import (
    BUY_EVENT,
    DEPTH_EVENT,
    DEPTH_SNAPSHOT_EVENT,
    EXCH_EVENT,
    GTX,
    LIMIT,
    LOCAL_EVENT,
    SELL_EVENT,
    TRADE_EVENT,
    BacktestAsset,
    HashMapMarketDepthBacktest,
    ROIVectorMarketDepthBacktest,
)
from hftbacktest.types import event_dtype
from numba import njit

from connectors.replay.event import EventFlag, EventKind
from connectors.replay.recording import Recording
from mmcore.types import InstrumentSpec

warnings.filterwarnings("ignore", category=DeprecationWarning)

NEW, CANCEL = 1, 3


@dataclass(frozen=True)
class Model:
    """What both simulators are told."""

    queue: str          # risk_averse, power or log
    power: float
    entry_ns: int
    response_ns: int
    maker_fee: float
    taker_fee: float


@dataclass(frozen=True)
class Script:
    """Rows in order of time: an order, or the cancel of one."""

    t_ns: npt.NDArray[np.int64]
    kind: npt.NDArray[np.int64]
    number: npt.NDArray[np.int64]
    side: npt.NDArray[np.int64]
    ticks: npt.NDArray[np.int64]
    contracts: npt.NDArray[np.int64]

    def only(self, numbers: npt.NDArray[np.int64]) -> Script:
        """Return the rows of some orders."""
        kept = np.isin(self.number, numbers)
        return Script(*(column[kept] for column in (
            self.t_ns, self.kind, self.number, self.side, self.ticks, self.contracts)))


@dataclass(frozen=True)
class Outcome:
    """What became of a script's orders."""

    filled: dict[int, int]          # number -> contracts
    fill_ns: dict[int, int]         # of what was filled whole: when, by the venue's clock
    position: npt.NDArray[np.int64]     # contracts at every row, as the maker knows it
    equity: float                   # at the last mid, fees paid, from 0


def anchor_rows(recording: Recording, rows: npt.NDArray[np.int64],
                spec: InstrumentSpec) -> npt.NDArray[np.void]:
    """Return the played events as hftbacktest's rows, in the order this project plays them."""
    events = recording.events
    flags = events["flags"]
    length = np.diff(np.append(np.flatnonzero(flags & EventFlag.FLAG_FIRST), len(events)))
    starts = np.flatnonzero(flags & EventFlag.FLAG_FIRST)
    counts = length[np.searchsorted(starts, rows)]
    message = np.repeat(np.arange(len(rows)), counts)
    inside = np.arange(len(message)) - np.repeat(np.cumsum(counts) - counts, counts)
    place = rows[message] + inside
    deletes_first = np.lexsort((inside, events["amount_contracts"][place] != 0, message))
    chosen = events[place[deletes_first]]
    times = np.maximum.accumulate(chosen["exch_ns"])
    book = chosen["kind"] == EventKind.EVENT_LEVEL
    prints = chosen["kind"] == EventKind.EVENT_TRADE
    began = np.argmax(chosen["flags"] & EventFlag.FLAG_SNAPSHOT != 0)
    kept = (book | prints) & (chosen["flags"] & EventFlag.FLAG_EXCLUDED == 0)
    kept[:began] = False
    chosen, times, book = chosen[kept], times[kept], book[kept]
    local = chosen["local_ns"] + max(0, 1 - int((chosen["local_ns"] - times).min()))
    made = np.zeros(len(chosen), dtype=event_dtype)
    snapshot = chosen["flags"] & EventFlag.FLAG_SNAPSHOT != 0
    made["ev"] = np.where(book, np.where(snapshot, DEPTH_SNAPSHOT_EVENT, DEPTH_EVENT),
                          TRADE_EVENT) | EXCH_EVENT | LOCAL_EVENT
    made["ev"] |= np.where(chosen["side"] == 0, BUY_EVENT, SELL_EVENT).astype(np.uint64)
    made["exch_ts"] = times
    made["local_ts"] = np.maximum.accumulate(local)
    made["px"] = chosen["price_ticks"] * spec.tick_usd
    made["qty"] = chosen["amount_contracts"] * lot(spec)
    return made


def lot(spec: InstrumentSpec) -> float:
    """Return one contract in hftbacktest's quantity: contracts if inverse, else BTC."""
    return 1.0 if spec.inverse else spec.contract_size


def asset(rows: npt.NDArray[np.void], spec: InstrumentSpec, model: Model) -> Any:
    """Return the asset definition both kinds of depth take."""
    made = BacktestAsset().data([rows])
    made = made.inverse_asset(spec.contract_size) if spec.inverse else made.linear_asset(1.0)
    made = made.constant_order_latency(model.entry_ns, model.response_ns)
    if model.queue == "risk_averse":
        made = made.risk_adverse_queue_model()
    elif model.queue == "log":
        made = made.log_prob_queue_model()
    else:
        made = made.power_prob_queue_model(model.power)
    made = made.no_partial_fill_exchange().tick_size(spec.tick_usd).lot_size(lot(spec))
    return made.trading_value_fee_model(model.maker_fee, model.taker_fee)


@njit
def play_script(hbt, t_ns, kind, number, side, price, qty, position):  # noqa: ANN001, ANN201
    """Send every row at its time, then run to the end of the data."""
    hbt.elapse(0)
    for i in range(len(t_ns)):
        if t_ns[i] > hbt.current_timestamp:
            code = hbt.elapse(t_ns[i] - hbt.current_timestamp)
            if code > 1:
                return code
        if kind[i] == NEW:
            if side[i] == 0:
                hbt.submit_buy_order(0, number[i], price[i], qty[i], GTX, LIMIT, False)
            else:
                hbt.submit_sell_order(0, number[i], price[i], qty[i], GTX, LIMIT, False)
        else:
            # It takes the cancel of what it knows to be filled, and books the fill once more.
            order = hbt.orders(0).get(number[i])
            if order is not None and order.cancellable:
                hbt.cancel(0, number[i], False)
        position[i] = hbt.position(0)
    code = 0
    while code == 0:
        code = hbt.elapse(10_000_000_000)
    return code


@njit
def read_orders(hbt, count, filled, when, status):  # noqa: ANN001, ANN201
    """Copy what every order came to."""
    orders = hbt.orders(0)
    for i in range(count):
        order = orders.get(i)
        if order is None:
            continue
        filled[i] = order.qty - order.leaves_qty
        when[i] = order.exch_timestamp
        status[i] = order.status


def run_script(rows: npt.NDArray[np.void], spec: InstrumentSpec, model: Model, script: Script,
               count: int) -> Outcome:
    """Run a script in hftbacktest; count: one more than the largest order number."""
    hbt = HashMapMarketDepthBacktest([asset(rows, spec, model)])
    position = np.zeros(len(script.t_ns))
    code = play_script(
        hbt, script.t_ns, script.kind, script.number.astype(np.uint64), script.side,
        script.ticks * spec.tick_usd, script.contracts * lot(spec), position)
    if code > 1:
        raise RuntimeError(f"hftbacktest ended with error {code}")
    filled, when = np.zeros(count), np.zeros(count, np.int64)
    status = np.zeros(count, np.int64)
    read_orders(hbt, count, filled, when, status)
    state = hbt.state_values(0)
    mid = 0.5 * (hbt.depth(0).best_bid + hbt.depth(0).best_ask)
    # Its balance of an inverse asset counts what was paid in, so it is negated there.
    equity = (-state.balance - state.position * spec.contract_size / mid if spec.inverse
              else state.balance + state.position * mid) - state.fee
    hbt.close()
    contracts = np.rint(filled / lot(spec)).astype(np.int64)
    whole = {int(script.number[i]): int(script.contracts[i])
             for i in np.flatnonzero(script.kind == NEW)}
    return Outcome(
        {n: int(contracts[n]) for n in whole if contracts[n]},
        {n: int(when[n]) for n, size in whole.items() if contracts[n] == size},
        np.rint(position / lot(spec)).astype(np.int64), float(equity))


@njit
def quote_both_sides(hbt, half_spread, tick, qty):  # noqa: ANN001, ANN201
    """Look every 10 ms; keep one order a side at a distance from the mid."""
    steps = 0
    number = np.uint64(1)
    while hbt.elapse(10_000_000) == 0:
        steps += 1
        hbt.clear_inactive_orders(0)
        depth = hbt.depth(0)
        mid = 0.5 * (depth.best_bid + depth.best_ask)
        if not mid > 0.0:
            continue
        bid = np.floor((mid - half_spread) / tick) * tick
        ask = np.ceil((mid + half_spread) / tick) * tick
        bid_live = False
        ask_live = False
        orders = hbt.orders(0)
        values = orders.values()
        while values.has_next():
            order = values.get()
            near = bid if order.side == 1 else ask
            if abs(order.price - near) > 2.0 and order.cancellable:
                hbt.cancel(0, order.order_id, False)
            if order.side == 1:
                bid_live = True
            else:
                ask_live = True
        if not bid_live:
            hbt.submit_buy_order(0, number, bid, qty, GTX, LIMIT, False)
            number += np.uint64(1)
        if not ask_live:
            hbt.submit_sell_order(0, number, ask, qty, GTX, LIMIT, False)
            number += np.uint64(1)
    return steps


def quoting(rows: npt.NDArray[np.void], spec: InstrumentSpec, model: Model) -> Any:
    """Return an array-depth backtest, its events loaded, ready for quote_both_sides."""
    middle = float(np.median(rows["px"]))
    made = asset(rows, spec, model).roi_lb(middle * 0.8).roi_ub(middle * 1.2)
    return ROIVectorMarketDepthBacktest([made])
