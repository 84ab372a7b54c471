"""The report of two backtests in a browser: no error, every plot drawn, nothing fetched."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from browser import Browser
from market_file import write_market

from runner.children import python_environment

pytestmark = pytest.mark.slow
MM = (sys.executable, "-P", "-m", "runner")
PLOTS = "document.querySelectorAll('.plotly-graph-div')"
# what a plot shows: traces on canvas or as vectors, each with something in it
DRAWN = f"""[...{PLOTS}].map(plot => ({{
    title: plot.layout.meta,
    traces: plot._fullData.filter(t => t.visible === true).length,
    filled: plot._fullData.filter(t => (t.x || t.y || []).length > 0).length,
    points: plot.calcdata.reduce((sum, trace) => sum + trace.length, 0),
    width: plot.querySelector('svg.main-svg')?.getBoundingClientRect().width || 0,
    height: plot.querySelector('svg.main-svg')?.getBoundingClientRect().height || 0}}))"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two backtests of one market, each with its page, and a page of both."""
    place = tmp_path_factory.mktemp("runs")
    write_market(place / "market.mmev")
    mm(place, "backtest", "market.mmev", "--out", "wide", "--set", "quote.base_half_spread_bps=2")
    mm(place, "backtest", "market.mmev", "--out", "close", "--set", "quote.size_btc=0.015",
       "--set", "quote.base_half_spread_bps=0.3")
    mm(place, "report", "close", "wide", "--out", "both.html")
    return place


def mm(place: Path, *words: str) -> str:
    done = subprocess.run([*MM, *words], cwd=place, env=python_environment(), text=True,
                          capture_output=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def look(place: Path, page: Path, width: int, *, phone: bool) -> list[dict[str, Any]]:
    """Open a page, check it, keep a picture where PICTURES says so, and return its plots."""
    async def opened() -> list[dict[str, Any]]:
        async with Browser(place) as browser:
            await browser.size(width, 900, phone=phone)
            await browser.call("Page.navigate", url=page.as_uri())
            await browser.wait_for(f"document.readyState === 'complete' && {PLOTS}.length > 0", 120)
            await browser.wait_for(f"[...{PLOTS}].every(plot => plot.calcdata)", 120)
            await browser.run("new Promise(done => setTimeout(done, 300))")
            found = json.loads(await browser.run(f"JSON.stringify({DRAWN})"))
            assert browser.errors == []
            # the file and its empty icon: nothing else was asked for
            assert {url.partition(":")[0] for url in browser.requests} <= {"file", "data", "blob"}
            assert await browser.run("document.documentElement.scrollWidth") <= width
            # a phone shows the figures of both runs without being pushed aside
            assert await browser.run("Math.max(...[...document.querySelectorAll('.wide')].slice("
                                     "0, 1).map(d => d.scrollWidth - d.clientWidth))") <= 0
            if "PICTURES" in os.environ:
                shot = Path(os.environ["PICTURES"]) / f"{page.stem}-{width}.png"
                shot.write_bytes(await browser.picture())
            return list(found)

    return asyncio.run(opened())


@pytest.mark.parametrize(("width", "phone"), [(1400, False), (390, True)])
def test_every_plot_is_drawn(folder: Path, tmp_path: Path, width: int, phone: bool) -> None:
    plots = look(tmp_path, folder / "both.html", width, phone=phone)
    titles = [plot["title"] for plot in plots]
    assert titles == [
        "Equity, marked to market, after fees", "Where the profit came from", "Inventory",
        "BTC-PERPETUAL: time in each state", "Order entry latency",
        "BTC-PERPETUAL: our quotes and fills",
        "BTC-PERPETUAL: spread captured and markouts, 95 % intervals",
        "BTC-PERPETUAL: markout after 5 s by regime",
        "BTC-PERPETUAL: signals against the mid's move after them",
        "BTC-PERPETUAL: distance of our best quotes", "BTC-PERPETUAL: sides removed, by reason"]
    for plot in plots:
        assert plot["traces"] > 0, plot
        assert plot["filled"] == plot["traces"], plot
        assert plot["points"] > 0, plot
        assert plot["width"] > min(300, width - 100), plot
        assert plot["height"] > 150, plot


def test_two_runs_stand_beside_each_other(folder: Path) -> None:
    text = (folder / "both.html").read_text()
    head, _, rest = text.partition("<h2>Compared</h2>")
    compared = rest.partition("<h2>Account</h2>")[0]
    assert "<th>close</th><th>wide</th>" in compared
    for name in ("profit, BTC", "BTC-PERPETUAL: spread captured, BTC",
                 "BTC-PERPETUAL: markout 5 s, bps", "quote.base_half_spread_bps",
                 "quote.size_btc"):
        assert f"<td>{name}</td>" in compared, name
    assert "<td>quote.base_half_spread_bps</td><td>0.3</td><td>2.0</td>" in compared
    assert "<td>quote.levels</td>" not in compared              # the same in both
    figures = json.loads((folder / "both.json").read_text())
    assert [f["title"] for f in figures] == ["close", "wide"]
    assert len(head) > 1_000_000                                # the library is in the page


def test_a_backtest_ends_with_its_page(folder: Path) -> None:
    for run in ("wide", "close"):
        assert {"report.html", "report.json", "samples.parquet", "fills.parquet",
                "summary.json"} <= {p.name for p in (folder / run).iterdir()}
    import polars as pl

    # the page that was asked for elsewhere has its tables beside it
    fills = pl.read_parquet(folder / "both-fills.parquet")
    assert len(fills) == len(pl.read_parquet(folder / "close" / "fills.parquet"))
    assert set(fills["instrument"]) == {"BTC-PERPETUAL"}
    assert "alpha_imbalance_usd" in pl.read_parquet_schema(folder / "both-samples.parquet")
