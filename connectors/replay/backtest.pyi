"""Python face of the backtest loop."""

from collections.abc import Callable
from typing import Any

from typing_extensions import disjoint_base

from connectors.replay.observer import Observer
from connectors.replay.player import Player
from connectors.sim.direct import DirectVenue
from connectors.sim.direct_sink import DirectSink
from mmcore.engine import Engine

SAMPLE_FIELDS: tuple[str, ...]

@disjoint_base
class Backtest:
    on_sample: Callable[[int], None] | None
    @property
    def engine(self) -> Engine: ...
    @property
    def venue(self) -> DirectVenue: ...
    @property
    def sink(self) -> DirectSink: ...
    @property
    def player(self) -> Player: ...
    @property
    def observer(self) -> Observer: ...
    @property
    def origin_ns(self) -> int: ...
    @property
    def samples(self) -> list[tuple[Any, ...]]: ...
    @property
    def ticks(self) -> int: ...
    @property
    def due_ns(self) -> int: ...
    def __init__(
        self,
        engine: Engine,
        venue: DirectVenue,
        sink: DirectSink,
        player: Player,
        observer: Observer,
        *,
        origin_ns: int,
        sample_ns: int = 0,
    ) -> None: ...
    def run(self, until_ns: int = ...) -> None: ...
    def finish(self) -> None: ...
    def prices(self, market: int) -> tuple[float, float]: ...
    def funding(self, market: int) -> float: ...
    def equity(self, currency: int) -> tuple[float, float]: ...
    @property
    def lasted_s(self) -> float: ...
