"""A lively synthetic market of two minutes as an imported recording."""

from pathlib import Path

from connectors.replay.cut import played
from connectors.replay.recording import Integrity, Recording
from connectors.replay.store import write_store
from connectors.sim.market.facts import synthetic_events


def write_market(path: Path) -> Path:
    """Write it; the same bytes every time."""
    events, spec = synthetic_events(3, "volatile", 120.0)
    recording = Recording(events[events["instrument"] <= 0], [spec], Integrity(), "tape", ())
    write_store(recording, played(recording)[0], path)
    return path
