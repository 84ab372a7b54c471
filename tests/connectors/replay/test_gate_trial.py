"""Half a million random proposals: nothing passes outside a limit, and every check bites."""

from connectors.replay.gate_trial import VERDICTS, GateTrial

SEED = 20261122
BITE = {"GATE_STATE", "GATE_COLLAR", "GATE_BAND", "GATE_ORDER_SIZE", "GATE_POSITION", "GATE_NET",
        "GATE_OPEN_ORDERS", "GATE_DUPLICATE", "GATE_SELF_CROSS", "GATE_LOT", "GATE_GROSS",
        "GATE_LEVERAGE", "GATE_MARGIN", "GATE_RATE", "GATE_REDUCE", "GATE_FAT_FINGER"}


def test_nothing_passes_outside_a_limit() -> None:
    found = GateTrial(SEED).run(500_000)
    assert found["violations"] == dict.fromkeys(VERDICTS, 0), f"seed {SEED}"
    assert found["passed"] > 20_000, f"seed {SEED}"
    assert set(found["refused"]) == BITE, f"seed {SEED}"
