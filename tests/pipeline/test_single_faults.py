"""One fault at every step of create, edit, cancel and fill: nothing forgotten, nothing doubled.

The cases are generated from a session without a fault: every step that occurs in it, the first
and second time, meets every fault. A part runs here; all of them:

    python -P -m pytest -m campaign tests/pipeline/test_single_faults.py
"""

import functools
from collections.abc import Callable

import pytest
from fault_session import FaultSession, Watcher, single_faults
from virtual_session import VirtualSession

from runner.simulation.plan import SessionFault

SEED = 1
EVERY = 9       # in the short form, every so many cases: a share of each step's faults


@functools.cache
def cases() -> tuple[SessionFault, ...]:
    plain = FaultSession(None, SEED)
    assert plain.run() == []
    return tuple(single_faults(plain.wire.seen))


def run(chosen: tuple[SessionFault, ...], figure: Callable[[str], None]) -> None:
    wrong = []
    for fault in chosen:
        case = FaultSession(fault, SEED)
        found = case.run()
        if case.struck_s < 0:
            found.append("the fault did not strike")
        if found:
            wrong.append(f"{fault}: {'; '.join(found)}")
    figure(f"{len(chosen)} of {len(cases())} single faults, each struck; {len(wrong)} with an "
           "orphan, two orders in a slot, understated exposure or a fill not booked once")
    assert not wrong, f"{len(wrong)} of {len(chosen)} cases\n" + "\n".join(wrong)


def test_the_cases_cover_every_step() -> None:
    steps = {fault.step for fault in cases()}
    assert len(cases()) >= 500
    assert steps == {
        "request:buy", "request:sell", "request:edit", "request:cancel",
        "request:cancel_all_by_instrument", "answer:new", "answer:edit", "answer:cancel",
        "answer:pull", "changes:open", "changes:fill", "changes:cancelled", "book", "trades",
        "ticker"}


def test_a_part_of_the_single_faults(figure: Callable[[str], None]) -> None:
    run(cases()[::EVERY], figure)


@pytest.mark.campaign
@pytest.mark.parametrize("part", range(EVERY))
def test_all_single_faults(part: int, figure: Callable[[str], None]) -> None:
    run(cases()[part::EVERY], figure)


def test_the_watch_sees_an_order_that_is_not_ours_any_more() -> None:
    """The checks can fail: an order with our label that the maker knows nothing of."""
    class Sown(FaultSession):
        def operate(self, session: VirtualSession) -> None:
            super().operate(session)
            account = self.watcher.account
            if session.maker is None or session.server is None or account is None:
                return
            label = session.maker.session.feed.own.labels.write(0, 0, 999_999)
            session.server.desk.place(
                session.wall_ns(), -1, account.number, 0, 0, 0, 0, 130_000, 500,
                label=label.encode())

    found = " ".join(Sown(None, SEED).run())
    assert "BREACH_DOUBLE" in found or "BREACH_ORPHAN" in found


def test_the_judgement_sees_a_fill_nobody_booked() -> None:
    class Robbed(FaultSession):
        def judged(self) -> list[str]:
            watcher: Watcher = self.watcher
            assert self.session.server is not None
            assert watcher.account is not None
            self.session.server.desk.place(
                self.session.wall_ns(), -1, watcher.account.number, 0, 0, 0, 0, 141_000, 70)
            return super().judged()

    found = " ".join(Robbed(None, SEED).run())
    assert "contracts and fees" in found
    assert "profit is off" in found
