"""Python face of markets, accounts and connections."""

from collections.abc import Callable
from typing import Any

from typing_extensions import disjoint_base

from connectors.sim.account import Account
from connectors.sim.matching import MatchBook
from mmcore.types import InstrumentSpec

@disjoint_base
class Registry:
    now_ns: int
    market_count: int
    account_count: int
    specs: list[InstrumentSpec]
    accounts: list[Account]
    books: list[MatchBook]
    def __init__(self, seed: int = 1, tier: int = 4) -> None: ...
    def add_market(self, spec: InstrumentSpec, index_name: str, perpetual: bool) -> int: ...
    settlements: list[tuple[Any, ...]]
    settled_markets: list[tuple[int, int, bool, float, float, float, int, int]]
    deliveries: list[tuple[int, int, float]]
    index_names: list[str]
    def add_spread(self, spec: InstrumentSpec, bought: int, sold: int) -> int: ...
    def set_speed_bump(self, market: int, bump_ns: int) -> int: ...
    def set_lister(
        self, lister: Callable[[int], list[tuple[InstrumentSpec, str, bool]]] | None
    ) -> None: ...
    def market_state_of(self, market: int) -> int: ...
    def settlement_price(self, market: int) -> float: ...
    def mark_price(self, market: int) -> float: ...
    def open_account(
        self, client_id: str, t_ns: int, balance_btc_e8: int, balance_usdc_e8: int, silent: bool
    ) -> int: ...
    def set_cancel_on_disconnect(
        self, connection: int, account_scope: bool, enabled: bool
    ) -> int: ...
    def cancels_on_disconnect(self, connection: int, account_scope: bool) -> bool: ...
    def take_credit(self, t_ns: int, account: int, credit_class: int) -> bool: ...
