"""Points proposed by Optuna; its storage is what several machines share and a kill leaves.

Trials are asked for in batches and told in order, each with a sampler seeded by its number, so that
one machine finds the same points however many workers it has, and after a kill as well.
"""

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
from msgspec import Struct
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from runner.sweep.jobs import JobError
from runner.sweep.space import Axis, Point

BATCH = 8               # trials between two looks at what they came to
OWNER = "owner"         # user attribute: which sweep asked for a trial
OUTCOMES = "outcomes"   # user attribute: what its jobs came to, for the other machines


class Trial(Struct, frozen=True):
    """A point to be judged, under the number the study gave it."""

    number: int
    point: Point


class Search:
    """One study."""

    def __init__(self, storage: str, name: str, axes: Sequence[Axis], seed: int,
                 owner: str) -> None:
        """Open or begin a study; JobError where the storage cannot be had."""
        optuna.logging.set_verbosity(logging.WARNING)
        self.axes, self.seed, self.owner = axes, seed, owner
        self.asking: dict[int, optuna.Trial] = {}
        try:
            self.study = optuna.create_study(
                storage=storage_of(storage), study_name=name, direction="maximize",
                load_if_exists=True)
        except Exception as error:
            raise JobError(f"--storage {storage}: {error}; give a file, or an address like "
                           "sqlite:///study.db") from None

    def asked(self) -> int:
        """Return how many trials the study has, whoever asked for them."""
        return len(self.study.get_trials(deepcopy=False))

    def open(self) -> list[Trial]:
        """Return the trials of this sweep that a kill left without an answer."""
        left = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        mine = [t for t in left if t.user_attrs.get(OWNER) == self.owner]
        known = [t for t in mine if len(t.params) == len(self.axes)]
        for trial in mine:
            if trial not in known:
                self.study.tell(trial.number, state=TrialState.FAIL)
        return [Trial(t.number, dict(t.params)) for t in known]

    def ask(self, most: int) -> list[Trial]:
        """Return new points until the study has a multiple of BATCH trials, or `most`."""
        found = []
        asked = self.asked()
        while asked < most:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                self.study.sampler = optuna.samplers.TPESampler(seed=self.seed * 1_000_003 + asked)
            trial = self.study.ask()
            trial.set_user_attr(OWNER, self.owner)
            self.asking[trial.number] = trial
            found.append(Trial(trial.number, {a.key: suggest(trial, a) for a in self.axes}))
            asked += 1
            if asked % BATCH == 0:
                break
        return found

    def tell(self, trial: Trial, score: float | None, outcomes: dict[str, Any]) -> None:
        """Give a trial's answer and what it rests on; None: its keys contradict each other."""
        asking = self.asking.pop(trial.number, None)
        if asking is not None:
            asking.set_user_attr(OUTCOMES, outcomes)
        if score is None:
            self.study.tell(trial.number, state=TrialState.FAIL)
        else:
            self.study.tell(trial.number, score)

    def judged(self) -> list[tuple[Point, dict[str, Any]]]:
        """Return every point that has an answer and its outcomes, in the order of the trials."""
        done = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return [(dict(t.params), t.user_attrs.get(OUTCOMES, {}))
                for t in sorted(done, key=lambda t: t.number)]


def suggest(trial: optuna.Trial, axis: Axis) -> Any:
    """Let a trial choose a value of a key."""
    if axis.values:
        return trial.suggest_categorical(axis.key, axis.values)
    if axis.whole:
        return trial.suggest_int(axis.key, int(axis.low), int(axis.high), log=axis.log)
    return trial.suggest_float(axis.key, axis.low, axis.high, log=axis.log)


def storage_of(place: str) -> BaseStorage:
    """Open a database by its address, else a journal file, which several machines may share too."""
    if "://" in place:
        return RDBStorage(place)
    Path(place).parent.mkdir(parents=True, exist_ok=True)
    return JournalStorage(JournalFileBackend(place))
