"""`mm replay`: a journal through the same decoder and engine; outbound bytes compared."""

import sys
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
from mmcore.publish import summary
from runner.assemble import make_engine
from runner.config_keys import ENGINE_SECTIONS, Instrument
from runner.options import EXIT_CLEAN, EXIT_FAILURE, EXIT_USAGE


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
        values = {f"{section}.{key}": float(value) for section in ENGINE_SECTIONS
                  for key, value in sections[section].items()}
        labels = Labels(sections["venue"]["label_prefix"], run=told["run"],
                        config=int(told["fingerprint"], 16))
        engine = make_engine(values, entries, specs, None)
    except (KeyError, TypeError, msgspec.MsgspecError) as error:
        raise ValueError(f"the journal's header is another version's ({error}); replay it with "
                         "the version that wrote it") from error
    return JournalReplay(DeribitFeed(engine, specs, labels),
                         PayloadSink(engine, Encoder(specs, labels)))


def replay(folder: Path) -> tuple[JournalReplay | None, str]:
    """Replay a journal; returns what was compared, and what stopped it before its end."""
    compared: JournalReplay | None = None
    try:
        for record in read_journal(folder):
            if record.kind == JournalKind.JOURNAL_HEADER and compared is None:
                compared = rebuild(record.payload)
            elif compared is not None:
                compared.take(record.kind, record.now_ns, record.payload)
    except (JournalDamagedError, ReplayStoppedError) as error:
        return compared, str(error)
    return compared, ""


def main(folder: Path, *, as_json: bool) -> int:
    """Replay and report; 0 where every byte came out again, 1 where one did not."""
    try:
        compared, stopped = replay(folder)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"mm: {folder}: {error}\n")
        return EXIT_USAGE
    if compared is None:
        sys.stderr.write(f"mm: {folder}: no journal header in it; give the folder of a session, "
                         "where the NNNNNN.mmj files lie\n")
        return EXIT_USAGE
    figures = {"records": compared.records, "frames": compared.frames,
               "payloads": compared.expected, "equal": compared.equal,
               "surplus": compared.surplus, "identical": compared.identical,
               "stopped": stopped, "summary": summary(compared.engine)}
    if as_json:
        sys.stdout.write(msgspec.json.encode(figures).decode() + "\n")
    else:
        sys.stdout.write(
            f"{compared.records} records, {compared.frames} frames; {compared.equal} of "
            f"{compared.expected} outbound payloads equal, {compared.surplus} surplus\n")
        if compared.first_difference is not None:
            number, journal, made = compared.first_difference
            sys.stdout.write(f"first difference at record {number}\n  journal "
                             f"{journal.decode()}  replay  {made.decode()}")
        if stopped:
            sys.stdout.write(f"stopped early: {stopped}\n")
    return EXIT_CLEAN if compared.identical else EXIT_FAILURE
