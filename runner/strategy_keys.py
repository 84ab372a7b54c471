"""Keys of the strategy: signals, quotes and cover. docs/strategy.md explains the rules."""

from typing import Annotated, Literal

from runner.key_types import Section, key


class Signals(Section, frozen=True):
    """`[signals]`: what is measured."""

    vol_half_life_s: Annotated[float, key("s", "Half-life of the volatility estimate.",
                                          1.0, 86400.0, sim=20.0, running=True)] = 60.0
    warmup_s: Annotated[float, key("s", "Data needed before the first quote, after a resync too.",
                                   0.0, 3600.0, sim=3.0, running=True)] = 120.0
    imbalance_levels: Annotated[int, key("levels", "Book levels the depth imbalance counts.",
                                         1, 20, running=True)] = 5
    imbalance_threshold: Annotated[float, key("1",
        "Depth imbalance that with a run of trades the same way removes the side against "
        "it; 0: off.", 0.0, 1.0, running=True)] = 0.3
    flow_half_life_s: Annotated[float, key("s",
        "Half-life of the signed taker volume.", 0.05, 3600.0, running=True)] = 5.0
    run_trades: Annotated[int, key("trades",
        "Taker orders in a row, with an up-tick, that make a run; 0: the imbalance alone "
        "is a strong signal.", 0, 1000, running=True)] = 5
    sweep_bps: Annotated[float, key("bps",
        "A taker order printing over this much price is a sweep: everything is pulled; 0:"
        " off.", 0.0, 1000.0, running=True)] = 2.0
    ofi_half_life_s: Annotated[float, key("s",
        "Half-life of the order-flow imbalance of the touch.", 0.05, 3600.0, running=True)] = 1.0
    top_rate_max: Annotated[float, key("1/s",
        "Changes of the best prices a second beyond which quotes widen, at twice as many "
        "are pulled; 0: off.", 0.0, 1000000000.0, sim=400.0, running=True)] = 40.0
    vol_window_s: Annotated[int, key("s",
        "Window of the realised volatility, the range and the drift.", 10, 600, running=True)] = 120
    basis_half_life_s: Annotated[float, key("s",
        "Half-life of the fair basis to the index or the perpetual.",
        1.0, 86400.0, running=True)] = 600.0
    regime: Annotated[bool, key("",
        "Let the market regime scale spread, size and sides.", running=True)] = True
    calm_vol: Annotated[float, key("1",
        "Annualised volatility below which the market is calm; 0: never.",
        0.0, 100.0, running=True)] = 0.15
    volatile_vol: Annotated[float, key("1",
        "Annualised volatility above which it is volatile; 0: never.",
        0.0, 100.0, sim=10.0, running=True)] = 0.8
    trend_z: Annotated[float, key("1",
        "Drift over signals.vol_window_s in standard deviations that is a trend; 0: "
        "never.", 0.0, 100.0, running=True)] = 2.5
    regime_hysteresis: Annotated[float, key("1",
        "Share a regime must fall back under its threshold to end.", 0.0, 0.9, running=True)] = 0.2
    calm_spread_factor: Annotated[float, key("1",
        "Width in the calm regime.", 0.1, 10.0, running=True)] = 1.0
    calm_size_factor: Annotated[float, key("1",
        "Size in the calm regime.", 0.0, 10.0, running=True)] = 1.0
    volatile_spread_factor: Annotated[float, key("1",
        "Width in the volatile regime.", 0.1, 10.0, running=True)] = 1.5
    volatile_size_factor: Annotated[float, key("1",
        "Size of adding quotes in the volatile regime.", 0.0, 10.0, running=True)] = 0.5
    trending_spread_factor: Annotated[float, key("1",
        "Width in a trend.", 0.1, 10.0, running=True)] = 1.2
    trending_size_factor: Annotated[float, key("1",
        "Size of adding quotes in a trend.", 0.0, 10.0, running=True)] = 0.5
    volatile_sides: Annotated[Literal["both", "reduce"],
        key("",
            "Sides quoted in the volatile regime; reduce: nothing adds.", running=True)] = "both"
    trending_sides: Annotated[Literal["both", "with_trend", "reduce"],
        key("",
            "Sides quoted in a trend; with_trend: nothing adds against it.",
            running=True)] = "with_trend"


