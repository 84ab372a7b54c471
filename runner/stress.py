"""What a large move would cost the worst position the limits allow: told at the start."""

import logging
from typing import NamedTuple

from runner.config import Config

log = logging.getLogger("mm.risk")
MOVES = (0.05, 0.10, 0.20)


class Stress(NamedTuple):
    """One move against a full position; BTC, negative: lost."""

    share: float
    long_btc: float         # the price falls by so much
    short_btc: float        # it rises


def stresses(limit_btc: float) -> list[Stress]:
    """Return what each move costs; the contract is inverse, so a fall costs a long more."""
    return [Stress(s, limit_btc * (1.0 - 1.0 / (1.0 - s)), limit_btc * (1.0 / (1.0 + s) - 1.0))
            for s in MOVES]


def stress_lines(config: Config, equity_btc: float) -> list[str]:
    """Say what each move costs at inventory.limit_btc, and which rule it would reach."""
    lines = []
    for move in stresses(config.inventory.limit_btc):
        worst = -min(move.long_btc, move.short_btc)
        reached = [name for name, limit in (
            ("risk.stop_loss_btc", config.risk.stop_loss_btc),
            ("risk.day_kill_btc", config.risk.day_kill_btc), ("the whole equity", equity_btc))
            if 0.0 < limit <= worst]
        lines.append(
            f"stress {move.share:.0%}: a long of {config.inventory.limit_btc:g} BTC loses "
            f"{-move.long_btc:.4f}, a short {-move.short_btc:.4f} BTC; reaches "
            f"{' and '.join(reached) or 'no rule'}")
    return lines


def say_stress(config: Config, equity_btc: float) -> None:
    for line in stress_lines(config, equity_btc):
        log.info("%s", line)
