"""Who else trades on the embedded exchange: a recording, or seeded makers and takers."""

import time
from collections.abc import Sequence
from pathlib import Path

from connectors.replay.reader import open_recording
from connectors.sim.market.protocol import MAKER_FEE, TAKER_FEE, Follower, Listing, Market
from connectors.sim.market.recorded import RecordedMarket
from connectors.sim.market.synthetic import SyntheticMarket

__all__ = ["Follower", "Listing", "Market", "RecordedMarket", "SyntheticMarket", "open_market"]

FEE_MAX = 0.01


def open_market(data: Sequence[Path | str] = (), *, seed: int = 1, speed: float = 1.0,
                regime: str = "normal", once: bool = False, now_ns: int | None = None,
                maker_fee: float = MAKER_FEE, taker_fee: float = TAKER_FEE,
                ) -> RecordedMarket | SyntheticMarket:
    """Open the market the exchange plays: a recording where files are given, else synthetic.

    data: files of one recording in order of time; seed and regime: of the synthetic market; speed
    divides the gaps between events; once: a recording ends the market when it is over; now_ns:
    the date of the synthetic market's contracts, the machine's where None; fees are fractions of
    notional. Raises ValueError (RecordingError for a damaged file) with one clear line.
    """
    for name, fee in (("maker", maker_fee), ("taker", taker_fee)):
        if not abs(fee) <= FEE_MAX:
            raise ValueError(f"{name} fee {fee * 1e4:g} bps is outside -100 to 100")
    if data:
        return RecordedMarket(open_recording(data), speed=speed, once=once,
                              maker_fee=maker_fee, taker_fee=taker_fee)
    return SyntheticMarket(seed=seed, regime=regime, speed=speed, maker_fee=maker_fee,
                           taker_fee=taker_fee,
                           now_ns=time.time_ns() if now_ns is None else now_ns)
