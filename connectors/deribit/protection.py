"""The venue's quote protection (MMP), which mass quotes need: set, read back, thawed again.

One group of protection for each rung and index: a group may hold one quote of each side of an
instrument. A group that trips cancels its quotes and stays frozen until we reset it, so that a
maker that died leaves nothing that could be quoted by accident.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import msgspec

from connectors.deribit import endpoints
from connectors.deribit.connection import QuoteLimits
from connectors.deribit.reconcile import StartRefusedError, UnfitConfigError
from connectors.deribit.rpc import Rpc, RpcError
from connectors.deribit.session import DeribitSession
from mmcore.types import ControlKind, InstrumentSpec

log = logging.getLogger("mm.deribit")

PASSING = frozenset((10028, 10040, 10041, 10047, 11051, 11094, 13028))  # errors that mend
AGAIN_S = 1.0


class GroupConfig(msgspec.Struct, gc=False):
    """A row of get_mmp_config."""

    index_name: str
    interval: int
    frozen_time: int
    mmp_group: str = ""
    quantity_limit: float = 0.0
    delta_limit: float = 0.0
    max_quote_quantity: float = 0.0


class GroupStatus(msgspec.Struct, gc=False):
    """A row of get_mmp_status: a group that is frozen."""

    index_name: str
    frozen_until: int
    mmp_group: str = ""


class QuoteProtection:
    """Keeper of our groups over one session and RPC."""

    def __init__(self, session: DeribitSession, rpc: Rpc, specs: Sequence[InstrumentSpec],
                 limits: QuoteLimits, timeout_s: float) -> None:
        self.session = session
        self.rpc = rpc
        self.limits = limits
        self.timeout_s = timeout_s
        self.indexes = [endpoints.price_index(spec.name) for spec in specs]
        labels = session.feed.own.labels
        self.names = [labels.group(rung) for rung in range(limits.rungs)]
        self.trips = 0
        self.renewing = False
        self._frozen_ns = 0     # since when; 0: it stands

    async def ask(self, method: str, kind: Any, **params: Any) -> Any:
        return await self.rpc.call(method, params, kind, timeout_s=self.timeout_s)

    async def set_up(self) -> None:
        """Set every group, read it back, and let quotes by it begin.

        Raises UnfitConfigError where the venue does not give this account quote protection. A
        group found frozen waits its time out first.
        """
        limits = self.limits
        for index in dict.fromkeys(self.indexes):
            for name in self.names:
                wanted = {"index_name": index, "mmp_group": name, "frozen_time": 0,
                          "interval": limits.interval_s, "quantity_limit": limits.quantity_btc,
                          "max_quote_quantity": limits.max_quote_btc}
                if limits.delta_btc > 0.0:
                    wanted["delta_limit"] = limits.delta_btc
                try:
                    await self.ask(endpoints.SET_MMP_CONFIG, Any, **wanted)
                    told = await self.ask(endpoints.GET_MMP_CONFIG, list[GroupConfig],
                                          index_name=index, mmp_group=name)
                except RpcError as error:
                    if error.code in PASSING:
                        raise
                    raise UnfitConfigError(
                        f"orders.mode = \"mass_quote\" needs the venue's quote protection, and it "
                        f"refuses: {error}; have mass quotes enabled for this account, or set "
                        "orders.mode = \"edit\"") from None
                check(wanted, told)
        while await self.frozen_groups():
            self._frozen_ns = self._frozen_ns or self.session.now_ns()
            await self.wait()
            await self.reset()
            if await self.frozen_groups():
                await asyncio.sleep(AGAIN_S)
        await self.wait()
        self._frozen_ns = 0
        for market in range(len(self.indexes)):
            self.session.control(ControlKind.CONTROL_PROTECTION, market, limits.rungs)

    def is_frozen(self) -> bool:
        """Say whether a group has tripped and is not thawed yet; note when it began."""
        frozen = any(m.orders.protected_rungs == 0 for m in self.session.engine.markets)
        if frozen and not self._frozen_ns:
            self._frozen_ns = self.session.now_ns()
            self.trips += 1
            log.warning("quote protection has tripped: no quotes for %d s", self.limits.frozen_s)
        return frozen

    async def renew(self) -> None:
        """After a trip: wait the time out, then let quotes begin as at the start."""
        self.renewing = True
        try:
            await self.wait()
            await self.reset()
            await self.set_up()
        finally:
            self.renewing = False

    async def reset(self) -> None:
        """Thaw every group of ours; raises RpcError where the venue does not know one."""
        for index in dict.fromkeys(self.indexes):
            for name in self.names:
                await self.ask(endpoints.RESET_MMP, str, index_name=index, mmp_group=name)

    async def wait(self) -> None:
        """Sleep for what is left of the time that a frozen group stays so."""
        if self._frozen_ns:
            passed_s = (self.session.now_ns() - self._frozen_ns) / 1e9
            await asyncio.sleep(max(0.0, self.limits.frozen_s - passed_s))

    async def frozen_groups(self) -> list[str]:
        """Ask which of our groups are frozen."""
        rows = await self.ask(endpoints.GET_MMP_STATUS, list[GroupStatus])
        return [row.mmp_group for row in rows
                if row.index_name in self.indexes and row.mmp_group in self.names]


def check(wanted: dict[str, Any], told: Sequence[GroupConfig]) -> None:
    """Compare what was set with what the venue says; raises StartRefusedError."""
    row = next((msgspec.structs.asdict(r) for r in told
                if r.mmp_group == wanted["mmp_group"]), None)
    differing = [name for name, value in wanted.items()
                 if row is None or (abs(row[name] - value) > 1e-4
                                    if isinstance(value, float) else row[name] != value)]
    if differing:
        raise StartRefusedError(
            f"the venue does not confirm the quote protection of group {wanted['mmp_group']}: "
            f"{', '.join(differing)}")
