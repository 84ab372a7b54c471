"""The reference book: a dict per side, fed with the payloads as text."""

import json

NOTIFIED = b'"method":"subscription","params":{"channel":"book.'


class DictBook:
    """Price -> amount per side, from the snapshots and changes of one instrument."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sides: tuple[dict[float, float], dict[float, float]] = ({}, {})
        self.messages = 0
        self.changes = 0
        self.change_id = 0

    def take(self, payload: bytes) -> None:
        """Apply one payload; anything but this instrument's book is passed over."""
        if NOTIFIED not in payload[:120]:
            return
        data = json.loads(payload)["params"]["data"]
        if data["instrument_name"] != self.name:
            return
        self.messages += 1
        if data["type"] == "snapshot":
            self.sides = ({}, {})
        else:
            assert data["prev_change_id"] == self.change_id, "the chain is broken"
            self.changes += 1
        self.change_id = data["change_id"]
        for side, rows in zip(self.sides, (data["bids"], data["asks"]), strict=True):
            for action, price, amount in rows:
                if action == "delete":
                    del side[price]
                else:
                    side[price] = amount

    def levels(self) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
        """Return (price, amount) rows, best first."""
        bids, asks = self.sides
        return sorted(bids.items(), reverse=True), sorted(asks.items())
