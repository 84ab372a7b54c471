"""Labels: what is written is what is read, and nothing else is ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.deribit.labels import LabelOwner, Labels

LABELS = Labels("mm", run=0x1234ABCD, config=0xFEED0001)


def test_format() -> None:
    assert LABELS.write(3, 0x17, 0xABCDE) == "mm1234abcd-317-0abcde-feed0001"
    assert len(Labels("a" * 12, run=0).write(0, 0, 1)) == 40  # the venue allows 64


@given(st.integers(0, 15), st.integers(0, 23), st.integers(0, 0xFFFFFF),
       st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True))
def test_round_trip(market: int, slot: int, generation: int, prefix: str) -> None:
    labels = Labels(prefix, run=7, config=9)
    parsed = labels.parse(labels.write(market, slot, generation))
    assert parsed == (LabelOwner.LABEL_OURS, market, slot, generation)
    other = Labels(prefix, run=8, config=9).parse(labels.write(market, slot, generation))
    assert other == (LabelOwner.LABEL_OTHER_RUN, market, slot, generation)


@pytest.mark.parametrize("text", [
    "", "mm", "web", "MM1234abcd-317-0abcde-feed0001", "mm1234abcd-317-0abcde-feed000",
    "mm1234abcd-317-0abcde-feed00011", "mm1234abcX-317-0abcde-feed0001",
    "mm1234abcd-318-0abcde-feed0001", "mm1234abcd_317-0abcde-feed0001",
    "mm1234ABCD-317-0abcde-feed0001", "é" * 30, "m\u0000" * 15,
])
def test_foreign(text: str) -> None:
    assert LABELS.parse(text) == (LabelOwner.LABEL_FOREIGN, -1, -1, 0)


@given(st.text(max_size=64))
def test_any_text_is_read(text: str) -> None:
    assert LABELS.parse(text)[0] in set(LabelOwner)


@pytest.mark.parametrize(("prefix", "run"), [("", 1), ("a" * 13, 1), ("a b", 1), ('"', 1),
                                             ("é", 1), ("mm", -1), ("mm", 2**32)])
def test_refused_schemes(prefix: str, run: int) -> None:
    with pytest.raises(ValueError):
        Labels(prefix, run=run)
