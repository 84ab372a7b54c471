"""The venue's own frames through feed, engine and the real book, held against a dict book."""

from pathlib import Path

from desk import params
from dict_book import DictBook

from connectors.deribit.feed import DeribitFeed
from connectors.deribit.labels import Labels
from connectors.replay.deribit import read_frames
from connectors.replay.reader import open_recording
from mmcore.engine import Engine
from mmcore.face import EngineFace

FOLDER = "deribit_testenv_2023-06-15"
FILE = "deribit_testenv_2023-06-15.frames.jsonl.gz"


def test_every_book_equals_the_dict_book_after_every_frame(data_dir: Path) -> None:
    """Three instruments, 211 book messages; what the dict holds, the window array holds."""
    specs = open_recording([data_dir / FOLDER / FILE]).instruments
    engine = Engine(params(), specs)
    face = EngineFace(engine)
    feed = DeribitFeed(engine, specs, Labels("mm", run=1))
    references = [DictBook(spec.name) for spec in specs]
    compared = 0
    for frame in read_frames(data_dir / FOLDER / FILE):
        feed.payload(frame.payload, frame.recv_ns)
        for market, reference in zip(engine.markets, references, strict=True):
            seen = reference.messages
            reference.take(frame.payload)
            if reference.messages == seen:
                continue
            spec = market.spec_object
            for side, rows in enumerate(reference.levels()):
                assert [(spec.price(ticks), spec.amount(contracts))
                        for ticks, contracts in market.book.levels(side, 10_000)] == rows
            compared += 1
    counters = face.counters()
    assert compared == 211
    assert counters["book_updates"] == 208
    assert counters["book_gaps"] == counters["book_crossed"] == counters["malformed"] == 0
