"""The contracts of a session: those chosen, those that follow them, those that leave.

A contract chosen by rule is kept until it is delivered. The one its rule will choose then is
followed from the start, as a standby, so that its book is warm when its turn comes.
"""

from collections.abc import Sequence

import msgspec

from connectors.deribit.instruments import FRONT, PERPETUAL, RULES, resolve_one
from connectors.deribit.messages import InstrumentData

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
SETTLEMENT_MS = 8 * HOUR_MS     # of the day, UTC
PAUSE_MS = 120_000              # a start so soon after the settlement costs no quotes
OWN_EXPIRY = 0
PLACES_MAX = 16                 # markets of one engine


class Choice(msgspec.Struct, frozen=True):
    """How contracts are chosen. least_h: one that `front` chooses anew has this long to go."""

    names: tuple[str, ...]
    least_h: float = 48.0
    standby: bool = True
    inverse: bool = True


class Place(msgspec.Struct, frozen=True):
    """One contract of a session, and what for; places and markets have the same numbers."""

    data: InstrumentData
    entry: int                  # of [[instrument]]; -1: of none, only a position is left in it
    predecessor: int = -1       # place that it waits for; -1: none
    rolls_ms: int = OWN_EXPIRY  # when its place is taken, where that is before it expires

    @property
    def name(self) -> str:
        return self.data.instrument_name


class Roster(msgspec.Struct, frozen=True):
    """Who is in a session, by market."""

    choice: Choice
    places: tuple[Place, ...]
    going_on: bool = False      # from a session that ended for this one

    def chosen(self, now_ms: int) -> tuple[str, ...]:
        """Return by entry which contract stands for it now; "" where it is over."""
        return tuple(next((p.name for p in sorted(self.places, key=lambda p: p.predecessor)
                           if p.entry == entry and alive(p.data, now_ms)), "")
                     for entry in range(len(self.choice.names)))

    def over(self, listed: Sequence[InstrumentData], now_ms: int) -> set[int]:
        """Return the places whose contract has expired, or is not listed any more."""
        names = {data.instrument_name for data in listed}
        return {number for number, place in enumerate(self.places)
                if place.name not in names or not alive(place.data, now_ms)}


def alive(data: InstrumentData, now_ms: int) -> bool:
    """Say whether a contract is before its expiry."""
    return data.settlement_period == PERPETUAL or data.expiration_timestamp > now_ms


def make_roster(choice: Choice, listed: Sequence[InstrumentData], now_ms: int, *,
                before: Sequence[str] = (), held: Sequence[str] = ()) -> Roster:
    """Choose who is in a session.

    before: by entry, who stood for it in the session that this one goes on from; then an entry
    whose contract is over is left out. held: contracts with a position of ours; one that nobody
    chooses any more is followed as well, to work it off. Raises ValueError where an entry has no
    contract, or none has one any more.
    """
    chosen = choose(choice, listed, now_ms, before)
    places = [Place(data, entry) for entry, data in enumerate(chosen) if data is not None]
    if not places:
        raise ValueError(f"no instrument is left of {', '.join(choice.names)}")
    if choice.standby:
        add_standbys(places, choice, listed, now_ms, chosen)
    there = {place.name for place in places}
    places += [Place(open_again(data), -1, rolls_ms=1) for data in listed
               if data.instrument_name in held and data.instrument_name not in there
               and data.kind == "future" and alive(data, now_ms)]
    return Roster(choice, tuple(places[:PLACES_MAX]), bool(before))


