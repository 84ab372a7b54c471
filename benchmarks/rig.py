"""What every benchmark here is built on: one engine with the default parameters, real frames.

The market is a ladder of 40 levels a side at 0.5 USD, the touch moving between two places far
enough apart that every decision edits, or not at all.
"""

import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from connectors.deribit.encode import Encoder
from connectors.deribit.feed import DeribitFeed
from connectors.deribit.labels import Labels
from connectors.replay.drive import Drive, PayloadSink
from mmcore.engine import Engine
from mmcore.params import Params
from mmcore.types import ControlKind, InstrumentSpec, MarketState
from runner.config_keys import engine_numbers, table

NAME = "BTC-PERPETUAL"
STEP_NS = 10_000_000
START_NS = 1_000_000_000_000
JUMP_LEVELS = 3
MOVE_TICKS = 80          # 40 USD at 75,000: 5 bps, beyond every hysteresis
TOUCH_TICKS = 150_000
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def spec() -> InstrumentSpec:
    """Return the perpetual with the fees of a standard account."""
    return InstrumentSpec(NAME, tick_size=0.5, contract_size=10, min_amount=10,
                          maker_fee=0.00015, taker_fee=0.00035)


def specs(instruments: int) -> list[InstrumentSpec]:
    """Return the perpetual and dated contracts behind it, a month from one to the next."""
    return [spec(), *(InstrumentSpec(
        f"BTC-{25 + i % 3}{MONTHS[i % 12]}{30 + i // 12}", tick_size=0.5, contract_size=10,
        min_amount=10, maker_fee=0.00015, taker_fee=0.00035,
        expiry_ms=1_900_000_000_000 + i * 2_600_000_000) for i in range(instruments - 1))]


def default_params(levels: int = 1) -> Params:
    """Return every default the core reads, with rates that never hold anything back."""
    params = Params()
    sections: dict[str, dict[str, Any]] = {}
    for key in table().values():
        section, _, name = key.name.partition(".")
        sections.setdefault(section, {})[name] = key.default
    for name, value in engine_numbers(sections).items():
        params.set(name, value)
    params.set("quote.levels", levels)
    params.set("signals.warmup_s", 0.0)
    params.set("orders.max_updates_per_s", 1e9)
    params.set("risk.max_messages_per_s", 0.0)
    params.set("orders.otv_brake", 0.0)
    params.set("orders.max_unanswered", 64)
    params.set("risk.max_feed_lag_ms", 1e10)
    params.set("risk.ticker_stale_ms", 1e10)
    params.set("risk.book_silence_ms", 1e10)
    params.set("risk.stale_ms", 1e10)
    params.set("orders.unknown_ms", 1e10)
    # a touch that jumps 5 bps a hundred times a second is no market: what pulls there is off
    params.set("orders.momentum_bps", 0.0)
    params.set("signals.top_rate_max", 1e9)
    params.set("quote.stand_aside_vol", 0.0)
    params.set("signals.volatile_vol", 0.0)
    return params


