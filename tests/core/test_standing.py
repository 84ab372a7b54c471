"""What a decision or a tick need not look at again: with and without it the same bytes leave."""

import random
from collections.abc import Callable

import pytest
from desk import MS, SECOND, Desk, Sent
from pair_desk import MIDS, PairDesk, is_take

from mmcore.types import ControlKind

STEPS = 500
LIVELY = {
    "quote.levels": 3.0, "quote.size_btc": 0.02, "orders.unknown_ms": 1e6,
    "quote.base_half_spread_bps": 0.3, "quote.min_half_spread_bps": 0.0, "quote.fee_floor": 0.0,
    "quote.min_half_spread_usd": 0.5, "orders.requote_bps": 0.1, "orders.retreat_bps": 0.1,
    "orders.refresh_s": 0.2}
SETTINGS: dict[str, dict[str, float]] = {
    "plain": {},
    "steps ahead": {"quote.placement": 2.0, "quote.undercut_per_min": 30.0,
                    "quote.undercut_delta_bps": 5.0},
    "by regime": {"quote.placement": 4.0, "quote.undercut_per_min": 6.0,
                  "quote.undercut_delta_bps": 5.0, "signals.regime": 1.0},
    "reacts": {"orders.post_fill_hold_ms": 300.0, "orders.momentum_bps": 1.0,
               "orders.pull_trade_usd": 50_000.0, "inventory.fills_in_row_pause": 3.0,
               "cover.trigger_bps": 0.5, "signals.top_rate_max": 5.0,
               "signals.imbalance_threshold": 0.3},
    "grows old": {"orders.stale_s": 0.3, "orders.stale_trades": 3.0, "orders.otv_brake": 1.0},
    "limited": {"risk.day_soft_btc": 2e-5, "risk.day_kill_btc": 1e-3, "risk.stop_loss_btc": 5e-5,
                "risk.stop_move_pct": 0.05, "risk.throttle_fills": 3.0, "risk.edge_gate": 1.0,
                "risk.edge_fills": 2.0, "risk.max_leverage": 2.0},
    "pays funding": {"funding.model": 1.0, "quote.funding_hold_s": 7_200.0,
                     "funding.high_rate_8h": 0.0005, "funding.target_max_btc": 0.05},
    "thin": {"quote.drought_depth_share": 0.8, "quote.latency_z": 1.0, "quote.micro_price": 1.0,
             "quote.imbalance_shift_bps": 0.5, "quote.flow_shift_bps": 0.5,
             "quote.ofi_shift_bps": 0.5}}
TURNED = ("quote.size_btc", "inventory.limit_btc", "quote.base_half_spread_bps")


