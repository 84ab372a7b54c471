"""Daily accounts in the state folder: written every minute, continued after a restart.

A day is the venue's session, from 08:00 UTC; its file is named by the date it begins on. What a
restart needs of the loss limits is kept in it.
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from connectors.deribit.connection import Held
from mmcore.engine import Engine
from mmcore.types import ControlKind

log = logging.getLogger("mm.accounts")

DAY_STARTS = timedelta(hours=8)
EVERY_S = 60.0
FIRST_S = 5.0
VOLUME_DAYS = 30
SUMS = ("realized", "unrealized", "fees", "funding", "profit", "capture", "hedge", "basis",
        "drift", "adverse", "inventory", "mid_to_mark", "carried", "unexplained", "volume_usd",
        "maker_volume_usd", "rebates", "fills", "maker_fills", "unplanned_takers",
        "planned_takers", "round_trips", "round_trips_won", "round_trip_profit")


class Day(msgspec.Struct):
    """The file of one day. Figures by instrument, in BTC where they are money, and their net."""

    date: str
    number: int
    saved: str
    price_usd: float
    profit_btc: float
    high_btc: float
    settled_btc: float
    trips: int
    hours: float
    net: dict[str, float]
    instruments: dict[str, dict[str, float]]
    held: dict[str, Held] = {}      # what a restart goes on from; empty after a way out


class NextTier(msgspec.Struct, frozen=True):
    """The fee tier after ours: volume of 30 days it takes, and its fees, as the venue publishes."""

    volume_usd: float
    maker_bps: float
    taker_bps: float

    def figures(self, volume_usd: float, maker_usd: float, maker_bps: float, taker_bps: float,
                price_usd: float) -> dict[str, float]:
        """Return how far it is, and what it would save in 30 days of our volume, in BTC."""
        saved_usd = 1e-4 * (maker_usd * (maker_bps - self.maker_bps)
                            + (volume_usd - maker_usd) * (taker_bps - self.taker_bps))
        return {"next_tier_left_usd": max(0.0, self.volume_usd - volume_usd),
                "next_tier_worth_btc": saved_usd / price_usd if price_usd > 0.0 else 0.0}


def day_of(wall_s: float) -> tuple[int, str]:
    """Return number and date of the session a moment belongs to."""
    start = datetime.fromtimestamp(wall_s, UTC) - DAY_STARTS
    return int(start.timestamp()) // 86_400, start.strftime("%Y-%m-%d")


class Accounts:
    """The accounts of one maker; `wall_s` tells the time."""

    def __init__(self, folder: Path, engine: Engine,
                 wall_s: Callable[[], float] = time.time) -> None:
        self.folder = folder / "accounts"
        self.engine = engine
        self.wall_s = wall_s
        self.started_s = self.since_s = wall_s()
        self.number, self.date = day_of(self.started_s)
        self.tier: NextTier | None = None
        self.before: dict[str, dict[str, float]] = {}   # of the day, from earlier runs
        self.start: dict[str, dict[str, float]] = {}    # of this run, as the day began
        self.hours_before = 0.0
        self.held: dict[str, Held] = {}     # at the last write of a process that was killed
        # since when every fill reaches us or is asked for; 0: not yet
        self.listens_ms: Callable[[], int] = lambda: int(self.started_s * 1000)
        self.due_s = self.started_s + FIRST_S

    def open(self, control: Callable[[ControlKind, int, int, float], None]) -> Day | None:
        """Continue the day's file, and tell the engine what the day has been so far.

        control: kind, market, value, real. A file that cannot be read is said and left alone.
        Raises OSError where the folder cannot be made.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        day = self.read(self.date)
        if day is None:
            return None
        self.before = {name: settled(row) for name, row in day.instruments.items()}
        self.hours_before = day.hours
        self.held = day.held
        control(ControlKind.CONTROL_DAY, 0, day.number, day.settled_btc)
        control(ControlKind.CONTROL_DAY_HIGH, 0, day.trips, day.high_btc)
        return day

    def read(self, date: str) -> Day | None:
        """Return one day's file; None where there is none, or none that can be read."""
        path = self.folder / f"{date}.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=Day)
        except FileNotFoundError:
            return None
        except (msgspec.DecodeError, OSError) as error:
            log.error("%s: %s; the day is counted from now", path, error)
            return None

    def figures(self) -> Day:
        """Add up the day: earlier runs, and this one since it or the day began."""
        limits = self.engine.limits.figures()
        price = 0.0
        rows: dict[str, dict[str, float]] = {}
        for name, row, mark in statement_rows(self.engine):
            price = price or mark
            start, before = self.start.get(name, {}), self.before.get(name, {})
            rows[name] = {key: row[key] - start.get(key, 0.0) + before.get(key, 0.0)
                          for key in SUMS}
            rows[name] |= {"open": row["unrealized"], "open_beyond_mid": row["mid_to_mark"]}
        for name, row in self.before.items():           # traded earlier today, not any more
            rows.setdefault(name, dict(row))
        net = {key: sum(row[key] for row in rows.values()) for key in SUMS}
        hours = self.hours_before + (self.wall_s() - self.since_s) / 3600
        net["profit_usd"] = net["profit"] * price
        net["net_bps"] = 1e4 * net["profit_usd"] / net["volume_usd"] if net["volume_usd"] else 0.0
        net["maker_share"] = net["maker_fills"] / net["fills"] if net["fills"] else 0.0
        net["btc_per_day"] = net["profit"] * 24 / hours if hours > 0 else 0.0
        earlier_usd, earlier_maker_usd = self.volume_before()
        net["volume_30d_usd"] = net["volume_usd"] + earlier_usd
        if self.tier is not None:
            spec = self.engine.markets[0].spec_object
            net |= self.tier.figures(
                net["volume_30d_usd"], net["maker_volume_usd"] + earlier_maker_usd,
                1e4 * spec.maker_fee, 1e4 * spec.taker_fee, price)
        for row in rows.values():
            row["profit_usd"] = row["profit"] * price
        return Day(date=self.date, number=self.number, saved=datetime.fromtimestamp(
            self.wall_s(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), price_usd=price,
            profit_btc=limits["day_profit_btc"], high_btc=limits["day_high_btc"],
            settled_btc=limits["day_settled_btc"], trips=limits["day_trips"], hours=hours,
            net=net, instruments=rows, held=self.holdings())

    def holdings(self) -> dict[str, Held]:
        """Return positions and the last trade booked, as one moment with the figures.

        Until this process has its own from the venue, what an earlier one left stands. Before its
        first trade of an instrument it names the time since which it listens: a trade it was not
        told of may have been at any moment since.
        """
        listens_ms, now_ms = self.listens_ms(), int(self.wall_s() * 1000)
        if not listens_ms:
            return self.held
        return {market.name: Held(
            market.position.contracts, market.position.average(market.spec_object),
            market.own_trade_seq, now_ms if market.own_trade_seq else listens_ms)
            for market in self.engine.markets}

    def volume_before(self) -> tuple[float, float]:
        """Volume of the 29 days before this one, from their files, and of it as maker."""
        today = datetime.strptime(self.date, "%Y-%m-%d").replace(tzinfo=UTC)
        days = [self.read((today - timedelta(days=k)).strftime("%Y-%m-%d"))
                for k in range(1, VOLUME_DAYS)]
        kept = [day.net for day in days if day is not None]
        return (sum(net.get("volume_usd", 0.0) for net in kept),
                sum(net.get("maker_volume_usd", 0.0) for net in kept))

    def step(self) -> Day | None:
        """Return the figures to write when they are due; begin a new day where one began."""
        now_s = self.wall_s()
        number, date = day_of(now_s)
        if number != self.number:
            last = self.figures()
            self.number, self.date = number, date
            self.before, self.hours_before, self.since_s = {}, 0.0, now_s
            self.start = {name: row for name, row, _ in statement_rows(self.engine)}
            self.due_s = now_s + EVERY_S
            return last
        if now_s < self.due_s:
            return None
        self.due_s = now_s + EVERY_S
        return self.figures()

    def write(self, day: Day) -> bool:
        """Put a day's file in place of the one before, whole or not at all; False where it fails.

        No failure here stops the maker: it is said, and tried again a minute later.
        """
        path = self.folder / f"{day.date}.json"
        try:
            draft = path.with_suffix(".tmp")
            draft.write_bytes(msgspec.json.format(msgspec.json.encode(day), indent=1) + b"\n")
            draft.replace(path)
        except OSError as error:
            log.error("%s: %s; the accounts of the day are not kept", path, error)
            return False
        return True


def left_behind(folder: Path, wall_s: float) -> dict[str, Held]:
    """Return what a process that was killed today held; empty where none was.

    Only of this session day: the settlement at 08:00 UTC gives positions another entry.
    """
    path = folder / "accounts" / f"{day_of(wall_s)[1]}.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Day).held
    except (FileNotFoundError, msgspec.DecodeError, OSError):
        return {}       # Accounts.open says what is wrong with it


def settled(row: dict[str, float]) -> dict[str, float]:
    """Take what was open out of a row: the next run counts it anew, from the entry on.

    A position older than the day was open at its start, too: it is more than the row has of it.
    """
    open_btc = row.get("open", row["unrealized"])
    beyond_mid = row.get("open_beyond_mid", row["mid_to_mark"])
    kept = dict(row)
    for key, part in (("unrealized", open_btc), ("profit", open_btc), ("mid_to_mark", beyond_mid),
                      ("drift", open_btc - beyond_mid), ("inventory", open_btc - beyond_mid)):
        kept[key] = row[key] - part
    return kept


def statement_rows(engine: Engine) -> list[tuple[str, dict[str, float], float]]:
    """Return (name, figures in BTC, mark) of every instrument since this process began."""
    rows = []
    for market in engine.markets:
        reading = market.signals.read()
        mark = reading["mark_usd"] or reading["reference_usd"]
        parts = market.statement.figures(market.spec_object, mark, market.ledger.adverse_total)
        factor = 1.0 if market.spec_object.inverse else (1.0 / mark if mark else 0.0)
        row = {key: float(value) * factor for key, value in parts.items()}  # type: ignore[arg-type]
        row["inventory"] = row["drift"] - row["adverse"]
        row["rebates"] = market.statement.rebates_e8 * 1e-8 * factor
        row["round_trip_profit"] = market.statement.round_trip_profit * factor
        row.update(
            volume_usd=market.statement.volume_usd,
            maker_volume_usd=market.statement.maker_volume_usd,
            fills=float(market.ledger.fills), maker_fills=float(market.ledger.maker_fills),
            unplanned_takers=float(market.statement.unplanned_takers),
            planned_takers=float(market.statement.planned_takers),
            round_trips=float(market.statement.round_trips),
            round_trips_won=float(market.statement.round_trips_won))
        rows.append((market.name, row, mark))
    return rows


def volume_text(net: dict[str, float]) -> str:
    """Say the volume of 30 days, and what the next fee tier is worth where it is known."""
    text = f"volume of 30 days: {net['volume_30d_usd']:,.0f} USD"
    if "next_tier_left_usd" not in net:
        return text
    return (f"{text}; the next fee tier is {net['next_tier_left_usd']:,.0f} USD away and would "
            f"save {net['next_tier_worth_btc']:+.6f} BTC on it")
