"""Python face of the direct sink."""

from typing_extensions import disjoint_base

from connectors.deribit.encode import Encoder
from connectors.sim.direct import DirectVenue
from mmcore.engine import Engine
from mmcore.sink import OrderSink

@disjoint_base
class DirectSink(OrderSink):
    @property
    def engine(self) -> Engine: ...
    @property
    def encoder(self) -> Encoder: ...
    @property
    def venue(self) -> DirectVenue: ...
    @property
    def actions(self) -> int: ...
    @property
    def takes(self) -> list[tuple[int, int, int, int]]: ...
    @property
    def outbound_sha256(self) -> str: ...
    def __init__(
        self, engine: Engine, encoder: Encoder, venue: DirectVenue, origin_ns: int
    ) -> None: ...
