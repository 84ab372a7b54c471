"""Killed at random moments and started again: nothing left, position and profit as without it.

The venue's own account knows nothing of crashes, so it is what the result is compared with. What a
new process knows of the one before is what a file written once a second would hold.
"""

import random
from collections.abc import Callable

import msgspec
import pytest

from runner.simulation.plan import Plan, SessionFault, draw
from runner.simulation.session import Session

CRASHES = 20
NEVER = 1 << 40


def crashes(rng: random.Random) -> tuple[SessionFault, ...]:
    """Draw the ends of so many processes: some while they still prepare, most while they trade."""
    faults: list[SessionFault] = []
    at_s = 1.0
    for _ in range(CRASHES):
        pause_s = rng.choice((0.0, 0.01, 0.5, 2.0))
        faults.append(SessionFault(kind="crash", at_s=round(at_s, 4), last_s=pause_s))
        at_s += pause_s + rng.choice((rng.uniform(0.002, 0.05), rng.uniform(0.5, 5.0)))
    return tuple(faults)


def crash_and_compare(seed: int, figure: Callable[[str], None]) -> None:
    print(f"seed {seed}")
    plan = Plan(seconds=30.0, fault=crashes(random.Random(seed)), set=("quote.levels=2",))
    session = Session(msgspec.structs.replace(draw(plan, seed), market="walk"))

    def forgive() -> None:
        # Twenty processes in a minute do not know what those before them have spent.
        assert session.witness is not None
        session.witness.refused_before = NEVER

    session.loop.call_later(0.01, forgive)
    outcome = session.run()
    assert outcome.breach == ""
    assert outcome.struck == {"crash": CRASHES}
    assert outcome.lives == CRASHES + 1
    assert outcome.fills >= 1
    figure(f"seed {seed}: killed {CRASHES} times, {outcome.fills} fills, {outcome.looks} looks at "
           "both sides; nothing left, position and profit as the venue's")


@pytest.mark.parametrize("seed", range(3))
def test_killed_sixty_times(seed: int, figure: Callable[[str], None]) -> None:
    crash_and_compare(seed, figure)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(10))
def test_killed_two_hundred_times(seed: int, figure: Callable[[str], None]) -> None:
    crash_and_compare(seed, figure)
