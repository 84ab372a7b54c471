"""Keys of the venue's own hours: the daily settlement, and the end of a dated contract."""

from typing import Annotated

from runner.key_types import Section, key


class Expiry(Section, frozen=True):
    """`[expiry]`: a dated contract near its end."""

    min_days: Annotated[float, key("days",
        "A contract chosen by rule has at least this long to go.", 0.0, 1000.0, core=False)] = 7.0
    wind_down_h: Annotated[float, key("h",
        "Adding sizes shrink from here on, and a rule chooses the next contract.",
        0.0, 8760.0, running=True)] = 48.0
    out_before_h: Annotated[float, key("h",
        "Nothing adds any more; 8 is the start of the expiry day.",
        0.0, 8760.0, running=True)] = 8.0
    flatten: Annotated[bool, key("",
        "What is left from out_before_h on is closed in slices, as a stop closes; else it is "
        "quoted out, and the rest delivered.", running=True)] = True
    standby: Annotated[bool, key("",
        "The contract a rule will choose next is followed too, and grows as the one before it "
        "winds down.", core=False)] = True


class Settlement(Section, frozen=True):
    """`[settlement]`: the venue settles daily at 08:00 UTC."""

    pull_before_s: Annotated[float, key("s",
        "No order rests from this long before.", 0.0, 3600.0, running=True)] = 15.0
    resume_after_s: Annotated[float, key("s",
        "Nor until this long after it, and after the contract is open again.",
        0.0, 3600.0, running=True)] = 10.0
