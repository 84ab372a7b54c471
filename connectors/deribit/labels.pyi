from enum import IntEnum
from typing import final

class LabelOwner(IntEnum):
    LABEL_FOREIGN = 0
    LABEL_OTHER_RUN = 1
    LABEL_OURS = 2

@final
class Labels:
    def __init__(self, prefix: str, *, run: int, config: int = 0) -> None: ...
    def write(self, market: int, slot: int, generation: int) -> str: ...
    def parse_quote(
        self, quote_id: str, set_id: str
    ) -> tuple[LabelOwner, int, int, int]: ...
    def group(self, rung: int) -> str: ...
    def parse(self, text: str) -> tuple[LabelOwner, int, int, int]: ...
