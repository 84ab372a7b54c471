"""Whatever is filled, in whatever order: the net worst case stays inside the net limit."""

import random
from collections.abc import Callable

import pytest
from pair_desk import MIDS, PairDesk, is_take

from mmcore.types import MarketState

LIMIT_BTC = 0.3
STEPS = 400
# a price that falls by 1 % makes contracts 1 % more BTC: no order was sent for that
PRICE_SHARE = 1.02


def worst_btc(desk: PairDesk) -> float:
    """Return the largest absolute net that orders which may still fill can lead to."""
    rows = [desk.face.market_state(i) for i in range(3)]
    net = sum(float(r["position_btc"]) for r in rows)
    return max(net + sum(float(r["worst_bid_btc"]) for r in rows),
               sum(float(r["worst_ask_btc"]) for r in rows) - net, abs(net))


class Storm:
    """Random moves, fills, refusals, halts and answers that do not come."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.desk = PairDesk({
            "basis.enabled": 1.0, "hedge.trigger_btc": 0.12, "hedge.release_btc": 0.05,
            "hedge.passive_s": 0.3, "hedge.cooldown_s": 0.1, "basis.leg_timeout_ms": 300.0,
            "hedge.choice": float(self.rng.randrange(2)),
            "basis.leg_action": float(self.rng.randrange(2)),
            "basis.size_btc": 0.03, "quote.size_btc": 0.05, "quote.levels": 3.0,
            "quote.fee_floor": 0.0, "inventory.limit_btc": LIMIT_BTC,
            "inventory.gross_limit_btc": 0.9, "preference.enabled": 1.0,
            "risk.max_open_orders": 100.0, "funding.target_max_btc": 0.05})
        self.offsets = [0.0, 0.0, 0.0]
        self.fills = 0
        self.widest = 0.0
        self.pending: list[dict[str, object]] = []

    def step(self) -> None:
        rng, desk = self.rng, self.desk
        if rng.random() < 0.5:
            self.offsets = [max(-600.0, min(600.0, x + rng.gauss(0.0, 25.0)))
                            for x in self.offsets]
            desk.move(*[round(2 * (m + x)) / 2 for m, x in zip(MIDS, self.offsets, strict=True)])
        if rng.random() < 0.02:
            desk.halt(rng.randrange(3), rng.choice(
                [MarketState.MARKET_HALTED, MarketState.MARKET_OPEN]))
        for market in range(3):
            for row in desk.of(market).orders.rows():
                if row["slot"] < 20 and row["worst_contracts"] > 0 and rng.random() < 0.1:
                    amount = rng.randint(1, row["worst_contracts"])
                    left = row["worst_contracts"] - amount
                    desk.fill({**row, "market": market}, amount)
                    self.fills += 1
                    if left == 0:
                        desk.cancelled(row["slot"], row["generation"], market=market,
                                       filled=row["amount_contracts"])
        desk.wait(rng.choice((5, 50, 300)))
        for i in range(3):
            desk.face.ticker(i, desk.now_ns, mark=MIDS[i] + self.offsets[i],
                             index=MIDS[0] + self.offsets[0],
                             current_funding=rng.choice((0.0, 0.0008, -0.0008)),
                             state=desk.face.market_state(i)["state"])
        sent = [*self.pending, *desk.timer()]
        self.pending = []
        for action in sent:
            chance = rng.random()
            if action["kind"] == "ACTION_CANCEL" and not any(
                    r["slot"] == action["slot"] for r in desk.of(action["market"]).orders.rows()):
                continue            # filled before its cancel was answered, and never answered
            if chance < 0.1:
                self.pending.append(action)             # the answer comes later
            elif chance < 0.15:
                desk.refuse([action], 10009)
            elif is_take(action):
                desk.done(action, rng.randint(0, action["amount_contracts"]))
                self.fills += 1
            else:
                desk.accept([action])
        self.widest = max(self.widest, worst_btc(desk))


@pytest.mark.parametrize("run", range(12))
def test_no_sequence_of_fills_leaves_the_net_limit(run: int, figure: Callable[[str], None]) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")       # shown where anything fails
    storm = Storm(seed)
    for _ in range(STEPS):
        storm.step()
        assert storm.widest <= LIMIT_BTC * PRICE_SHARE, f"seed {seed}"
    figures = storm.desk.engine.hedge.figures()
    assert storm.fills > 50, f"seed {seed}"
    figure(f"{storm.fills} fills, widest net worst case {storm.widest:.4f} of {LIMIT_BTC} BTC, "
           f"{figures['hedges']} hedges, {storm.desk.engine.pairs.opened} clips of pairs "
           f"(seed {seed})")