def rows(touch: int, count: int = 40) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return bids and asks of a book whose best bid is at `touch` ticks."""
    bids = [(touch - i, 500 + 10 * i) for i in range(count)]
    asks = [(touch + 1 + i, 510 + 10 * i) for i in range(count)]
    return bids, asks


def make(levels: int = 1, instruments: int = 1) -> Drive:
    """Return a drive that is connected, reconciled and quoting."""
    chosen = specs(instruments)
    engine = Engine(default_params(levels), chosen)
    labels = Labels("bench", run=1, config=1)
    feed = DeribitFeed(engine, chosen, labels)
    sink = PayloadSink(engine, Encoder(chosen, labels))
    sink.answer = True
    drive = Drive(engine, feed, sink)
    now = START_NS
    engine.control(ControlKind.CONTROL_WALL_OFFSET, now, value=1_700_000_000_000_000_000)
    engine.control(ControlKind.CONTROL_CREDITS, now, value=10**9, real=1e9)
    engine.control(ControlKind.CONTROL_CONNECTED, now)
    engine.control(ControlKind.CONTROL_RECONCILED, now)
    for market in range(instruments):
        engine.control(ControlKind.CONTROL_MARKET_STATE, now, market,
                       value=int(MarketState.MARKET_OPEN))
    return drive


def still(drive: Drive) -> None:
    """Prepare two books that differ in amounts behind the touch: decisions without action."""
    bids, asks = rows(TOUCH_TICKS)
    drive.prepare(0, bids[:20], asks[:20])
    drive.snapshot(START_NS)
    for which, amount in ((0, 700), (1, 900)):
        drive.prepare(which, [(TOUCH_TICKS - 7, amount)], [(TOUCH_TICKS + 9, amount)])


def weighing(drive: Drive) -> None:
    """Prepare two books that differ in amounts at the touch: all is judged anew, orders stay."""
    bids, asks = rows(TOUCH_TICKS)
    drive.prepare(0, bids[:20], asks[:20])
    drive.snapshot(START_NS)
    for which, amount in ((0, 500), (1, 520)):
        drive.prepare(which, [(TOUCH_TICKS, amount)], [(TOUCH_TICKS + 1, amount)])


def moving(drive: Drive, levels: int) -> None:
    """Prepare two books whose touch jumps to and fro: every decision edits every order.

    With several levels the jump is wider than the ladder: an order whose price is still one of it
    stays.
    """
    jump_ticks = MOVE_TICKS if levels == 1 else 2 * levels * MOVE_TICKS
    low, high = rows(TOUCH_TICKS, 12), rows(TOUCH_TICKS + jump_ticks, 12)
    drive.prepare(0, low[0], low[1])
    drive.snapshot(START_NS)
    for which, to, away in ((0, high, low), (1, low, high)):
        gone = [(price, 0) for price, _ in away[0]], [(price, 0) for price, _ in away[1]]
        drive.prepare(which, gone[0] + to[0], gone[1] + to[1])


def change_frame(change_id: int, prev: int, bids: str, asks: str) -> bytes:
    """Return one book change as the venue writes it."""
    return (f'{{"jsonrpc":"2.0","method":"subscription","params":{{"channel":"book.{NAME}.raw",'
            f'"data":{{"timestamp":1700000000000,"type":"change","change_id":{change_id},'
            f'"instrument_name":"{NAME}","bids":[{bids}],"asks":[{asks}],'
            f'"prev_change_id":{prev}}}}}}}').encode()


def snapshot_frame(change_id: int, moving_touch: bool = False) -> bytes:
    """Return a full snapshot as the venue writes it: of the still book, or before a first jump."""
    bids, asks = rows(TOUCH_TICKS)
    if moving_touch:
        asks = asks[:JUMP_LEVELS] + rows(TOUCH_TICKS + MOVE_TICKS)[1]
    text = change_frame(change_id, 0, *(
        ",".join(f'["new",{price / 2},{amount * 10}]' for price, amount in side)
        for side in (bids, asks)))
    return text.replace(b'"type":"change"', b'"type":"snapshot"').replace(
        b',"prev_change_id":0', b"")


def frames_of(count: int, names: list[str], moving_touch: bool) -> list[bytes]:
    """Return changes of several instruments in turn, each a chain of its own from id 1 on."""
    rounds = -(-count // len(names))
    chains = [[frame.replace(NAME.encode(), name.encode())
               for frame in change_frames(rounds, 1, moving_touch)] for name in names]
    return [chains[i % len(names)][i // len(names)] for i in range(count)]


def change_frames(count: int, first_id: int, moving_touch: bool) -> list[bytes]:
    """Return chained book changes of three levels each; the touch may jump to and fro."""
    frames = []
    for i in range(count):
        change_id = first_id + 1 + i
        if moving_touch:
            bids, asks = jump(i % 2 == 0)
        else:
            amount = 7000.0 + 10 * (i % 2)
            bids = ",".join(f'["change",{(TOUCH_TICKS - behind) / 2},{amount}]'
                            for behind in (7, 9))
            asks = f'["change",{(TOUCH_TICKS + 9) / 2},{amount}]'
        frames.append(change_frame(change_id, change_id - 1, bids, asks))
    return frames


def jump(up: bool) -> tuple[str, str]:
    """Return the level texts of a sweep: the near asks go, bids come as far up, or back again."""
    asks = rows(TOUCH_TICKS, JUMP_LEVELS)[1]
    bids = rows(TOUCH_TICKS + MOVE_TICKS, JUMP_LEVELS)[0]

    def texts(side: list[tuple[int, int]], come: bool) -> str:
        return ",".join(f'["{"new" if come else "delete"}",{p / 2},{a * 10 * come}.0]'
                        for p, a in side)

    return texts(bids, up), texts(asks, not up)


def best_of(run: Callable[[int], None], count: int, repeats: int = 9, batches: int = 5) -> float:
    """Return ns per item: the best of `batches` medians over `repeats` timed runs."""
    medians = []
    for _ in range(batches):
        times = []
        for _ in range(repeats):
            started = time.perf_counter_ns()
            run(count)
            times.append((time.perf_counter_ns() - started) / count)
        medians.append(median(times))
    return min(medians)


def retained(run: Callable[[int], None], count: int) -> float:
    """Return blocks left behind per item, after warming up with the same run."""
    run(count)
    run(count)
    # the count is a number that is kept, a block of its own: what doing nothing leaves is taken off
    grown = []
    for work in (lambda _: None, run, lambda _: None):
        before = sys.getallocatedblocks()
        work(count)
        grown.append(sys.getallocatedblocks() - before)
    return max(0, grown[1] - grown[2]) / count
