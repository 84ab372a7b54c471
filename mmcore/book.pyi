"""Python face of the order book."""

from collections.abc import Collection
from enum import IntEnum
from typing import final

class BookResult(IntEnum):
    BOOK_APPLIED = 0
    BOOK_SNAPSHOT = 1
    BOOK_IGNORED = 2
    BOOK_GAP = 3
    BOOK_CROSSED = 4

@final
class OrderBook:
    @property
    def change_id(self) -> int: ...
    @property
    def timestamp_ms(self) -> int: ...
    @property
    def valid(self) -> bool: ...
    @property
    def window_moves(self) -> int: ...
    @property
    def dropped_levels(self) -> int: ...
    @property
    def best_bid_ticks(self) -> int | None: ...
    @property
    def best_ask_ticks(self) -> int | None: ...
    @property
    def level_counts(self) -> tuple[int, int]: ...
    def load(
        self,
        bids: Collection[tuple[int, int]],
        asks: Collection[tuple[int, int]],
        *,
        change_id: int,
        prev_change_id: int = -1,
        timestamp_ms: int = 0,
    ) -> BookResult: ...
    def levels(self, side: int, count: int = 10) -> list[tuple[int, int]]: ...
    def amount(self, side: int, price_ticks: int) -> int: ...
    def drop(self) -> None: ...
