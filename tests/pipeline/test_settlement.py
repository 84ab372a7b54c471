"""Round the venue's daily settlement the book is empty, and quotes come back."""

import pytest
from virtual_session import VirtualSession

from runner.config import credentials

DAY_S = 86_400
DAY_NS = 1_795_046_400_000_000_000      # 00:00 UTC of a day in November 2026
EIGHT_S = 8 * 3_600


@pytest.mark.parametrize("start", [EIGHT_S - 60, EIGHT_S - 14])
def test_nothing_rests_from_before_the_settlement_until_after_the_reopening(start: int) -> None:
    """Sampled ten times a second, on the exchange's own accounts and clock."""
    resting: dict[int, int] = {}

    def look(session: VirtualSession) -> None:
        assert session.server is not None
        second = session.wall_ns() // 10**9 % DAY_S - EIGHT_S
        client_id = credentials(session.config).client_id
        orders = sum(account.open_orders for account in session.server.exchange.accounts
                     if account.client_id == client_id)
        resting[second] = max(resting.get(second, 0), orders)

    session = VirtualSession(seed=8)
    session.wall_offset_ns = DAY_NS + start * 10**9 - session.now_ns()
    session.run(EIGHT_S + 60 - start, meanwhile=look, every_s=0.1)
    print("most orders by second from 08:00:00:", resting)
    # the second of the pull is shared: cancels need a round trip
    assert {n for second, n in resting.items() if -14 <= second < 10} == {0}
    assert sum(resting[second] for second in range(15, 59)) > 40
    if start < EIGHT_S - 30:
        assert sum(n for second, n in resting.items() if second < -16) > 10
    assert session.verified
