"""Keys of several instruments together: hedging, pairs, funding, and which one is preferred."""

from typing import Annotated, Literal

from runner.key_types import Section, key


class Hedge(Section, frozen=True):
    """`[hedge]`: bring the net exposure back with another contract."""

    enabled: Annotated[bool, key("",
        "Hedge at all. Needs the perpetual and a dated contract, or two dated ones.",
        running=True)] = False
    trigger: Annotated[Literal["net", "cost_benefit", "manual"], key("",
        "net: beyond hedge.trigger_btc. cost_benefit: once the risk of waiting costs more than "
        "the hedge. manual: by `mm ctl hedge` alone.", running=True)] = "net"
    trigger_btc: Annotated[float, key("BTC", "Net exposure that is hedged.",
                                      0.0001, 1000.0, running=True)] = 0.2
    release_btc: Annotated[float, key("BTC", "Net exposure at which a hedge is done.",
                                      0.0, 1000.0, running=True)] = 0.1
    max_clip_btc: Annotated[float, key("BTC", "Largest order of a hedge.",
                                       0.0001, 100.0, running=True)] = 0.05
    passive_s: Annotated[float, key("s",
        "A hedge rests at the touch for so long before it takes; 0: it takes at once.",
        0.0, 3600.0, running=True)] = 3.0
    cooldown_s: Annotated[float, key("s", "Between two clips, and after a hedge.",
                                     0.05, 3600.0, running=True)] = 1.0
    choice: Annotated[Literal["cheapest", "hedge"], key("",
        "cheapest: where fees, spread and basis cost least, closing what is open (a cut) among "
        "it. hedge: always the other contract.", running=True)] = "cheapest"
    horizon_s: Annotated[float, key("s",
        "Expected time until passive fills would bring the exposure back; cost_benefit weighs "
        "its risk.", 1.0, 86400.0, running=True)] = 600.0
    slip_bps: Annotated[float, key("bps", "Expected slippage of taking; cost_benefit counts it.",
                                   0.0, 100.0, running=True)] = 0.5


class Basis(Section, frozen=True):
    """`[basis]`: trade a dated contract against the perpetual, and close matched pairs."""

    enabled: Annotated[bool, key("",
        "Open a pair when the basis leaves its fair value by basis.band_bps.",
        running=True)] = False
    band_bps: Annotated[float, key("bps",
        "Distance of the basis from fair at which both legs are quoted; never less than the fees "
        "of a pair opened and closed plus basis.close_bps.", 0.1, 1000.0, running=True)] = 10.0
    close_bps: Annotated[float, key("bps",
        "Profit after all fees at which a pair, a hedge too, is closed again.",
        -1000.0, 1000.0, running=True)] = 1.0
    size_btc: Annotated[float, key("BTC", "One clip of a pair, each leg.",
                                   0.0001, 100.0, running=True)] = 0.02
    max_btc: Annotated[float, key("BTC", "Largest pair opened for its basis.",
                                  0.0001, 1000.0, running=True)] = 0.1
    leg_timeout_ms: Annotated[float, key("ms",
        "A leg without the other waits so long at the touch, then basis.leg_action.",
        1.0, 3600000.0, running=True)] = 2000.0
    leg_action: Annotated[Literal["take", "cut"], key("",
        "take: the missing leg with an IOC. cut: the filled one back with an IOC. Where one "
        "cannot be had, the other.", running=True)] = "take"
    carry_year: Annotated[float, key("1",
        "Fair basis over the index as a rate a year, weighed by basis.carry_weight.",
        -1.0, 1.0, running=True)] = 0.0
    carry_weight: Annotated[float, key("1",
        "Share of that rate in the fair basis; the rest is the basis's own mean "
        "(signals.basis_half_life_s).", 0.0, 1.0, running=True)] = 0.0


class Funding(Section, frozen=True):
    """`[funding]`: what holding the perpetual costs or earns."""

    model: Annotated[Literal["continuous", "interval"], key("",
        "continuous: paid every moment, as Deribit does. interval: paid at 00, 08 and 16 UTC; for "
        "recordings of other venues, refused on a Deribit one.")] = "continuous"
    high_rate_8h: Annotated[float, key("1",
        "A rate this high moves the whole of funding.target_max_btc and what "
        "[preference] prefers.", 0.000001, 0.1, running=True)] = 0.0005
    min_rate_8h: Annotated[float, key("1", "Rates below move nothing.",
                                      0.0, 0.1, running=True)] = 0.0001
    target_max_btc: Annotated[float, key("BTC",
        "Position leant to on the side that is paid, in proportion to the rate; at most half the "
        "limit, none against a trend; 0: off.", 0.0, 100.0, running=True)] = 0.05
    flatten_before_s: Annotated[float, key("s",
        "With model interval and a high rate: nothing is added on the side that pays from so long "
        "before the payment.", 0.0, 28800.0, running=True)] = 600.0


class Preference(Section, frozen=True):
    """`[preference]`: which instrument is quoted larger."""

    enabled: Annotated[bool, key("",
        "Shift size to the instruments and sides that earn more.", running=True)] = False
    least_factor: Annotated[float, key("1",
        "An instrument that earns nothing keeps this share of its size.",
        0.0, 1.0, running=True)] = 0.25
    hysteresis: Annotated[float, key("1", "A share moves only by steps larger than this.",
                                     0.0, 1.0, running=True)] = 0.2
    funding_factor: Annotated[float, key("1",
        "At a high rate, size of the side that pays: the perpetual's bid and the dated contract's "
        "ask while longs pay.", 0.0, 1.0, running=True)] = 0.5
    dated_in_volatile: Annotated[bool, key("",
        "Whether dated contracts are added to while the perpetual is volatile.",
        running=True)] = False