class Storm:
    """One market, moved at random; nothing but the seed decides what happens to it."""

    def __init__(self, seed: int, changes: dict[str, float], *, anew: bool) -> None:
        self.rng = random.Random(seed)
        self.anew = anew
        self.desk = Desk({**LIVELY, **changes})
        self.desk.control(ControlKind.CONTROL_WALL_OFFSET, value=1_770_019_100 * SECOND)
        self.desk.control(ControlKind.CONTROL_EQUITY, real=0.5)
        self.mid = 150_000              # in half dollars
        self.sent: list[Sent] = []
        self.stood = self.fills = 0

    def decide(self) -> None:
        """Tick or turn, on what is known or anew; the venue answers most of it."""
        if self.anew:
            self.desk.engine.forget()
        actions = self.desk.timer() if self.rng.random() < 0.4 else self.desk.turn()
        self.stood += self.desk.market.stands
        self.sent += actions
        for action in actions:
            if action["kind"] == "ACTION_CANCEL_ALL":
                continue
            if is_take(action):
                self.desk.fill(action, action["amount_contracts"])
                self.desk.cancelled(action["slot"], action["generation"],
                                    filled=action["amount_contracts"])
            elif self.rng.random() < 0.05:
                self.desk.refuse([action], 10009)
            else:
                self.desk.accept([action])

    def move(self) -> None:
        """A step of the touch, or only of what rests far behind it."""
        desk, rng = self.desk, self.rng
        if rng.random() < 0.3:
            step = rng.choice((-3, -1, 1, 3))
            gone = [(self.mid - 1, 0)], [(self.mid + 1, 0)]
            self.mid += step
            desk.delta([*gone[0], (self.mid - 1, rng.randint(1, 9) * 100)],
                       [*gone[1], (self.mid + 1, rng.randint(1, 9) * 100)])
        else:
            far = rng.randint(20, 200)
            desk.delta([(self.mid - far, rng.randint(0, 50))], [(self.mid + far, 7)])

    def step(self) -> None:
        """One event at most, and a decision."""
        desk, rng = self.desk, self.rng
        desk.wait(rng.choice((0, 1, 7, 40)))
        kind = rng.random()
        if kind < 0.55:
            self.move()
        elif kind < 0.65:
            desk.ticker(mark=0.5 * self.mid + rng.choice((0.0, 0.5)))
        elif kind < 0.75:
            desk.face.trade(0, rng.randrange(2), self.mid + rng.choice((-1, 1)),
                            rng.choice((10, 900, 6_000)), desk.now_ns,
                            timestamp_ms=desk.now_ns // MS)
        elif kind < 0.8:
            rows = [r for r in desk.market.orders.rows()
                    if r["slot"] < 20 and r["state"] == "ORDER_LIVE"]
            if rows:
                row = rng.choice(rows)
                desk.fill(row | {"market": 0}, row["amount_contracts"] - row["filled_contracts"])
                desk.cancelled(row["slot"], row["generation"], filled=row["amount_contracts"])
                self.fills += 1
        elif kind < 0.81:
            desk.engine.configure(rng.choice(TURNED), rng.choice((0.01, 0.05, 0.2)))
        self.decide()


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("run", range(3))
def test_a_decision_that_stands_is_the_one_made_anew(
        name: str, run: int, figure: Callable[[str], None]) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")       # shown where anything fails
    kept, anew = (Storm(seed, SETTINGS[name], anew=anew) for anew in (False, True))
    for i in range(STEPS):
        kept.step()
        anew.step()
        assert kept.sent == anew.sent, f"seed {seed}, step {i}"
    assert kept.desk.market.why() == anew.desk.market.why(), f"seed {seed}"
    assert kept.desk.engine.limits.figures() == anew.desk.engine.limits.figures(), f"seed {seed}"
    assert anew.stood == anew.desk.engine.still_turns == 0
    assert kept.sent
    still = kept.desk.engine.still_turns
    figure(f"{name}: {kept.stood} of {STEPS} decisions stood, {still} whole, "
           f"{len(kept.sent)} actions, "
           f"{kept.fills} fills (seed {seed})")


def test_most_quiet_decisions_stand() -> None:
    storm = Storm(1, {}, anew=False)
    for _ in range(STEPS):
        storm.step()
    assert storm.stood > STEPS // 5
    assert storm.desk.engine.still_turns > STEPS // 25


def test_what_the_clock_alone_changes_is_never_still() -> None:
    for changes in ({"quote.flow_shift_bps": 0.5}, {"quote.ofi_shift_bps": 0.5},
                    {"quote.flow_widen_bps": 0.5}, {"funding.model": 1.0}):
        storm = Storm(1, changes, anew=False)
        for _ in range(STEPS):
            storm.step()
        assert storm.desk.engine.still_turns == 0


def test_a_pair_that_trades_leaves_no_ladder_standing() -> None:
    """Pairs and hedges put their own quotes in a ladder's place: none is kept meanwhile."""
    desk = PairDesk({"basis.enabled": 1.0})
    for i in range(20):
        desk.move(*(m + i % 3 for m in MIDS))
        desk.step()
        assert not any(market.stands for market in desk.engine.markets)
