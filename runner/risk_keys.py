"""The keys of `[risk]`: what is never done, and what losses lead to."""

from typing import Annotated, Literal

from runner.key_types import Section, key


class Risk(Section, frozen=True):
    """`[risk]`: what is never done."""

    stale_ms: Annotated[int, key("ms", "A connection this silent pulls every quote.",
                                 50, 60000, running=True)] = 1000
    book_silence_ms: Annotated[int, key("ms", "A book this silent pulls its quotes.",
                                        100, 600000, running=True)] = 10000
    ticker_stale_ms: Annotated[int, key("ms", "A ticker this old is no reference.",
                                        100, 600000, running=True)] = 6000
    max_feed_lag_ms: Annotated[int, key("ms", "Market data later than this pulls every quote.",
                                        1, 60000, running=True)] = 250
    max_mark_deviation_bps: Annotated[float, key("bps", "A reference further from the mark adds "
                                                 "nothing.", 0.1, 5000.0, running=True)] = 100.0
    price_collar_bps: Annotated[float, key("bps", "No order further from the reference.",
                                           0.1, 5000.0, running=True, limit=True)] = 75.0
    max_order_usd: Annotated[float, key("USD", "No larger order.", 10.0, 1e9, running=True,
                                        limit=True)] = 10000.0
    max_open_orders: Annotated[int, key("orders", "No more open orders than this.",
                                        2, 1000, running=True, limit=True)] = 40
    reject_storm_count: Annotated[int, key("rejects", "This many rejects within "
                                           "risk.reject_storm_s pause quoting.",
                                           1, 10000, running=True)] = 10
    reject_storm_s: Annotated[float, key("s", "Window of the reject count.",
                                         0.1, 3600.0, running=True)] = 10.0
    max_index_deviation_bps: Annotated[float, key("bps",
        "A reference further from index plus fair basis adds nothing; 0: off.",
        0.0, 5000.0, sim=500.0, running=True)] = 50.0
    max_leverage: Annotated[float, key("x",
        "Gross exposure over equity that no order may pass; 0: off.",
        0.0, 50.0, sim=5.0, running=True)] = 1.0
    margin_use_max: Annotated[float, key("1",
        "Initial margin with open orders over margin balance; above it nothing adds; 0: off.",
        0.0, 1.0, running=True)] = 0.5
    fat_finger_bps: Annotated[float, key("bps",
        "No order this far through the other side's best; 0: off.",
        0.0, 5000.0, running=True)] = 60.0
    max_messages_per_s: Annotated[float, key("1/s",
        "Orders and edits of all instruments together; 0: off.",
        0.0, 200.0, running=True)] = 100.0
    throttle_fills: Annotated[int, key("fills",
        "So many fills of one side within risk.throttle_s pause it; 0: off.",
        0, 500, sim=400, running=True)] = 40
    throttle_btc: Annotated[float, key("BTC",
        "So much filled on one side within risk.throttle_s pauses it; 0: off.",
        0.0, 1000.0, sim=2.0, running=True)] = 0.25
    throttle_s: Annotated[float, key("s", "Window of repeated execution.",
                                     0.1, 3600.0, running=True)] = 30.0
    throttle_pause_s: Annotated[float, key("s", "How long repeated execution pauses its side.",
                                           0.1, 86400.0, running=True)] = 60.0
    throttle_pauses_kill: Annotated[int, key("pauses",
        "So many such pauses within an hour kill; 0: never.", 0, 1000, running=True)] = 4
    stop_loss_btc: Annotated[float, key("BTC",
        "Unrealised loss of an instrument, at the worse of mark and executable exit, that closes "
        "it; 0: off.", 0.0, 1000.0, running=True)] = 0.015
    stop_move_pct: Annotated[float, key("%",
        "Move against the entry that closes the position; 0: off.",
        0.0, 100.0, running=True)] = 10.0
    stop_pause_s: Annotated[float, key("s", "Nothing adds for so long after a stop.",
                                       0.0, 86400.0, running=True)] = 300.0
    day_soft_btc: Annotated[float, key("BTC",
        "Loss from the day's start (08:00 UTC) or its best that widens and shrinks quotes; the "
        "second such loss pauses risk.cooloff_s; 0: off.", 0.0, 1000.0, running=True)] = 0.02
    day_kill_btc: Annotated[float, key("BTC",
        "Loss from the day's start or its best that kills; 0: off.",
        0.0, 1000.0, running=True)] = 0.05
    day_spread_factor: Annotated[float, key("1", "Width after the first loss of the day.",
                                            1.0, 10.0, running=True)] = 1.5
    day_size_factor: Annotated[float, key("1", "Size after the first loss of the day.",
                                          0.0, 1.0, running=True)] = 0.5
    cooloff_s: Annotated[float, key("s", "Pause after the second loss of the day.",
                                    1.0, 86400.0, running=True)] = 3600.0
    kill_flatten: Annotated[Literal["drawdown", "never"], key("",
        "Close the position after a kill for the day's loss, or leave it.",
        running=True)] = "drawdown"
    kill_flatten_cap_bps: Annotated[float, key("bps",
        "Worst price of a closing slice, from the mark; beyond it the order rests there.",
        0.0, 1000.0, running=True)] = 50.0
    flatten_clip_btc: Annotated[float, key("BTC", "Size of a closing slice.",
                                           0.0001, 100.0, running=True)] = 0.05
    edge_gate: Annotated[bool, key("",
        "Leave out quotes whose fills at that distance and side lost money.",
        sim=False, running=True)] = True
    edge_fills: Annotated[int, key("fills", "Fills of a side and distance before it is judged.",
                                   2, 100000, running=True)] = 50
    edge_z: Annotated[float, key("1",
        "Standard errors taken off the mean move after a fill: the lower bound is judged.",
        0.0, 10.0, running=True)] = 1.65
    edge_pause_s: Annotated[float, key("s", "How long such quotes are left out.",
                                       1.0, 86400.0, running=True)] = 600.0
    net_negative_pause_s: Annotated[float, key("s",
        "Pause after 200 fills that together lost money after fees; 0: off.",
        0.0, 86400.0, sim=0.0, running=True)] = 3600.0
    stress_kill_pct: Annotated[float, key("%",
        "A move of the price this large may not cost risk.day_kill_btc at the worst position the "
        "limits allow; 0: off.", 0.0, 50.0, sim=0.0, running=True)] = 10.0
    stress_margin_pct: Annotated[float, key("%",
        "A move this large must leave the maintenance margin twice over; 0: off.",
        0.0, 50.0, running=True)] = 20.0
    deadman_pct: Annotated[float, key("%",
        "Distance from the entry of a stop order at the venue that outlives this process, as large "
        "as the position; 0: none.", 0.0, 50.0, sim=0.0, core=False)] = 12.0
    deadman_every_s: Annotated[float, key("s", "Between two looks at it.",
                                          1.0, 600.0, core=False)] = 5.0
    blind_after_s: Annotated[float, key("s",
        "Without market data for so long, what is held beyond risk.blind_btc is closed over HTTP; "
        "0: never.", 0.0, 3600.0, core=False)] = 30.0
    blind_btc: Annotated[float, key("BTC", "May be held of a contract without seeing its market.",
                                    0.0, 1000.0, core=False)] = 0.1
