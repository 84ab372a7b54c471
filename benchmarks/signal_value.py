"""Rank correlation of each signal with the mid's move 0.1, 1 and 5 s ahead, on a recorded market.

Usage: signal_value.py FILE… (one recording, in order of time; default: the inverse perpetual of
the shared data, or of MM_DATA). The signals are the engine's own, read after every book message
and print. --json for keeping.
"""

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import rig

from connectors.replay.event import EventFlag, EventKind
from connectors.replay.reader import open_recording
from mmcore.engine import Engine
from mmcore.face import EngineFace
from mmcore.signals import Signals

if TYPE_CHECKING:
    from mmcore.signals import Reading

HORIZONS_S = (0.1, 1.0, 5.0)
SIGNALS = ("imbalance", "micro minus mid", "flow", "ofi", "run", "touch rises")
FLOW_HALF_LIFE_S, OFI_HALF_LIFE_S = 5.0, 1.0
Floats = npt.NDArray[np.float64]


def default_files() -> list[Path]:
    """Return the recorded inverse perpetual."""
    place = Path(os.environ.get("MM_DATA", "../shared/data")) / "binance_coinm_2024-08-08"
    return sorted(place.glob("*.gz"))


def played(files: list[Path]) -> "Iterator[tuple[int, Reading, Signals]]":
    """Play a recording into an engine; yield (ns, reading, signals) after each book message."""
    recording = open_recording(files)
    engine = Engine(rig.default_params(), recording.instruments[:1])
    face, signals = EngineFace(engine), engine.markets[0].signals
    names = ("kind", "flags", "side", "price_ticks", "amount_contracts", "local_ns", "instrument")
    columns = [recording.events[name].tolist() for name in names]
    sides: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
    change_id = 0
    for kind, flags, side, price, amount, now_ns, instrument in zip(*columns, strict=True):
        if instrument > 0:
            continue
        if kind == EventKind.EVENT_TRADE:
            face.trade(0, side, price, amount, now_ns, timestamp_ms=now_ns // 1_000_000,
                       excluded=bool(flags & EventFlag.FLAG_EXCLUDED))
        elif kind == EventKind.EVENT_LEVEL:
            sides[side].append((price, amount))
        if kind not in (EventKind.EVENT_LEVEL, EventKind.EVENT_EMPTY) or (
                not flags & EventFlag.FLAG_LAST):
            continue
        change_id += 1
        previous = -1 if flags & EventFlag.FLAG_SNAPSHOT else change_id - 1
        face.book(0, *sides, now_ns, change_id=change_id, prev_change_id=previous)
        sides = ([], [])
        engine.run_turn(now_ns)
        found = signals.read()
        if found["mid_usd"] > 0.0:
            yield now_ns, found, signals


def observe(files: list[Path]) -> tuple[Floats, Floats, Floats]:
    """Return seconds, mids and one row of signals per book message of a recording."""
    rows: list[tuple[float, ...]] = []
    for now_ns, found, signals in played(files):
        flow, ofi = signals.flow_at(FLOW_HALF_LIFE_S, OFI_HALF_LIFE_S, now_ns)
        rows.append((now_ns * 1e-9, found["mid_usd"], found["imbalance"],
                     found["micro_usd"] - found["mid_usd"], flow, ofi, found["run"],
                     found["top_rise"]))
    table = np.array(rows)
    return table[:, 0], table[:, 1], table[:, 2:]


def observe_touch(files: list[Path]) -> Floats:
    """Return rows of seconds, bid and ask in ticks, amounts at both, per book message."""
    return np.array([(now_ns * 1e-9, found["others_bid_ticks"], found["others_ask_ticks"],
                      *found["touch_contracts"]) for now_ns, found, _ in played(files)])


def ranks(values: Floats) -> Floats:
    """Return the mean rank of each value, ties sharing theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts).astype(np.float64)
    mean: Floats = last - 0.5 * (counts - 1)
    return mean[inverse]


def correlations(seconds: Floats, mids: Floats, signals: Floats) -> dict[str, dict[str, float]]:
    """Return the rank correlation of each signal with the move over each horizon."""
    found: dict[str, dict[str, float]] = {name: {} for name in SIGNALS}
    for horizon in HORIZONS_S:
        ahead = np.searchsorted(seconds, seconds + horizon, side="right") - 1
        known = seconds + horizon <= seconds[-1]
        moves = ranks((mids[ahead] - mids)[known])
        for i, name in enumerate(SIGNALS):
            value = float(np.corrcoef(ranks(signals[known, i]), moves)[0, 1])
            found[name][f"{horizon:g}"] = round(value, 4)
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    files = options.files or default_files()
    if not files:
        raise SystemExit("no recording: name its files, or set MM_DATA to the folder of recordings")
    seconds, mids, signals = observe(files)
    found = correlations(seconds, mids, signals)
    if options.json:
        print(json.dumps({"readings": len(seconds), "rank_correlation": found}))
        return
    print(f"{len(seconds)} readings over {seconds[-1] - seconds[0]:.0f} s; rank correlation with "
          "the mid's move ahead")
    print(f"{'signal':18s}" + "".join(f"{h:>8g} s" for h in HORIZONS_S))
    for name in SIGNALS:
        print(f"{name:18s}" + "".join(f"{found[name][f'{h:g}']:+10.3f}" for h in HORIZONS_S))


if __name__ == "__main__":
    main()
