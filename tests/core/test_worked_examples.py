"""Code blocks of the docs, built and run: a signal, a width model and a fill model of one's own."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import connectors
import mmcore

ROOT = Path(__file__).resolve().parents[2]

QUOTES = """
import json
from desk import Desk, params, perpetual
from mmcore.alpha import TERM_NAMES, own_terms
from mmcore.face import Quoter, compute_quotes
from mmcore.width import has_own_model

desk = Desk({"quote.own_1_shift_bps": 1.0, "quote.imbalance_shift_bps": 0})
for i in range(40):         # the touch climbs by a tick each 100 ms
    desk.wait(100)
    desk.ticker()
    desk.delta([(149_999 + i, 0), (150_000 + i, 1000)], [(150_001 + i, 0), (150_002 + i, 1000)])
    desk.turn()
own = compute_quotes(perpetual(), params({"quote.model": 3, "quote.vol_k": 2.0}),
                     reference=75_000.0, vol_usd=9.0)
print(json.dumps({"terms": TERM_NAMES, "own": own_terms(), "model": has_own_model(),
                  "drift": desk.market.why()["alpha_terms_usd"]["drift"],
                  "half_vol_usd": own["half_vol_usd"]}))
"""


def blocks() -> list[str]:
    """Return the code of section 7, in order."""
    text = (ROOT / "docs" / "strategy.md").read_text()
    section = text.partition("## 7. ")[2].partition("\n## 8. ")[0]
    return re.findall(r"```cython\n(.*?)```", section, re.DOTALL)


def test_the_worked_example_builds_and_quotes(tmp_path: Path) -> None:
    contract, body, registration, model = blocks()
    source = tmp_path / "source" / "mmcore"
    shutil.copytree(ROOT / "mmcore", source, ignore=shutil.ignore_patterns("*.c", "__pycache__"))
    (source / "drift.pxd").write_text(contract)
    (source / "drift.pyx").write_text(body)
    for name, added in (("alpha", registration), ("width", model)):
        path = source / f"{name}.pyx"
        path.write_text(path.read_text() + "\n\n" + added)
    installed = tmp_path / "lib" / "mmcore"
    shutil.copytree(Path(mmcore.__path__[0]), installed)
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    for name in ("drift", "alpha", "width"):
        run([sys.executable, "-m", "cython", "-3", "--module-name", f"mmcore.{name}",
             str(source / f"{name}.pyx")], source.parent)
        run(["gcc", "-shared", "-fPIC", "-O0", "-ffp-contract=off",
             f"-I{sysconfig.get_path('include')}", str(source / f"{name}.c"),
             "-o", str(installed / f"{name}{suffix}")], tmp_path)
    path = (str(tmp_path / "lib"), str(Path(mmcore.__path__[0]).parent), str(ROOT / "tests"))
    said = json.loads(run([sys.executable, "-P", "-c", QUOTES], tmp_path,
                          {**os.environ, "PYTHONPATH": os.pathsep.join(path)}))
    assert said["terms"] == ["imbalance", "flow", "ofi", "drift"]
    assert said["own"] == ["drift"]
    assert said["model"] is True
    assert 0.0 < said["drift"] <= 7.6           # 1 bp of about 75,000 USD at full strength
    assert abs(said["half_vol_usd"] - 6.0) < 1e-9   # 2 * sqrt(9)


FILLS = """
from test_queue_models import ahead, floor_of, TICKS, PERP
from exchange_floor import BUY

floor = floor_of(4)                 # 100 before ours, 100 behind
floor.level(PERP, BUY, TICKS, 800)  # 700 behind
floor.level(PERP, BUY, TICKS, 760)  # 40 gone: 20 of them before ours
print(ahead(floor))
"""


def test_the_fill_model_builds_and_fills(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "extending.md").read_text()
    number, rule = re.findall(r"```cython\n(.*?)```", text, re.DOTALL)
    source = tmp_path / "source"
    for package in ("mmcore", "connectors"):
        shutil.copytree(ROOT / package, source / package,
                        ignore=shutil.ignore_patterns("*.c", "__pycache__"))
    model = source / "connectors" / "sim" / "queue.pxd"
    head, last, tail = model.read_text().rpartition("    # Scaled by the larger part")
    changed = head.replace("    QUEUE_KINDS ", f"{number}    QUEUE_KINDS ") + rule + last + tail
    assert changed.count("QUEUE_HALF") == 2
    model.write_text(changed)
    installed = tmp_path / "lib" / "connectors"
    for package in (mmcore, connectors):    # both: the tuned build's library lies in the first
        home = Path(package.__path__[0])
        shutil.copytree(home, tmp_path / "lib" / home.name)
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    made = source / "connectors" / "sim" / "matching"
    run([sys.executable, "-m", "cython", "-3", "--module-name", "connectors.sim.matching",
         f"{made}.pyx"], source)
    run(["gcc", "-shared", "-fPIC", "-O0", "-ffp-contract=off",
         f"-I{sysconfig.get_path('include')}", f"{made}.c",
         "-o", str(installed / "sim" / f"matching{suffix}")], tmp_path)
    path = (str(tmp_path / "lib"), str(Path(mmcore.__path__[0]).parent), str(ROOT / "tests"),
            str(ROOT / "tests" / "connectors" / "sim"))
    said = run([sys.executable, "-P", "-c", FILLS], tmp_path,
               {**os.environ, "PYTHONPATH": os.pathsep.join(path)})
    assert int(said) == 80


def run(command: list[str], place: Path, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True,
                          check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
