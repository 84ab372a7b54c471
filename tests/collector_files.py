"""Made-up collector files: a seeded market written as the collector writes it."""

import gzip
import json
import random
from pathlib import Path

START_NS = 1_723_075_206_000_000_000    # 2024-08-08 00:00:06 UTC: far from 08:00
MS = 1_000_000


def collector_lines(seconds: int, seed: int, *, inverse: bool = True,
                    per_s: int = 20) -> list[bytes]:
    """Return lines of a session: a snapshot, then diffs, prints and (linear) mark prices.

    The best prices wander by a tick now and then; amounts behind them come and go.
    """
    rng = random.Random(seed)
    symbol = "BTCUSD_PERP" if inverse else "BTCUSDT"
    tick, unit = 0.1, 1.0 if inverse else 0.001
    middle = 600_000
    book: list[dict[int, int]] = [
        {middle - 1 - i: rng.randint(1, 400) for i in range(60)},
        {middle + i: rng.randint(1, 400) for i in range(60)}]
    number, trade, at = 100, 5000, START_NS
    received = START_NS

    def line(stream: str, data: dict[str, object]) -> bytes:
        nonlocal received
        received = max(received, at + rng.randint(1, 9) * 100_000)
        body = json.dumps({"stream": f"{symbol.lower()}@{stream}", "data": data},
                          separators=(",", ":"))
        return f"{received} {body}".encode()

    def rows(levels: dict[int, int]) -> list[list[str]]:
        return [[f"{price * tick:.1f}", f"{amount * unit:.3f}"] for price, amount in levels.items()]

    snapshot = {"lastUpdateId": number, "T": at // MS, "E": at // MS, "symbol": symbol,
                "bids": rows(book[0]), "asks": rows(book[1])}
    lines = [f"{at} {json.dumps(snapshot, separators=(',', ':'))}".encode()]
    for step in range(seconds * per_s):
        at += 1_000_000_000 // per_s
        moved = rng.choice((-1, 0, 0, 0, 1))
        middle += moved
        changes: list[dict[int, int]] = [{}, {}]
        for side in range(2):
            best = middle - 1 if side == 0 else middle
            for price in [p for p in book[side] if (p > best if side == 0 else p < best)]:
                changes[side][price] = 0
                del book[side][price]
            for away in (0, rng.randint(0, 40), rng.randint(0, 40)):
                price = best - away if side == 0 else best + away
                amount = rng.randint(1, 400) if away == 0 else rng.choice((0, rng.randint(1, 400)))
                changes[side][price] = amount
                book[side].pop(price, None)
                if amount:
                    book[side][price] = amount
        before, number = number, number + 3
        lines.append(line("depth@0ms", {
            "e": "depthUpdate", "E": at // MS, "T": at // MS, "s": symbol, "U": before + 1,
            "u": number, "pu": before, "b": rows(changes[0]), "a": rows(changes[1])}))
        if rng.random() < 0.5:
            sold = rng.random() < 0.5
            trade += 1
            price = middle - 1 - (rng.random() < 0.2) if sold else middle + (rng.random() < 0.2)
            lines.append(line("trade", {
                "e": "trade", "E": at // MS, "T": at // MS, "s": symbol, "t": trade,
                "p": f"{price * tick:.1f}", "q": f"{rng.randint(1, 300) * unit:.3f}",
                "X": "MARKET", "m": sold}))
        if not inverse and step % per_s == 0:
            lines.append(line("markPrice@1s", {
                "e": "markPriceUpdate", "E": at // MS, "s": symbol, "p": f"{middle * tick:.2f}",
                "i": f"{middle * tick - 5:.2f}", "P": "0", "r": "0.00010000", "T": 0}))
    return lines


def write_collector(path: Path, seconds: int, seed: int, *, inverse: bool = True) -> Path:
    """Write a session as a gzip file."""
    text = b"\n".join(collector_lines(seconds, seed, inverse=inverse)) + b"\n"
    path.write_bytes(gzip.compress(text, mtime=0))
    return path
