"""A timeline of one session, to be read by a person."""

import re
from collections.abc import Callable

from runner.virtual import MemoryTransport

# What is told of each kind of message; market data would drown the rest.
SILENT = frozenset({"book", "trades", "ticker", "heartbeat", "request:test"})
TOLD = re.compile(
    rb'"(?:label|order_id|price|amount|filled_amount|order_state|trade_id|code|message|'
    rb'instrument_name|cancel_reason|reduce_only|channels|state|maintenance|locked)":'
    rb'(?:"[^"]*"|[^,}\]]*)')


class Trace:
    """Lines of `seconds  who  what`."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self.now_s = now_s
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        """Add what happens to the session itself."""
        self.lines.append(f"{self.now_s():9.4f}  --  {text}")

    def message(self, step: str, payload: bytes, to: MemoryTransport) -> None:
        """Add a message as it is written, before the network has its way with it."""
        if step in SILENT:
            return
        port = to.get_extra_info("peername")[1]
        way = f"{port} ->" if step.startswith("request:") else "<- " + str(
            to.get_extra_info("sockname")[1])
        words = " ".join(found.decode("latin-1").replace('"', "")
                         for found in dict.fromkeys(TOLD.findall(payload)))
        self.lines.append(f"{self.now_s():9.4f}  {way:>8}  {step} {words[:160]}")
