"""Daily files: their sums, a restart in the middle of a day, and the turn of the day."""

import asyncio
import json
import stat
from pathlib import Path

import pytest
from desk import ASK, BID, Desk

from mmcore.types import ControlKind
from runner.accounts import Accounts, NextTier, day_of, left_behind, volume_text
from runner.control import ControlSocket
from runner.latch import Latch

NOON_S = 20_000 * 86_400 + 12 * 3_600.0
DATE = "2024-10-04"


class Clock:
    def __init__(self) -> None:
        self.now_s = NOON_S

    def __call__(self) -> float:
        return self.now_s


def trade(desk: Desk, side: int, usd: float, contracts: int, fee_e8: int = 100) -> None:
    desk.trade_id += 1
    desk.face.fill(desk.now_ns, market=0, slot=0 if side == BID else 10, generation=77, side=side,
                   price_ticks=round(2 * usd), amount_contracts=contracts, fee_e8=fee_e8,
                   trade_id=desk.trade_id)


def control(desk: Desk):  # type: ignore[no-untyped-def]
    return lambda kind, market=0, value=0, real=0.0: desk.control(kind, market, value, real)


def test_the_session_begins_at_eight() -> None:
    assert day_of(20_000 * 86_400 + 8 * 3_600.0) == (20_000, DATE)
    assert day_of(20_000 * 86_400 + 8 * 3_600.0 - 1)[1] == "2024-10-03"


def test_a_day_adds_up_and_closes(tmp_path: Path) -> None:
    desk, clock = Desk(), Clock()
    accounts = Accounts(tmp_path, desk.engine, clock)
    assert accounts.open(control(desk)) is None
    trade(desk, BID, 74_990.0, 150)
    trade(desk, ASK, 75_010.0, 100)
    clock.now_s += 3_600
    net = accounts.figures().net
    assert net["fills"] == 2
    assert net["volume_usd"] == 2_500.0
    assert net["fees"] == pytest.approx(2e-6)
    assert net["profit"] == pytest.approx(
        1500 / 74_990 - 1000 / 75_010 - 500 / 75_000 - 2e-6, abs=1e-12)
    assert net["profit_usd"] == pytest.approx(net["profit"] * 75_000)
    assert net["btc_per_day"] == pytest.approx(24 * net["profit"])
    assert net["net_bps"] == pytest.approx(1e4 * net["profit_usd"] / 2_500)
    parts = ("capture", "hedge", "drift", "mid_to_mark", "carried", "funding", "unexplained")
    assert sum(net[k] for k in parts) - net["fees"] == pytest.approx(net["profit"], abs=1e-12)


def test_a_restart_continues_the_day(tmp_path: Path) -> None:
    desk, clock = Desk(), Clock()
    accounts = Accounts(tmp_path, desk.engine, clock)
    accounts.open(control(desk))
    trade(desk, BID, 74_990.0, 150)
    desk.ticker(mark=75_100.0)
    desk.timer()
    clock.now_s += 61
    day = accounts.step()
    assert day is not None
    assert accounts.write(day)
    assert json.loads((tmp_path / "accounts" / f"{DATE}.json").read_text())["net"]["fills"] == 1

    again = Desk()
    later = Accounts(tmp_path, again.engine, clock)
    found = later.open(control(again))
    assert found is not None
    again.control(ControlKind.CONTROL_POSITION, value=150, real=74_990.0)
    again.ticker(mark=75_100.0)
    again.timer()
    kept = later.figures()
    assert kept.net["fills"] == 1
    assert kept.net["profit"] == pytest.approx(day.net["profit"], abs=1e-12)
    assert kept.profit_btc == pytest.approx(day.profit_btc, abs=1e-12)
    parts = ("capture", "hedge", "drift", "mid_to_mark", "carried", "funding", "unexplained")
    assert sum(kept.net[k] for k in parts) - kept.net["fees"] == pytest.approx(
        kept.net["profit"], abs=1e-12)
    trade(again, ASK, 75_100.0, 150)
    assert later.figures().net["fills"] == 2


def test_what_a_killed_process_held_is_in_its_file(tmp_path: Path) -> None:
    desk, clock = Desk(), Clock()
    accounts = Accounts(tmp_path, desk.engine, clock)
    accounts.open(control(desk))
    assert left_behind(tmp_path, clock.now_s) == {}
    trade(desk, BID, 74_990.0, 150)
    day = accounts.figures()
    assert accounts.write(day)
    held = left_behind(tmp_path, clock.now_s)["BTC-PERPETUAL"]
    assert held.contracts == 150
    assert held.average_usd == pytest.approx(74_990.0, abs=1e-4)    # of whole 1e-8 BTC
    assert held.trade_seq == desk.engine.markets[0].own_trade_seq
    assert held.since_ms == int(clock.now_s * 1000)
    assert left_behind(tmp_path, clock.now_s + 86_400) == {}        # settled since

    unready = Accounts(tmp_path, Desk().engine, clock)      # killed again before it knows
    unready.open(control(Desk()))
    unready.listens_ms = lambda: 0
    assert unready.figures().held == {"BTC-PERPETUAL": held}