class Quote(Section, frozen=True):
    """`[quote]`: prices, widths and sizes."""

    size_btc: Annotated[float, key("BTC", "Base size of a quote, rounded down to the lot.",
                                   0.0001, 100.0, running=True, limit=True)] = 0.02
    levels: Annotated[int, key("levels", "Rungs of each side.", 1, 10, running=True)] = 1
    level_spacing_bps: Annotated[float, key("bps", "Distance between two rungs.",
                                            0.01, 1000.0, running=True)] = 4.0
    min_half_spread_bps: Annotated[float, key("bps", "Least half-spread.",
                                              0.0, 1000.0, sim=0.1, running=True)] = 1.0
    min_half_spread_usd: Annotated[float, key("USD", "Least half-spread.",
                                              0.0, 10000.0, sim=0.5, running=True)] = 2.5
    min_edge_bps: Annotated[float, key("bps", "Edge over both fees that a round trip must keep.",
                                       -100.0, 1000.0, sim=0.2, running=True)] = 1.0
    base_half_spread_bps: Annotated[float, key("bps", "Half-spread before volatility.",
                                               0.0, 1000.0, sim=0.3, running=True)] = 2.5
    vol_k: Annotated[float, key("1", "Half-spread per volatility over quote.horizon_s; 0: off.",
                                0.0, 100.0, sim=0.3, running=True)] = 1.0
    horizon_s: Annotated[float, key("s", "Time a quote is expected to wait for its other side.",
                                    0.01, 86400.0, running=True)] = 10.0
    max_half_spread_bps: Annotated[float, key("bps", "A wider half-spread pulls the quotes.",
                                              0.01, 5000.0, running=True)] = 30.0
    gamma: Annotated[float, key("1/(BTC USD)", "Risk aversion; 0: derived from "
                                "quote.skew_usd_at_limit.", 0.0, 1000.0, running=True)] = 0.0
    skew_usd_at_limit: Annotated[float, key("USD", "Shift of both quotes at the inventory limit.",
                                            0.0, 100000.0, running=True)] = 35.0
    skew_reference_vol_bps: Annotated[float, key("bps/sqrt(s)", "Volatility at which the skew "
                                                 "at the limit is as stated.",
                                                 0.001, 1000.0, running=True)] = 0.7
    max_skew_bps: Annotated[float, key("bps", "Cap of the inventory shift.",
                                       0.0, 1000.0, running=True)] = 8.0
    imbalance_shift_bps: Annotated[float, key("bps", "Shift at full depth imbalance; 0: off.",
                                              0.0, 100.0, running=True)] = 0.3
    fee_floor: Annotated[bool, key("", "Never add closer than the fee plus half of "
                                   "quote.min_edge_bps.", sim=False, running=True)] = True
    micro_price: Annotated[bool, key("", "Quote around the micro-price instead of the mid.",
                                     running=True)] = False
    max_reference_spread_bps: Annotated[float, key("bps", "A wider book makes the last trade, "
                                                   "then the mark, the reference.",
                                                   0.01, 10000.0, running=True)] = 20.0
    model: Annotated[Literal["linear", "avellaneda_stoikov", "glft", "own"],
        key("",
            "Width and inventory shift: base plus volatility, a published model, or your own.",
            running=True)] = "linear"
    intensity_a: Annotated[float, key("1/s",
        "Fills a second at distance 0, A of A exp(-k d); glft uses it.",
        1e-06, 1000000.0, running=True)] = 1.0
    intensity_k: Annotated[float, key("1/USD",
        "Decay of fills with distance, k of A exp(-k d); both models use it.",
        1e-06, 1000000.0, running=True)] = 0.1
    stand_aside_vol: Annotated[float, key("1",
        "Annualised one-minute volatility that stands aside; 0: off.",
        0.0, 1000.0, sim=30.0, running=True)] = 1.5
    resume_vol: Annotated[float, key("1",
        "Annualised one-minute volatility at which quoting resumes.",
        0.0, 1000.0, sim=20.0, running=True)] = 1.0
    wide_action: Annotated[Literal["pull", "tiny"],
        key("",
            "What to do beyond quote.max_half_spread_bps or the stand-aside volatility.",
            running=True)] = "pull"
    tiny_size_btc: Annotated[float, key("BTC",
        "Size of a quote while quote.wide_action = tiny applies.",
        0.0, 100.0, running=True)] = 0.001
    funding_hold_s: Annotated[float, key("s",
        "Expected holding time of the perpetual that its funding is charged for; 0: no "
        "carry.", 0.0, 604800.0, running=True)] = 3600.0
    max_carry_bps: Annotated[float, key("bps",
        "Cap of the shift for funding or basis.", 0.0, 100.0, running=True)] = 1.0
    flow_shift_bps: Annotated[float, key("bps",
        "Shift at one-sided taker volume; 0: off.", 0.0, 100.0, running=True)] = 0.0
    ofi_shift_bps: Annotated[float, key("bps",
        "Shift at an order-flow imbalance of one mean touch; 0: off.",
        0.0, 100.0, running=True)] = 0.0
    own_1_shift_bps: Annotated[float, key("bps",
        "Shift at full strength of the first signal of your own; 0: off.",
        0.0, 100.0, running=True)] = 0.0
    own_2_shift_bps: Annotated[float, key("bps",
        "So of the second.", 0.0, 100.0, running=True)] = 0.0
    own_3_shift_bps: Annotated[float, key("bps",
        "So of the third.", 0.0, 100.0, running=True)] = 0.0
    own_4_shift_bps: Annotated[float, key("bps",
        "So of the fourth.", 0.0, 100.0, running=True)] = 0.0
    imbalance_widen_bps: Annotated[float, key("bps",
        "Step back of the side against a full depth imbalance, that side alone; 0: off.",
        0.0, 100.0, running=True)] = 0.0
    flow_widen_bps: Annotated[float, key("bps",
        "Step back of the side against one-sided taker volume; 0: off.",
        0.0, 100.0, running=True)] = 0.0
    run_widen_bps: Annotated[float, key("bps",
        "Step back of the side against a run of signals.run_trades takers; 0: off.",
        0.0, 100.0, running=True)] = 0.0
    max_alpha_bps: Annotated[float, key("bps",
        "Cap of the shift by imbalance and flow together.", 0.0, 100.0, running=True)] = 1.5
    market_spread_share: Annotated[float, key("1",
        "Half-spread is at least this share of the prevailing one; 0: off.",
        0.0, 10.0, running=True)] = 0.5
    drought_depth_share: Annotated[float, key("1",
        "Depth under this share of its mean is a drought; 0: off.", 0.0, 1.0, running=True)] = 0.3
    drought_widen: Annotated[float, key("1",
        "Share added to the width when no depth is left.", 0.0, 10.0, running=True)] = 0.5
    latency_z: Annotated[float, key("1",
        "Standard deviations of the move within the p95 round trip added to each quote; "
        "0: off.", 0.0, 10.0, running=True)] = 1.0
    markout_widen: Annotated[float, key("1",
        "Share of the shortfall of a side's 5 s markout that widens it; 0: off.",
        0.0, 10.0, running=True)] = 0.5
    max_markout_bps: Annotated[float, key("bps",
        "Cap of the widening by markouts.", 0.0, 100.0, running=True)] = 3.0
    markout_fills: Annotated[int, key("fills",
        "Settled fills of a side before its markout counts.", 1, 10000, running=True)] = 20
    placement: Annotated[Literal["model", "join", "step", "hang_back", "auto"],
        key("",
            "How near the touch an adding quote may stand: model price, at the best, one tick"
            " ahead, behind.", sim="model", running=True)] = "step"
    hang_back_ticks: Annotated[int, key("ticks",
        "Ticks behind the best of hang_back.", 0, 10000, running=True)] = 2
    undercut_per_min: Annotated[float, key("1/min",
        "One-tick improvements a minute and side; then the best is joined.",
        0.0, 6000.0, running=True)] = 6.0
    undercut_delta_bps: Annotated[float, key("bps",
        "A best further from our own price is not undercut.", 0.0, 1000.0, running=True)] = 0.5
    spacing: Annotated[Literal["bps", "vol"],
        key("",
            "Rungs apart by quote.level_spacing_bps, or by volatility.", running=True)] = "bps"
    level_spacing_vol: Annotated[float, key("1",
        "Distance between rungs in volatility over quote.horizon_s.",
        0.0, 100.0, running=True)] = 1.0
    level_size_factor: Annotated[float, key("1",
        "Size of a rung over that of the one before it.", 0.1, 10.0, running=True)] = 1.0
    refill: Annotated[Literal["hold", "now"],
        key("",
            "After a fill: leave its rung empty while the hold lasts, or quote it again at "
            "once.", running=True)] = "hold"
    size_mode: Annotated[Literal["fixed", "share", "capital"],
        key("",
            "Base size: quote.size_btc, or a share of the limit or of the capital.",
            running=True)] = "fixed"
    size_share: Annotated[float, key("1",
        "Share of inventory.limit_btc or inventory.capital_btc where quote.size_mode says"
        " so.", 0.0, 1.0, running=True)] = 0.05
    size_edge_k: Annotated[float, key("1",
        "Growth of the size per share of width over the fee floor, up to double; 0: off.",
        0.0, 10.0, running=True)] = 0.0
    size_vol_k: Annotated[float, key("1",
        "Shrinkage of adding sizes per share of volatility over "
        "quote.skew_reference_vol_bps; 0: off.", 0.0, 10.0, running=True)] = 0.0
    jitter_ticks: Annotated[int, key("ticks",
        "At most so many ticks further from mid, drawn from quote.jitter_seed.",
        0, 1000, running=True)] = 0
    jitter_seed: Annotated[int, key("", "Seed of the jitter.", 0, 2147483647, running=True)] = 1


class Cover(Section, frozen=True):
    """`[cover]`: buying or selling back after a fill the market ran through."""

    trigger_bps: Annotated[float, key("bps",
        "A mid this far past a fill when its hold ends starts the cover: only the "
        "reducing side; 0: off.", 0.0, 1000.0, running=True)] = 5.0
    step_bps: Annotated[float, key("bps",
        "The covering quote starts this far ahead of the best and goes as much further each time.",
        0.0, 1000.0, running=True)] = 0.5
    step_s: Annotated[float, key("s", "Time between two steps.", 0.01, 3600.0, running=True)] = 2.0
    max_s: Annotated[float, key("s",
        "What is not covered by then is taken.", 0.1, 86400.0, running=True)] = 60.0
    max_loss_bps: Annotated[float, key("bps",
        "A mid this far past the fill: the rest is taken at once; 0: off.",
        0.0, 1000.0, running=True)] = 25.0
