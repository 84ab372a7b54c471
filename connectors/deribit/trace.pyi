from typing import Any, final

from mmcore.engine import Engine
from mmcore.journal import Journal

@final
class EventTrace(Engine):
    @property
    def events(self) -> list[tuple[Any, ...]]: ...
    def __init__(self, journal: Journal | None = None) -> None: ...
    def take(self) -> list[tuple[Any, ...]]: ...
