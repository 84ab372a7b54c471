"""Python face of the direct front."""

from typing import Any

from typing_extensions import disjoint_base

from connectors.deribit.labels import Labels
from connectors.sim.exchange import Exchange
from connectors.sim.latency import Latency
from connectors.sim.outputs import Outputs

FILL_FIELDS: tuple[str, ...]
REQUEST_FIELDS: tuple[str, ...]

@disjoint_base
class DirectVenue(Outputs):
    keep_trail: bool
    @property
    def exchange(self) -> Exchange: ...
    @property
    def account(self) -> int: ...
    @property
    def connection(self) -> int: ...
    @property
    def entry(self) -> Latency: ...
    @property
    def response(self) -> Latency: ...
    @property
    def feed_ns(self) -> int: ...
    @property
    def fills(self) -> list[tuple[Any, ...]]: ...
    @property
    def trail(self) -> list[tuple[int, ...]]: ...
    @property
    def counts(self) -> dict[str, int]: ...
    def __init__(
        self,
        exchange: Exchange,
        labels: Labels,
        markets: list[int],
        *,
        account: int,
        t_ns: int,
        entry: Latency,
        response: Latency,
        feed_ns: int = 0,
    ) -> None: ...
    def request(
        self,
        t_ns: int,
        kind: int,
        market: int,
        slot: int,
        generation: int,
        *,
        side: int = 0,
        price_ticks: int = 0,
        amount_contracts: int = 0,
        time_in_force: int = 0,
        post_only: bool = False,
        reduce_only: bool = False,
        order_id: int = 0,
        valid_until_ms: int = 0,
    ) -> None: ...
    def money(self, currency: int) -> tuple[int, int, int, float]: ...
