"""Start gates of the login: scopes of the key, this machine's clock."""

import asyncio
import random

import pytest
from test_client import Maker, SmallMarket

from connectors.deribit.connection import ClientConfig
from connectors.deribit.login import CLOCK_OFFSET_MAX_MS, check_scope
from connectors.deribit.reconcile import StartRefusedError
from connectors.sim.wire.server import SimConfig, serve
from connectors.sim.wire.trading import Trading

GOOD = "connection mainaccount trade:read_write account:read_write wallet:read"


def test_a_key_that_may_withdraw_or_lacks_a_scope_is_refused() -> None:
    check_scope(GOOD)
    with pytest.raises(StartRefusedError, match="may withdraw"):
        check_scope(GOOD.replace("wallet:read", "wallet:read_write"))
    for scope in ("trade:read_write", "account:read_write"):
        with pytest.raises(StartRefusedError, match=f"lacks {scope}"):
            check_scope(GOOD.replace(scope, scope.replace("read_write", "read")))


@pytest.mark.parametrize("change", ["key", "fast", "slow"])
def test_the_start_is_refused_over_the_wire(change: str) -> None:
    """The exchange grants every scope, withdrawals too; its clock is this machine's."""
    async def main() -> str:
        server = await serve(SimConfig(market=SmallMarket(), http=False, host="localhost"))
        off_ms = {"key": 0, "fast": CLOCK_OFFSET_MAX_MS + 200, "slow": -CLOCK_OFFSET_MAX_MS - 200}
        maker = Maker(server, strict_key=change == "key", stop_deadline_s=0.2,
                      wall_ms=lambda: server.clock() // 1_000_000 + off_ms[change])
        with pytest.raises(StartRefusedError) as caught:
            await maker.client.run()
        await server.stop()
        return str(caught.value)

    told = asyncio.run(main())
    assert ("may withdraw" if change == "key" else "chrony") in told


def test_without_cancel_on_disconnect_there_is_no_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The venue takes the request and says afterwards that it is off."""
    monkeypatch.setattr(Trading, "get_cancel_on_disconnect",
                        lambda *_: {"scope": "connection", "enabled": False})

    async def main() -> tuple[str, int]:
        server = await serve(SimConfig(market=SmallMarket(), http=False, host="localhost"))
        maker = Maker(server, stop_deadline_s=0.2)
        with pytest.raises(StartRefusedError) as caught:
            await maker.client.run()
        await server.stop()
        return str(caught.value), maker.market.orders_new

    told, sent = asyncio.run(main())
    assert "does not confirm cancel-on-disconnect" in told
    assert sent == 0


def test_reconnects_wait_longer_and_longer_never_in_step() -> None:
    """Back-off: doubled to its limit, at least half of it, and the same for the same seed."""
    async def pauses(seed: int) -> list[float]:
        server = await serve(SimConfig(market=SmallMarket(), http=False, host="localhost"))
        maker = Maker(server, backoff_min_s=0.1, backoff_max_s=30.0)
        maker.client._rng = random.Random(seed)
        found = [maker.client._backoff_s(n) for n in range(12)]
        await server.stop()
        return found

    one, again, other = (asyncio.run(pauses(seed)) for seed in (1, 1, 2))
    assert one == again != other
    for n, pause_s in enumerate(one):
        longest = min(30.0, 0.1 * 2**n)
        assert longest / 2 <= pause_s <= longest
    assert ClientConfig(url="", client_id="", client_secret="").dead_after_s == 3.0