def choose(choice: Choice, listed: Sequence[InstrumentData], now_ms: int,
           before: Sequence[str]) -> list[InstrumentData | None]:
    """Return by entry who stands for it; names come before rules, and no contract twice."""
    going_on = bool(before)
    known = [open_again(data) if data.instrument_name in before else data
             for data in listed if alive(data, now_ms)]
    found: dict[str, int] = {}
    chosen: list[InstrumentData | None] = [None] * len(choice.names)
    for entry in sorted(range(len(choice.names)), key=lambda i: choice.names[i] in RULES):
        name = choice.names[entry]
        mine = before[entry] if entry < len(before) else ""
        try:
            data = kept_front(mine if name == FRONT else "", known, now_ms, choice.least_h) or (
                resolve_one(name, known, now_ms, choice.least_h, choice.inverse))
            other = found.get(data.instrument_name)
            if other is not None:
                # two rules may come to mean one contract, one of them in time
                if not going_on and (name == PERPETUAL or choice.names[other] == name or not {
                        name, choice.names[other]} < set(RULES)):
                    raise ValueError(
                        f"instruments {choice.names[other]!r} and {name!r} are the same contract, "
                        f"{data.instrument_name}; drop one of them")
                data = resolve_one(name, [d for d in known if d.instrument_name not in found],
                                   now_ms, choice.least_h, choice.inverse)
        except ValueError:
            if not going_on:
                raise
            rest = [d for d in known if d.instrument_name == mine and mine not in found]
            if not rest:
                continue
            data = rest[0]      # nothing better for the rule: it goes on with what it has
        found[data.instrument_name] = entry
        chosen[entry] = data
    return chosen


def kept_front(name: str, known: Sequence[InstrumentData], now_ms: int,
               least_h: float) -> InstrumentData | None:
    """Return the front contract of before while only its nearness to its end speaks against it."""
    limit_ms = now_ms + int(least_h * HOUR_MS)
    return next((data for data in known if data.instrument_name == name
                 and data.expiration_timestamp <= limit_ms), None)


def add_standbys(places: list[Place], choice: Choice, listed: Sequence[InstrumentData],
                 now_ms: int, chosen: Sequence[InstrumentData | None]) -> None:
    """Append who comes at the next delivery that brings somebody new, behind whom they replace."""
    names = [data.instrument_name if data is not None else "" for data in chosen]
    for end_ms in sorted({d.expiration_timestamp for d in listed
                          if d.settlement_period != PERPETUAL and d.expiration_timestamp > now_ms}):
        then = choose(choice, listed, end_ms, names)
        later = {data.instrument_name for data in then if data is not None}
        come = [(entry, data) for entry, data in enumerate(then)
                if data is not None and data.instrument_name not in names]
        going = [number for number, place in enumerate(places) if place.name not in later]
        if not come or not going:
            continue
        for entry, data in come:
            if not going or len(places) == PLACES_MAX:
                return
            number = next((n for n in going if places[n].entry == entry), going[0])
            going.remove(number)
            ends_ms = places[number].data.expiration_timestamp
            places[number] = msgspec.structs.replace(
                places[number], rolls_ms=OWN_EXPIRY if ends_ms == end_ms else end_ms)
            places.append(Place(data, entry, predecessor=number))
        return


def open_again(data: InstrumentData) -> InstrumentData:
    """Take a contract as tradable: what is only halted or locked is followed on."""
    return msgspec.structs.replace(data, is_active=True)


def new_places(roster: Roster, wanted: Roster, over: set[int], now_ms: int) -> list[Place]:
    """Return the places a session lacks and should take up now; none while that would cost quotes.

    A contract that stands for an entry whose own is over is taken up at once; one that is only to
    be followed, or that a rule prefers to one that goes on, after the next settlement.
    """
    mine = {place.name: place for place in roster.places}
    lacking = [place for place in wanted.places if place.entry >= 0 and (
        place.name not in mine or mine[place.name].entry < 0)]
    empty = {roster.places[number].entry for number in over
             if roster.places[number].predecessor < 0}
    since_ms = (now_ms - SETTLEMENT_MS) % DAY_MS
    if since_ms < PAUSE_MS or any(p.predecessor < 0 and p.entry in empty for p in lacking):
        return lacking
    return []
