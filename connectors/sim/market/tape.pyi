"""Python face of the tape."""
from typing import final

from connectors.replay.event import EVENT_DTYPE as EVENT_DTYPE
from connectors.replay.recording import Events
from connectors.sim.exchange import Exchange
from connectors.sim.outputs import Outputs

@final
class EventTape(Outputs):
    def __init__(self, exchange: Exchange, t_ns: int) -> None: ...
    def __len__(self) -> int: ...
    def events(self) -> Events: ...
