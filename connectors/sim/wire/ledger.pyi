"""Python face of what was booked: rows of an account."""

from collections.abc import Sequence
from typing import final

from connectors.sim.wire.bookings import Booking

@final
class Ledger:
    def bookings(self, account: int) -> Sequence[Booking]: ...
