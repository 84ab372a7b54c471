"""Many seeds over all cores: what broke, the smallest plan that still breaks, what was visited."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

import msgspec

from runner.simulation.plan import KINDS, Plan, Schedule, draw
from runner.simulation.session import Outcome, Session
from runner.simulation.trace import Trace

ENOUGH_SEEDS = 200      # by then every kind that may happen has happened
AT_A_TIME = 8           # seeds a worker takes
TASKS_OF_A_CHILD = 25   # then fresh processes: what the allocator keeps does not add up


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """A seed that broke an invariant."""

    seed: int
    breach: str
    at_s: float
    faults: tuple[str, ...]     # as drawn
    smallest: str               # a plan in TOML that still breaks it
    left: tuple[str, ...]       # its faults


class Campaign(msgspec.Struct, kw_only=True):
    """What many sessions came to."""

    seeds: int = 0
    virtual_s: float = 0.0
    cpu_s: float = 0.0
    looks: int = 0
    fills: int = 0
    messages: int = 0
    lives: int = 0
    connects: int = 0
    struck: Counter[str] = msgspec.field(default_factory=Counter)
    codes: Counter[int] = msgspec.field(default_factory=Counter)
    orders: Counter[str] = msgspec.field(default_factory=Counter)
    risk: Counter[str] = msgspec.field(default_factory=Counter)
    broken: list[Broken] = msgspec.field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count one session in."""
        self.seeds += 1
        for name in ("virtual_s", "looks", "fills", "messages", "lives", "connects"):
            setattr(self, name, getattr(self, name) + getattr(outcome, name))
        self.struck.update(outcome.struck)
        self.codes.update(outcome.codes)
        self.orders.update(outcome.orders)
        self.risk.update(outcome.risk)

    def missing(self, plan: Plan) -> list[str]:
        """Return the kinds that should have struck by now and never did."""
        if self.seeds < ENOUGH_SEEDS or plan.fault or plan.most == 0:
            return []
        return [kind for kind in KINDS if plan.mix.get(kind, 0.0) > 0 and not self.struck[kind]]


def run_seed(plan: Plan, seed: int) -> Outcome:
    """Run one seed of a plan."""
    return Session(draw(plan, seed)).run()


def traced(schedule: Schedule) -> tuple[Outcome, list[str]]:
    """Run one session and keep its timeline."""
    session = Session(schedule)
    session.trace = Trace(session.now_s)
    return session.run(), session.trace.lines


def run_some(plan: Plan, seeds: Sequence[int]) -> tuple[list[Outcome], list[Broken], float]:
    """Run some seeds; also what broke, shrunk, and the processor time of it all."""
    began_s = time.process_time()
    outcomes = [run_seed(plan, seed) for seed in seeds]
    took_s = time.process_time() - began_s
    return outcomes, [broken(draw(plan, o.seed), o) for o in outcomes if o.breach], took_s


def broken(schedule: Schedule, outcome: Outcome) -> Broken:
    """Describe a session that broke, with the smallest one that breaks in the same way."""
    smallest = shrink(schedule, kind_of(outcome.breach), lambda s: Session(s).run().breach)
    return Broken(seed=outcome.seed, breach=outcome.breach, at_s=round(outcome.at_s, 4),
                  faults=tuple(map(str, schedule.fault)), smallest=smallest.as_plan(),
                  left=tuple(map(str, smallest.fault)))


def kind_of(breach: str) -> str:
    """Return which invariant a breach is of."""
    return breach.split(":")[0].split(" ")[0]


def shrink(schedule: Schedule, kind: str, run: Callable[[Schedule], str]) -> Schedule:
    """Leave out every fault without which the same invariant still breaks."""
    changed = True
    while changed:
        changed = False
        for number in range(len(schedule.fault)):
            fewer = msgspec.structs.replace(
                schedule, fault=schedule.fault[:number] + schedule.fault[number + 1:])
            if kind_of(run(fewer)) == kind:
                schedule, changed = fewer, True
                break
    return schedule


def run_seeds(plan: Plan, seeds: range, *, workers: int | None = None,
              progress: Callable[[int], None] = lambda _done: None) -> Campaign:
    """Run seeds over processes; progress is told how many sessions have ended since."""
    campaign = Campaign()
    for outcomes, failures, cpu_s in results(plan, list(seeds), workers or cores()):
        for outcome in outcomes:
            campaign.add(outcome)
        campaign.cpu_s += cpu_s
        campaign.broken += failures
        progress(len(outcomes))
    campaign.broken.sort(key=lambda b: b.seed)
    return campaign


def results(plan: Plan, seeds: list[int], workers: int
            ) -> Iterator[tuple[list[Outcome], list[Broken], float]]:
    chunks = [seeds[i:i + AT_A_TIME] for i in range(0, len(seeds), AT_A_TIME)]
    if workers == 1 or len(chunks) == 1:
        for chunk in chunks:
            yield run_some(plan, chunk)
        return
    # Not max_tasks_per_child: an executor that replaces its processes can wait for one for ever
    # (gh-115634, not mended in Python 3.11).
    a_round = workers * TASKS_OF_A_CHILD
    for i in range(0, len(chunks), a_round):
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            jobs = [pool.submit(run_some, plan, chunk) for chunk in chunks[i:i + a_round]]
            try:
                for job in as_completed(jobs):
                    yield job.result()
            finally:
                for job in jobs:
                    job.cancel()


def first_broken(plan: Plan, seeds: range, workers: int) -> Outcome | None:
    """Run seeds until one breaks an invariant; None where none does."""
    chunks = [range(i, min(i + AT_A_TIME // 2, seeds.stop))
              for i in range(seeds.start, seeds.stop, AT_A_TIME // 2)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(first_of, plan, chunk) for chunk in chunks]
        for job in as_completed(jobs):
            found = job.result()
            if found is not None:
                pool.shutdown(cancel_futures=True)
                return found
    return None


def first_of(plan: Plan, seeds: range) -> Outcome | None:
    outcomes = (run_seed(plan, seed) for seed in seeds)
    return next((o for o in outcomes if o.breach), None)


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))
