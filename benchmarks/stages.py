"""The stages that are timed and counted, each a callable that runs it `count` times."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import rig

from connectors.replay.drive import Drive

DECIDING = {"Drive_turn_loop", "Drive_wire_loop", "Drive_tick_loop"}


class Runner:
    """Runs a stage `count` times and knows how many orders its drive sent and edited meanwhile."""

    def __init__(self, drive: Drive, run: Callable[[int], None]) -> None:
        self.drive = drive
        self.run = run
        self.count = 0
        self.before = self.seen()

    def __call__(self, count: int) -> None:
        self.run(count)
        self.count += count

    def seen(self) -> tuple[int, int]:
        """Return actions sent, and how many of them were edits, since the drive was made."""
        return self.drive.sink.actions, sum(m.orders_edit for m in self.drive.engine.markets)

    def check(self, stage: Stage) -> None:
        """Exit where the stage did not do what it says: a limit in its way looks like speed."""
        for what, now, before in zip(("actions", "edits"), self.seen(), self.before, strict=True):
            if abs((now - before) / self.count - stage.actions) > 0.05:
                raise SystemExit(f"{stage.name}: {(now - before) / self.count:.2f} {what} each, "
                                 f"not {stage.actions}")
        if stage.loop in DECIDING and not all(
                market.orders.open_count for market in self.drive.engine.markets):
            raise SystemExit(f"{stage.name}: an instrument is not quoted")


class Stage(NamedTuple):
    """One unit of work: its name, what makes its runner, and the C function with its loop."""

    name: str
    make: Callable[[], Runner]
    loop: str
    actions: int                # of each, without those that are only encoded again
    what: str
    without: str = ""           # the stage whose cost is taken off to show what is its own


class Cursor:
    """Time that only goes forward over repeated runs of one drive."""

    def __init__(self) -> None:
        self.now_ns = rig.START_NS + rig.STEP_NS

    def take(self, count: int) -> int:
        """Return the time to start at and move on by `count` steps."""
        now_ns = self.now_ns
        self.now_ns += count * rig.STEP_NS
        return now_ns


def looped(drive: Drive, method: str) -> Runner:
    """Return a runner of one prepared-delta loop of a drive."""
    cursor = Cursor()
    return Runner(drive, lambda count: getattr(drive, method)(
        count, cursor.take(count), rig.STEP_NS))


def framed(drive: Drive, method: str, moving_touch: bool) -> Runner:
    """Return a runner over chained frames; the frames are made before the first timed run."""
    cursor = Cursor()
    frames: dict[int, list[bytes]] = {}
    snapshot = rig.snapshot_frame(1, moving_touch)

    def run(count: int) -> None:
        if count not in frames:
            frames[count] = rig.change_frames(count, 1, moving_touch)
        # the same ids again: a snapshot first makes the chain start anew
        drive.frames([snapshot], cursor.take(1), rig.STEP_NS)
        getattr(drive, method)(frames[count], cursor.take(count), rig.STEP_NS)

    return Runner(drive, run)


def framed_in_turn(instruments: int, moving_touch: bool) -> Runner:
    """Return a runner over frames of several instruments, one after the other.

    Each has as many a second as the one of the other stages: what is done by time counts alike.
    """
    step_ns = rig.STEP_NS // instruments
    drive = rig.make(instruments=instruments)
    names = [market.name for market in drive.engine.markets]
    cursor = Cursor()
    frames: dict[int, list[bytes]] = {}
    snapshots = [rig.snapshot_frame(1).replace(rig.NAME.encode(), name.encode())
                 for name in names]

    def run(count: int) -> None:
        if count not in frames:
            frames[count] = rig.frames_of(count, names, moving_touch)
        for snapshot in snapshots:      # not in a loop of the drive's: ten of them would count
            drive.feed.payload(snapshot, cursor.take(1))
        drive.wire(frames[count], cursor.take(count), step_ns)

    return Runner(drive, run)


def still() -> Drive:
    """Return a drive whose books differ only behind the touch."""
    drive = rig.make()
    rig.still(drive)
    return drive


def weighing() -> Runner:
    """Return a runner of decisions that compute the whole ladder and leave the orders alone."""
    drive = rig.make()
    rig.weighing(drive)
    drive.turns(4, rig.START_NS + 1, rig.STEP_NS)
    cursor = Cursor()
    cursor.take(4)

    def run(count: int) -> None:
        before = drive.engine.still_turns
        drive.turns(count, cursor.take(count), rig.STEP_NS)
        if drive.engine.still_turns != before:
            raise SystemExit("a decision on another touch was not computed")

    return Runner(drive, run)


def moving(levels: int, *, silent: bool = False) -> Drive:
    """Return a drive whose touch jumps to and fro; silent: decisions are answered, not encoded."""
    drive = rig.make(levels)
    drive.sink.silent = silent
    rig.moving(drive, levels)
    return drive


def encoding() -> Runner:
    """Return a runner that encodes one decision of two edits again and again."""
    drive = moving(1)
    drive.turns(4, rig.START_NS + 1, rig.STEP_NS)
    if drive.encode_again(1) != 2:
        raise SystemExit("the prepared decision does not hold two edits")

    def run(count: int) -> None:
        drive.encode_again(count)

    return Runner(drive, run)


def single(drive: Drive, orders: int, count: int, run: Callable[[], list[int]]) -> list[int]:
    """Return the times of `count` decisions, each of which sent so many orders; or exit."""
    before = drive.sink.actions
    times = run()
    if len(times) != count or drive.sink.actions - before != orders * count:
        raise SystemExit(f"{len(times)} of {count} decisions sent "
                         f"{drive.sink.actions - before} orders, not {orders} each")
    return times


def decision_times(levels: int, count: int) -> list[int]:
    """Return the ns of each of `count` decisions, from its begin to where the sink has it.

    The reading of the clock is in; what comes before (the jump) and after (the answers) is not.
    """
    drive = moving(levels, silent=True)
    cursor = Cursor()
    drive.turns(count, cursor.take(count), rig.STEP_NS)
    return single(drive, 2 * levels, count, lambda: drive.decisions(
        count, cursor.take(count), rig.STEP_NS))


def written_times(count: int) -> list[int]:
    """Return the ns from a frame of six levels to the bytes of its two edits, `count` times."""
    drive = rig.make()
    cursor = Cursor()
    frames = rig.change_frames(count, 1, True)
    snapshot = rig.snapshot_frame(1, True)
    for frame_run in ([snapshot], frames, [snapshot]):
        drive.wire(frame_run, cursor.take(len(frame_run)), rig.STEP_NS)
    return single(drive, 2, count, lambda: drive.written(
        frames, cursor.take(count), rig.STEP_NS))


def ticking() -> Runner:
    """Return a runner of the periodic work of an engine that quotes."""
    drive = moving(1, silent=True)
    drive.turns(4, rig.START_NS + 1, rig.STEP_NS)
    return looped(drive, "ticks")


STAGES = (
    Stage("frame to book", lambda: framed(rig.make(), "frames", False), "Drive_payload_loop", 0,
          "route, decode and apply one change of three levels"),
    Stage("book apply", lambda: looped(still(), "books"), "Drive_book_loop", 0,
          "apply one change of two levels already decoded"),
    Stage("book jump", lambda: looped(moving(1), "books"), "Drive_book_loop", 0,
          "apply a jump of the touch: 48 levels"),
    Stage("turn, no action", lambda: looped(still(), "turns"), "Drive_turn_loop", 0,
          "apply, then decide: nothing to send", "book apply"),
    Stage("turn, orders kept", weighing, "Drive_turn_loop", 0,
          "apply another amount at the touch, compute the ladder: orders stay", "book apply"),
    Stage("turn, two edits", lambda: looped(moving(1, silent=True), "turns"), "Drive_turn_loop", 2,
          "apply a jump, decide two edits, take their answers", "book jump"),
    Stage("turn, six edits", lambda: looped(moving(3, silent=True), "turns"), "Drive_turn_loop", 6,
          "the same with three levels a side", "book jump"),
    Stage("tick", ticking, "Drive_tick_loop", 0,
          "the periodic work with two orders out, nothing new"),
    Stage("jump to bytes", lambda: looped(moving(1), "turns"), "Drive_turn_loop", 2,
          "apply a jump, decide two edits, encode them, take their answers"),
    Stage("encode", encoding, "Drive_encode_loop", 0, "two edits to JSON and masked frames"),
    Stage("frame to wire, quiet", lambda: framed(rig.make(), "wire", False), "Drive_wire_loop", 0,
          "decode, apply, decide: nothing to send"),
    Stage("frame to wire, quiet, ten", lambda: framed_in_turn(10, False), "Drive_wire_loop", 0,
          "the same with ten instruments, a frame of each in turn"),
    Stage("frame to wire, edits", lambda: framed(rig.make(), "wire", True), "Drive_wire_loop", 2,
          "decode a jump of six levels, apply, decide, encode, take the answers"),
)
