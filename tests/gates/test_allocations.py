"""Nothing on the hot path outlives its event: blocks allocated do not grow with events."""

import gc
import sys

import pytest
import stages

EVENTS = 20_000
# A few blocks may be made once, anywhere in the process; a leak of one in a hundred is 200.
SLACK_BLOCKS = 20

pytestmark = pytest.mark.skipif(
    sys.getallocatedblocks() == 0, reason="this build of Python does not count blocks")


@pytest.mark.parametrize("stage", stages.STAGES, ids=lambda stage: stage.name)
def test_events_leave_nothing_behind(stage: stages.Stage) -> None:
    run = stage.make()
    gc.collect()                    # empties the free lists, which the first run fills again
    gc.disable()
    try:
        run(EVENTS)
        before, tracked = sys.getallocatedblocks(), len(gc.get_objects())
        run(EVENTS)
        grown = sys.getallocatedblocks() - before
        assert grown <= SLACK_BLOCKS, f"{grown} blocks left by {EVENTS} events"
        assert len(gc.get_objects()) - tracked <= SLACK_BLOCKS
    finally:
        gc.enable()


def test_a_leak_would_be_seen() -> None:
    kept: list[list[int]] = []
    before = sys.getallocatedblocks()
    kept.extend([i] for i in range(EVENTS // 100))
    assert sys.getallocatedblocks() - before > SLACK_BLOCKS