def test_a_new_day_begins_with_nothing(tmp_path: Path) -> None:
    desk, clock = Desk(), Clock()
    accounts = Accounts(tmp_path, desk.engine, clock)
    accounts.open(control(desk))
    trade(desk, BID, 74_990.0, 150)
    clock.now_s += 20 * 3_600
    last = accounts.step()
    assert last is not None
    assert (last.date, last.net["fills"]) == (DATE, 1)
    accounts.write(last)
    today = accounts.figures()
    assert (today.date, today.net["fills"], today.net["profit"]) == ("2024-10-05", 0, 0.0)
    assert today.net["volume_30d_usd"] == 1_500.0


def test_a_damaged_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "accounts").mkdir()
    (tmp_path / "accounts" / f"{DATE}.json").write_text("{")
    assert Accounts(tmp_path, Desk().engine, Clock()).open(control(Desk())) is None


def test_a_disk_that_refuses_stops_nothing(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path, Desk().engine, Clock())
    (tmp_path / "accounts").write_text("no folder")
    assert not accounts.write(accounts.figures())


# ------------------------------------------------------------------ the socket
async def ask(path: Path, line: bytes) -> dict[str, object]:
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(line + b"\n")
    answer = json.loads(await reader.readline())
    writer.close()
    return answer  # type: ignore[no-any-return]


def test_the_socket_answers_its_user_alone(tmp_path: Path) -> None:
    async def talk() -> None:
        desk = Desk()
        latch = Latch(tmp_path)
        server = ControlSocket(tmp_path, desk.engine, latch, control(desk))
        await server.start()
        assert stat.S_IMODE(server.path.stat().st_mode) == 0o600
        assert (await ask(server.path, b'{"command":"status"}'))["state"] == "active"
        paused = await ask(server.path, b'{"command":"pause","reason":"lunch","who":"me"}')
        assert paused["state"] == "paused"
        assert (await ask(server.path, b'{"command":"resume"}'))["state"] == "active"
        assert not (await ask(server.path, b'{"command":"sell"}'))["ok"]
        assert not (await ask(server.path, b"nonsense"))["ok"]
        assert not (await ask(server.path, b'{"command":"unkill","reason":"x"}'))["ok"]
        killed = await ask(server.path, b'{"command":"kill","reason":"smoke","who":"me"}')
        assert killed["state"] == "killed"
        found = latch.read()
        assert found is not None
        assert (found.reason, found.who) == ("smoke", "me")
        await server.stop()
        assert not server.path.exists()

    asyncio.run(talk())


def test_the_next_fee_tier_is_so_far_and_worth_so_much(tmp_path: Path) -> None:
    """By hand: 10,000 USD as maker and 5,000 as taker, from 1.5 / 3.5 to 0 / 3 bps."""
    tier = NextTier(1_000_000.0, 0.0, 3.0)
    found = tier.figures(15_000.0, 10_000.0, 1.5, 3.5, 75_000.0)
    assert found["next_tier_left_usd"] == 985_000.0
    assert found["next_tier_worth_btc"] == pytest.approx((1.5 + 0.25) / 75_000)
    desk, clock = Desk(), Clock()
    accounts = Accounts(tmp_path, desk.engine, clock)
    accounts.open(control(desk))
    trade(desk, BID, 74_990.0, 150)
    assert "away" not in volume_text(accounts.figures().net)
    accounts.tier = tier
    earlier = accounts.figures()
    earlier.date = "2024-09-20"             # two weeks before
    assert accounts.write(earlier)
    net = accounts.figures().net
    assert net["volume_30d_usd"] == 3_000.0
    assert net["next_tier_left_usd"] == 997_000.0
    assert volume_text(net).startswith(
        "volume of 30 days: 3,000 USD; the next fee tier is 997,000 USD away")


def test_a_position_older_than_the_day_is_counted_once_over_a_restart(tmp_path: Path) -> None:
    """Bought at 75,000, worth 75,150 as the day begins; a restart then, and 75,300 at its end."""
    clock = Clock()
    desk = Desk()
    trade(desk, BID, 75_000.0, 1_000)
    desk.ticker(mark=75_150.0)
    accounts = Accounts(tmp_path, desk.engine, clock)
    accounts.open(control(desk))
    clock.now_s += 86_400
    assert accounts.step() is not None              # the day before, as it ended
    accounts.write(accounts.figures())
    again = Desk()
    again.control(ControlKind.CONTROL_POSITION, value=1_000, real=75_000.0)
    again.ticker(mark=75_300.0)
    following = Accounts(tmp_path, again.engine, clock)
    following.open(control(again))
    made = 10_000 / 75_150.0 - 10_000 / 75_300.0
    net = following.figures().net
    assert net["profit"] == pytest.approx(made, abs=1e-10)
    assert net["unrealized"] == pytest.approx(made, abs=1e-10)
