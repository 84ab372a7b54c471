"""The books at the end: contracts, fees and profit as the exchange's own account has them."""

from connectors.sim.account import Account
from connectors.sim.exchange import Exchange
from runner.simulation.life import Life

OFF_E12_MAX = 10_000        # 1e-8 BTC
OFF_SETTLED_E12_MAX = 50_000
E4 = 10_000


def judge_books(life: Life, exchange: Exchange, account: Account,
                venue_markets: list[int]) -> str:
    """Say what differs between the maker's books and the account's; nothing where all agrees."""
    settled_e8 = settled(exchange, account.number)
    maker = life.maker
    assert maker is not None
    books = life.books()
    fees = sum(books.fees_e8)
    if fees != account.money()[2]:
        return f"FILLS: fees are {fees} here and {account.money()[2]} at the exchange, in 1e-8 BTC"
    for number, (market, venue) in enumerate(
            zip(maker.engine.markets, venue_markets, strict=True)):
        size, entry, realized_e8, _ = account.position(venue)
        realized_e8 += settled_e8.get(venue, 0)
        position = market.position
        if position.contracts != size:
            return f"FILLS: {market.name} {position.contracts} contracts here, {size} there"
        # What is realised and what is still open depends on the order in which late fills are
        # booked; their sum does not, but for the rounding of each to 1e-8: one that was asked for
        # after another had overtaken it leaves the rounding of both as it would not have been.
        sign = 1 if size > 0 else -1
        off_e12 = ((books.realized_e8[number] - realized_e8) * E4
                   + sign * (position.entry_cost - entry))
        # After a settlement the venue counts from another entry, so each trade rounds differently.
        most_e12 = OFF_SETTLED_E12_MAX if venue in settled_e8 else (
            OFF_E12_MAX * (1 + maker.session.feed.own.recovered))
        if abs(off_e12) > most_e12:
            return f"PROFIT: {market.name} is off by {off_e12 * 1e-12:.12f} BTC"
        if market.orders.invalid_transitions:
            return f"TRANSITION: {market.name} met {market.orders.invalid_transitions}"
    if maker.client.reconciler.mismatches_total:
        return f"RECONCILE: {maker.client.reconciler.mismatches_total} positions differed"
    if maker.session.exceptions:
        return "EXCEPTION: the session caught one"
    return ""


def settled(exchange: Exchange, account: int) -> dict[int, int]:
    """Return what settlements moved to an account's cash by market, 1e-8 BTC, funding apart.

    A settlement's row: time, account, market, delivered, size, price, index, moved, funding …
    """
    moved: dict[int, int] = {}
    for row in exchange.settlements:
        if row[1] == account:
            moved[row[2]] = moved.get(row[2], 0) + row[7] - row[8]
    return moved
