"""What fuzz/ keeps is run on every build, sanitizers too; the search itself needs clang."""

import json
import random
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
import targets

from connectors.deribit.feed import DeribitFeed

CHANGED = 150           # inputs made from the kept ones by lot


def test_the_driver_is_here_and_is_c() -> None:
    driver = Path(targets.__file__).with_name("driver.c")
    gcc = shutil.which("gcc")
    assert gcc is not None
    subprocess.run([gcc, "-fsyntax-only", "-Wall", "-Werror",
                    f"-I{sysconfig.get_path('include')}", str(driver)], check=True)


@pytest.mark.parametrize("name", targets.NAMES)
def test_kept_inputs(name: str) -> None:
    inputs = targets.read_examples(name)
    assert len(inputs) > 30
    for data in inputs:
        getattr(targets, name)(data)


@pytest.mark.parametrize("name", targets.NAMES)
def test_changed_inputs(name: str) -> None:
    seed = random.SystemRandom().randrange(2**31)
    print(f"seed {seed}")
    lot = random.Random(seed)
    inputs = targets.read_examples(name)
    for _ in range(CHANGED):
        getattr(targets, name)(
            targets.mutate_lines(lot.choice(inputs), 6000, lot.randrange(2**31), inputs))


def test_a_change_keeps_most_lines_json() -> None:
    inputs = targets.read_examples("exchange")
    made = [targets.mutate_lines(inputs[n % len(inputs)], 6000, n, inputs) for n in range(400)]
    read = 0
    for data in made:
        try:
            for line in data.split(b"\n"):
                if line[:1] == b"{":
                    json.loads(line)
                    read += 1
        except (ValueError, RecursionError):
            continue
    assert read > 300


def test_the_targets_reach_the_engine() -> None:
    """Without that every input would pass."""
    desk = targets.Desk()
    assert desk.sink.take()         # it quotes
    counts = [0, 0]
    for data in targets.read_examples("decoder"):
        desk = targets.Desk()
        for text, ms in targets.messages(data):
            desk.wait(ms) if ms else desk.take(text)
        counts[0] += desk.feed.counts["malformed"] > 0
        counts[1] += any(m.position.contracts for m in desk.engine.markets)
    assert counts[0] > 3
    assert counts[1] > 3


def test_what_a_refused_message_changed_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = targets.Desk()

    class HalfApplied:
        def __init__(self) -> None:
            self.counts = {"malformed": 0}

        def payload(self, text: bytes, now_ns: int) -> None:
            self.counts = {"malformed": 1}
            desk.engine.markets[0].position.fill(targets.SPECS[0], 0, 70000.0, 100.0)

    assert isinstance(desk.feed, DeribitFeed)
    monkeypatch.setattr(desk, "feed", HalfApplied())
    with pytest.raises(AssertionError):
        desk.take(b"{}")


def test_an_answer_of_no_shape_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    floor = targets.Floor()
    client = floor.client("one")
    floor.ask(client, b'{"id":1,"method":"public/nothing"}')
    monkeypatch.setattr(targets, "CODES", {})
    with pytest.raises(AssertionError):
        floor.ask(client, b'{"id":1,"method":"public/nothing"}')
