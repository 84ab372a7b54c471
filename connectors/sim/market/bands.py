"""What each fact of the synthetic market must lie within, and the recorded figure behind it.

Bands are of the market, not of one hour of it: an hour has some twenty jumps of the price, and its
variance ratios differ from the next hour's by 0.08 (10 s) and 0.24 (60 s) standard deviations. So
they are judged on a mean over several seeds, whose standard error the report states. Over twelve
hours every mean lies at least four of its standard errors inside its band.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Band:
    """Bounds of a fact in the mean over some hours of `normal`."""

    low: float
    high: float
    recorded: str

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


# Deribit means the perpetual's book of 2024-06-01, Binance the inverse perpetual of 2024-08-08.
BANDS = {
    "book messages": Band(55.0, 85.0, "Binance 69"),
    "spread of one tick": Band(0.98, 1.0, "Deribit 0.9997"),
    "touch p10": Band(1_000.0, 6_000.0, "Deribit 2,300"),
    "touch p50": Band(45_000.0, 90_000.0, "Deribit 63,000"),
    "touch p90": Band(160_000.0, 320_000.0, "Deribit 238,000"),
    "depth to level 5": Band(100_000.0, 200_000.0, "Deribit 147,000"),
    "depth to level 10": Band(170_000.0, 310_000.0, "Deribit 235,000"),
    "depth to level 25": Band(450_000.0, 800_000.0, "Deribit 605,000"),
    "distance of level 1": Band(0.25, 0.25, "Deribit 0.25"),
    "distance of level 5": Band(4.0, 8.0, "Deribit 6.0"),
    "distance of level 10": Band(9.0, 15.0, "Deribit 11.75"),
    "distance of level 25": Band(25.0, 37.0, "Deribit 30.5"),
    "mid unmoved in a second": Band(0.85, 0.98, "Deribit 0.946"),
    "mid change in a second": Band(0.2, 0.8, "Deribit 0.38 bp"),
    "kurtosis of it": Band(30.0, 2_000.0, "Deribit over 700"),
    "variance ratio 10 s": Band(0.6, 1.0, "Deribit 0.75"),
    "variance ratio 60 s": Band(0.5, 1.15, "Deribit 0.85"),
    "clustering: |change| lag 1": Band(0.02, 0.10, "Deribit 0.052"),
    "trades": Band(6.5, 10.0, "Binance 8.1"),
    "trade milliseconds": Band(2.3, 3.4, "Binance 2.8"),
    "trade size p50": Band(250.0, 700.0, "Binance 400 USD"),
    "trade size p90": Band(3_500.0, 12_000.0, "Binance 8,100"),
    "trade size p99": Band(25_000.0, 90_000.0, "Binance 44,700"),
    "gap of bursts p50": Band(40.0, 120.0, "Binance 68 ms"),
    "gap of bursts p90": Band(700.0, 1_500.0, "Binance 1,027"),
    "burst sign autocorrelation lag 1": Band(0.44, 0.57, "Binance 0.51"),
    "burst sign autocorrelation lag 2": Band(0.31, 0.46, "Binance 0.38"),
    "burst sign autocorrelation lag 5": Band(0.10, 0.25, "Binance 0.18"),
}
