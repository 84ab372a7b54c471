"""Who runs the jobs, processes here or a cluster, and the file that keeps what is done."""

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import IO, Protocol

import msgspec

from runner.sweep.jobs import Job, JobError, Outcome, run_job

KEPT_NAME = "outcomes.jsonl"
LOCK_NAME = "lock"


class Workers(Protocol):
    """Runs jobs somewhere."""

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[Job, Outcome]]:
        """Yield every job with its outcome, in the order they end."""

    def close(self) -> None:
        """Let go of processes or connections."""


class Alone:
    """Runs jobs in this process."""

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[Job, Outcome]]:
        """Yield every job with its outcome."""
        for job in jobs:
            yield job, run_job(job)

    def close(self) -> None:
        """Nothing to let go of."""


class Processes:
    """Runs jobs in processes of this machine."""

    def __init__(self, count: int) -> None:
        self.pool = ProcessPoolExecutor(count, mp_context=get_context("spawn"),
                                        initializer=leave_with, initargs=(os.getpid(),))
        self.pool.submit(ready)         # they start, and load what a job needs, meanwhile

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[Job, Outcome]]:
        """Yield every job with its outcome, in the order they end."""
        running = {self.pool.submit(run_job, job): job for job in jobs}
        yield from ended(running)

    def close(self) -> None:
        """End the processes; jobs not begun are dropped."""
        self.pool.shutdown(cancel_futures=True)


def ready() -> None:
    """Do nothing: the process that can name this function has its modules."""


def ended(running: dict[Future[Outcome], Job]) -> Iterator[tuple[Job, Outcome]]:
    """Yield jobs as they end; a worker that dies ends the sweep with a word of what to do."""
    try:
        for future in as_completed(running):
            yield running[future], future.result()
    except BrokenProcessPool:
        raise JobError("a worker process died, perhaps for want of memory; what is done is kept: "
                       "run the same command again, with fewer --workers") from None


def leave_with(parent: int) -> None:
    """End this process when the one that started it is gone, however it went."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class Kept:
    """Outcomes by key, kept in a file as they come; one sweep at a time writes it."""

    def __init__(self, folder: Path, workers: Workers) -> None:
        """Open what an earlier sweep left; JobError where one is running."""
        self.workers = workers
        path = folder / KEPT_NAME
        self.lock = (folder / LOCK_NAME).open("w")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.outcomes = read_outcomes(path)
        except BlockingIOError:
            self.lock.close()
            raise JobError(f"{folder}: another mm sweep is running there; wait for it, or give "
                           "another --out") from None
        except JobError:
            self.lock.close()
            raise
        self.found = len(self.outcomes)         # by earlier sweeps
        self.ran = 0
        self.told: set[str] = set()             # keys of the jobs that counted as done
        self.file: IO[bytes] = path.open("ab")

    def run(self, jobs: Sequence[Job], done: Callable[[int], None]) -> list[Outcome]:
        """Return the outcomes of jobs in their order; done hears of every job once."""
        keys = [job.key for job in jobs]
        keyed = dict(zip(keys, jobs, strict=True))
        missing = {key: job for key, job in keyed.items() if key not in self.outcomes}
        done(len(keyed.keys() - self.told - missing.keys()))
        self.told.update(keyed)
        named = {id(job): key for key, job in missing.items()}
        for job, outcome in self.workers.run(list(missing.values())):
            self.ran += 1
            self.keep(named[id(job)], outcome)
            done(1)
        return [self.outcomes[key] for key in keys]

    def keep(self, key: str, outcome: Outcome) -> None:
        """Take an outcome in, unless it is known."""
        if key not in self.outcomes:
            self.outcomes[key] = outcome
            self.file.write(msgspec.json.encode((key, outcome)) + b"\n")
            self.file.flush()

    def close(self) -> None:
        """Let the next sweep in."""
        self.workers.close()
        self.file.close()
        self.lock.close()


def read_outcomes(path: Path) -> dict[str, Outcome]:
    """Read what is kept; a line that was being written when all ended is cut off the file."""
    if not path.exists():
        return {}
    raw = path.read_bytes()
    whole = raw[:raw.rfind(b"\n") + 1]
    if len(whole) < len(raw):
        os.truncate(path, len(whole))
    try:
        return dict(msgspec.json.decode(line, type=tuple[str, Outcome])
                    for line in whole.splitlines())
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise JobError(f"{path}: {error}; remove the file to begin anew") from None
