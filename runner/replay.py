"""`mm replay`: a journal through the same decoder and engine; outbound bytes compared."""

import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from connectors.deribit.encode import Encoder
from connectors.deribit.feed import DeribitFeed
from connectors.deribit.instruments import spec_of
from connectors.deribit.labels import Labels
from connectors.deribit.messages import InstrumentData
from connectors.replay.drive import PayloadSink
from connectors.replay.journal import JournalDamagedError, read_journal
from connectors.replay.replay import JournalReplay, ReplayStoppedError
from mmcore.journal import JournalKind
from mmcore.market import explain_record
from mmcore.publish import summary
from runner.assemble import make_engine
from runner.config_keys import Instrument, engine_numbers
from runner.options import EXIT_CLEAN, EXIT_FAILURE, EXIT_USAGE
from runner.time_windows import TimeWindow


def rebuild(header: bytes) -> JournalReplay:
    """Build engine, feed and sink as the session that wrote this header had them.

    Raises ValueError where the header is another version's.
    """
    try:
        told: dict[str, Any] = msgspec.json.decode(header)
        sections = told["config"]
        specs = [spec_of(data) for data in
                 msgspec.convert(told["instruments"], list[InstrumentData])]
        entries = [Instrument(**entry) for entry in sections["instrument"]]
        windows = msgspec.convert(sections["quote"]["window"], list[TimeWindow])
        labels = Labels(sections["venue"]["label_prefix"], run=told["run"],
                        config=int(told["fingerprint"], 16))
        engine = make_engine(engine_numbers(sections), entries, specs, None, windows,
                             sections["signals"]["micro_table"], told["rolls"])
    except (KeyError, TypeError, ValueError, msgspec.MsgspecError) as error:
        raise ValueError(f"the journal's header is another version's ({error}); replay it with "
                         "the version that wrote it") from error
    return JournalReplay(DeribitFeed(engine, specs, labels),
                         PayloadSink(engine, Encoder(specs, labels)))


def replay(folder: Path) -> tuple[list[JournalReplay], str]:
    """Replay a journal, each session (one per start of the maker) on an engine of its own.

    Returns what was compared, and what stopped a session before its end.
    """
    sessions: list[JournalReplay] = []
    stopped = ""
    skipping = True                 # up to a header
    try:
        for record in read_journal(folder):
            if record.kind == JournalKind.JOURNAL_HEADER:
                sessions.append(rebuild(record.payload))
                skipping = False
            elif not skipping:
                try:
                    sessions[-1].take(record.kind, record.now_ns, record.payload)
                except ReplayStoppedError as error:
                    stopped = stopped or f"session {len(sessions)}: {error}"
                    skipping = True
    except JournalDamagedError as error:
        stopped = stopped or str(error)
    return sessions, stopped


def tell_why(folder: Path) -> int:
    """Print the why record of every decision that changed orders, a JSON line each."""
    names: list[str] = []
    told = 0
    try:
        for record in read_journal(folder):
            if record.kind == JournalKind.JOURNAL_HEADER:
                names = [data["instrument_name"]
                         for data in msgspec.json.decode(record.payload)["instruments"]]
            elif record.kind == JournalKind.JOURNAL_WHY:
                known = record.source < len(names)
                line = {"now_ns": record.now_ns,
                        "instrument": names[record.source] if known else str(record.source),
                        **explain_record(record.payload)}
                sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
                told += 1
    except (ValueError, OSError, JournalDamagedError) as error:
        sys.stderr.write(f"mm: {folder}: {error}\n")
        return EXIT_USAGE if not told else EXIT_FAILURE
    return EXIT_CLEAN


def together(hashes: list[str]) -> str:
    """Return the one hash of a session, or one over the hashes of several."""
    return hashes[0] if len(hashes) == 1 else sha256("".join(hashes).encode()).hexdigest()


def main(folder: Path, *, as_json: bool) -> int:
    """Replay and report; 0 where every byte came out again, 1 where one did not."""
    try:
        sessions, stopped = replay(folder)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"mm: {folder}: {error}\n")
        return EXIT_USAGE
    if not sessions:
        sys.stderr.write(f"mm: {folder}: no journal header in it; give the folder of a session, "
                         "where the NNNNNN.mmj files lie\n")
        return EXIT_USAGE
    identical = all(session.identical for session in sessions)
    figures = {"sessions": len(sessions), "records": sum(s.records for s in sessions),
               "frames": sum(s.frames for s in sessions),
               "payloads": sum(s.expected for s in sessions),
               "equal": sum(s.equal for s in sessions),
               "surplus": sum(s.surplus for s in sessions), "identical": identical,
               "outbound_sha256": together([s.outbound_sha256 for s in sessions]),
               "journal_sha256": together([s.journal_sha256 for s in sessions]),
               "stopped": stopped, "summary": summary(sessions[-1].engine)}
    if as_json:
        sys.stdout.write(msgspec.json.encode(figures).decode() + "\n")
        return EXIT_CLEAN if identical else EXIT_FAILURE
    sys.stdout.write("{sessions} session(s), {records} records, {frames} frames; {equal} of "
                     "{payloads} outbound payloads equal, {surplus} surplus\n"
                     "outbound_sha256 {outbound_sha256}\n"
                     "of the journal  {journal_sha256}\n".format(**figures))
    for number, session in enumerate(sessions, start=1):
        if session.first_difference is not None:
            record, journal, made = session.first_difference
            sys.stdout.write(f"session {number}: first difference at record {record}\n  journal "
                             f"{journal.decode()}\n  replay  {made.decode()}\n")
    if stopped:
        sys.stdout.write(f"stopped early: {stopped}\n")
    return EXIT_CLEAN if identical else EXIT_FAILURE
