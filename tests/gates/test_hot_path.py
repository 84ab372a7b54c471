"""The hot path touches no Python object: proved by the compiler where it can be."""

import re
from pathlib import Path

import pytest
from compiled import build_kind, line_scores, python_lines, setup_module
from source_tree import ROOT, Source, logical_lines, sources

# Functions the compiler must prove free of Python: noexcept nogil, in the .pxd or the .pyx.
NOGIL: dict[str, tuple[str, ...]] = {
    "mmcore.types": ("request_id_of", "price_usd", "amount_of", "delta_btc", "contracts_of_btc",
                     "ticks_of_price", "contracts_of_amount", "ticks_down", "ticks_up",
                     "lots_down"),
    "mmcore.faults": ("check",),
    "mmcore.stats": ("histogram_record",),
    "mmcore.book": ("apply", "invalidate", "amount_at", "walk"),
    "mmcore.position": ("apply", "entry_signed", "unrealized", "average_usd"),
    "mmcore.orders": ("sent", "on_event", "book_fill", "time_out", "worst_contracts",
                      "worst_btc", "watch",
                      "own_levels"),
    "mmcore.budget": ("available", "spend", "rate_allows"),
    "mmcore.journal": ("append",),
    "mmcore.flow": ("flow_on_trade", "flow_on_touch", "flow_top_rate"),
    "mmcore.volatility": ("vol_update",),
    "mmcore.windows": ("windows_update",),
    "mmcore.calendar": ("calendar_update",),
    "mmcore.regime": ("regime_update",),
    "mmcore.width": ("width_of",),
    "mmcore.signals": ("on_trade", "on_ticker", "update"),
    "mmcore.alpha": ("set_alpha",),
    "mmcore.ladder": ("rung_ticks", "size_factor"),
    "mmcore.reaction": ("react_to_mid", "react_to_fill", "stance_of"),
    "mmcore.ledger": ("record", "mark_out", "learn_edge"),
    "mmcore.statement": ("on_fill", "mark_to", "settle"),
    "mmcore.quote": ("quote_compute",),
    "mmcore.risk": ("assess", "begin", "approve", "admit", "check", "check_state",
                    "check_price", "check_exposure", "release"),
    "mmcore.diff": ("plan",),
    "mmcore.pairing": ("pair",),
    "mmcore.standing": ("same_grounds",),
    "mmcore.hysteresis": ("is_stale", "price_due", "keeps"),
    "mmcore.priority": ("queue_update", "queue_print", "far_up"),
    "mmcore.planning": ("room", "submit", "plan_cancels", "cancel_slot"),
    "mmcore.reduction": ("count_moves", "reduce_stance", "reduction_taken", "set_take"),
    "mmcore.microprice": ("micro_ticks",),
    "mmcore.funding": ("accrue_funding", "funding_target_btc", "funding_side"),
    "mmcore.preference": ("take_preference", "score_of"),
    "mmcore.pairs": ("goes_on", "on_fill", "quote_leg", "even_out", "rest_at_touch", "ask_take",
                     "profit_bps"),
    "mmcore.hedge": ("cost_usd", "on_fill"),
    "mmcore.limits": ("on_fill", "check_day", "set_stress", "plan_exit", "close_out"),
    "mmcore.states": ("to_state", "pause_until", "resume_when_due", "on_reject"),
    "mmcore.market": ("price_for_limits", "measure", "observe", "take_stance"),
    "connectors.deribit.labels": ("write_label", "parse_label"),
    "connectors.deribit.encode": ("write_decimal", "write_action", "frame_text", "encode",
                                  "next_mask"),
    "connectors.deribit.feed": ("market_of",),
    "connectors.deribit.scan": ("scan_book",),
}

# Functions at the edge of Python: {module: {function: line texts that may touch Python}}.
# Any other line of theirs with a score fails.
BOUNDARY: dict[str, dict[str, tuple[str, ...]]] = {}


def signatures(tree: list[Source], module: str, name: str) -> list[str]:
    pattern = re.compile(rf"^(?:cdef|cpdef)\s+[^=(]*\b{name}\s*\(")
    return [line.text.strip() for source in tree if source.module == module
            for line in logical_lines(source.code) if pattern.match(line.text.strip())]


def nogil_complaints(tree: list[Source], listed: dict[str, tuple[str, ...]]) -> list[str]:
    found = []
    for module, names in listed.items():
        for name in names:
            texts = signatures(tree, module, name)
            if not texts:
                found.append(f"{module}.{name} does not exist; mend NOGIL in this gate")
            found += [f"{module}.{name} is not noexcept nogil: {text}" for text in texts
                      if not re.search(r"\)\s*noexcept\s+nogil\s*:?$", text)]
    return found


def test_listed_functions_are_nogil() -> None:
    found = nogil_complaints(sources(".pyx", ".pxd"), NOGIL)
    assert not found, "\n" + "\n".join(found)


def test_build_log_has_no_performance_hint() -> None:
    log = ROOT / "build" / build_kind() / "cython.log"
    assert log.exists(), f"no {log.relative_to(ROOT)}; make build writes it"
    assert setup_module().hints_in(log.read_text()) == []


@pytest.mark.slow
@pytest.mark.parametrize("module", sorted(BOUNDARY) or [None])
def test_boundary_functions_touch_python_where_listed(module: str | None, tmp_path: Path) -> None:
    if module is None:
        return  # the table is still empty
    path = module.replace(".", "/") + ".pyx"
    text = (ROOT / path).read_text()
    scores = line_scores(Path(path), tmp_path, ROOT)
    rows = text.split("\n")
    found = []
    for name, allowed in BOUNDARY[module].items():
        touched = python_lines(Source(path, text), name, scores)
        found += [f"{path}:{n}: {rows[n - 1].strip()}" for n in touched
                  if rows[n - 1].strip() not in allowed]
    assert not found, "\n" + "\n".join(found)


BAD = '''
cdef double scaled(object factor, double x) except? -1.0:
    cdef double y = x * 2.0
    return y * factor


cdef double doubled(double x) noexcept nogil:
    return x * 2.0


def face(double x):
    return scaled(2, doubled(x))
'''


@pytest.mark.slow
def test_gate_sees_python_in_a_function(tmp_path: Path) -> None:
    path = tmp_path / "sample.pyx"
    path.write_text(BAD)
    scores = line_scores(path, tmp_path, tmp_path)
    source = Source("sample.pyx", BAD)
    assert python_lines(source, "scaled", scores) == [4]
    assert python_lines(source, "doubled", scores) == []


def test_gate_sees_a_missing_nogil() -> None:
    tree = [Source("mmcore/a.pyx", "cdef int f() noexcept:\n    return 1\n")]
    assert nogil_complaints(tree, {"mmcore.a": ("f",)})
    assert nogil_complaints(tree, {"mmcore.a": ("g",)})


def test_gate_sees_a_hint() -> None:
    log = ("performance hint: mmcore/a.pyx:1:0: Exception check\n"
           "performance hint: /elsewhere/picows/picows.pxd:1:0: Exception check\n")
    assert setup_module().hints_in(log) == ["mmcore/a.pyx"]
