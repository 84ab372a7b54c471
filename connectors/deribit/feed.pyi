from collections.abc import Callable
from enum import IntEnum
from typing import final

from connectors.deribit.labels import Labels
from connectors.deribit.own import OwnFeed
from mmcore.engine import Engine
from mmcore.types import InstrumentSpec

class FeedAsk(IntEnum):
    FEED_NOTHING = 0
    FEED_TEST_REQUEST = 1
    FEED_DISTRUST = 2

@final
class DeribitFeed:
    on_cold: Callable[[bytes], None] | None
    @property
    def engine(self) -> Engine: ...
    @property
    def own(self) -> OwnFeed: ...
    @property
    def states(self) -> int: ...
    def __init__(self, engine: Engine, specs: list[InstrumentSpec], labels: Labels) -> None: ...
    def payload(self, payload: bytes, now_ns: int) -> FeedAsk: ...
    @property
    def index(self) -> tuple[float, int]: ...
    @property
    def counts(self) -> dict[str, int]: ...
