"""Who logged in: the access log of an account, and its channel."""

from __future__ import annotations

from typing import Any

from connectors.sim.wire.broadcast import Broadcast
from connectors.sim.wire.caller import Caller
from connectors.sim.wire.params import Params

FIRST_ID = 243_000
NAMES = ("get_access_log",)


class AccessLog:
    """Logins since the start, newest last. Addresses are not told: everybody is local."""

    def __init__(self, broadcast: Broadcast) -> None:
        self.broadcast = broadcast
        self.count = 0
        self.rows: dict[int, list[dict[str, Any]]] = {}

    def note(self, account: int, t_ns: int) -> None:
        """Note a login that succeeded, and tell those who listen."""
        self.count += 1
        row = {"timestamp": t_ns // 1_000_000, "log": "success", "ip": "127.0.0.1",
               "id": FIRST_ID + self.count, "country": "Local Country", "city": "Local Town"}
        self.rows.setdefault(account, []).append(row)
        self.broadcast.tell_account(account, "user.access_log", row)

    def get_access_log(self, caller: Caller, params: Params, t_ns: int) -> Any:
        offset = params.integer("offset", 0, 0, 1_000_000)
        count = params.integer("count", 10, 1, 1000)
        rows = self.rows.get(caller.account, [])[::-1]
        return {"records_total": len(rows), "data": rows[offset:offset + count]}
