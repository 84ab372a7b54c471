"""See publish.pxd. Called from the runner's tick, never inside a turn."""
from libc.math cimport fabs
from libc.stdint cimport int32_t, uint64_t
from libc.string cimport memset

from mmcore.budget cimport POOL_TRADING
from mmcore.book cimport NO_ASK, NO_BID
from mmcore.market cimport Market
from mmcore.intake cimport STAGE_APPLY, STAGE_DECIDE, STAGE_SEND
from mmcore.journal cimport (
    RECORDER_BYTES, RECORDER_DELETED, RECORDER_FAULT, RECORDER_SEGMENTS)
from mmcore.states cimport RISK_KILLED
from mmcore.telemetry cimport (
    BOOK_ROWS, LADDER_ROWS, MarketBlock, Page, PageRow)
from mmcore cimport telemetry as t
from mmcore.statement cimport Parts
from mmcore.stats cimport histogram_quantile
from mmcore.types cimport (
    ALPHA_TERMS_MAX, HORIZONS, INSTRUMENT_INVERSE, SLOTS_MAX, LevelChange, amount_of, delta_btc,
    price_usd)


cdef struct Totals:
    double delta_btc
    double realized_btc
    double unrealized_btc
    double fees_btc
    double funding_btc
    double unknown
    double fills
    double maker_fills


cdef double settled_btc(Market market, double amount) noexcept nogil:
    """An amount of the settlement currency in BTC."""
    cdef double price = market.signals.s.mark_usd
    if market.spec.kind == INSTRUMENT_INVERSE:
        return amount
    return amount / price if price > 0.0 else 0.0


cdef double mark_of(Market market) noexcept nogil:
    if market.signals.s.mark_usd > 0.0:
        return market.signals.s.mark_usd
    return market.signals.s.reference_usd


cdef void add_totals(Market market, Totals* totals) noexcept nogil:
    cdef double mark = mark_of(market)
    totals.delta_btc += delta_btc(&market.spec, market.position.contracts, mark)
    totals.realized_btc += settled_btc(market, <double>market.position.realized_e8 * 1e-8)
    totals.fees_btc += settled_btc(market, <double>market.position.fees_e8 * 1e-8)
    totals.funding_btc += settled_btc(market, market.position.funding)
    totals.unrealized_btc += settled_btc(
        market, market.position.unrealized(&market.spec, mark))
    totals.unknown += market.orders.unknown_count
    totals.fills += <double>market.ledger.fills
    totals.maker_fills += <double>market.ledger.maker_fills


cdef void total_up(Engine engine, Totals* totals) noexcept:
    cdef Market market
    memset(totals, 0, sizeof(Totals))
    for market in engine.markets:
        add_totals(market, totals)


cdef void publish_strategy(Market market, double* v, int64_t now_ns) noexcept nogil:
    """What the last decision was made of."""
    cdef int32_t i
    v[t.MARKET_REGIME] = market.approved.why.regime
    v[t.MARKET_VOL_YEAR] = market.signals.s.vol_year
    v[t.MARKET_CARRY_USD] = market.approved.why.carry_usd
    v[t.MARKET_HALF_BASE_USD] = market.approved.why.half_base_usd
    v[t.MARKET_HALF_VOL_USD] = market.approved.why.half_vol_usd
    v[t.MARKET_HALF_MARKET_USD] = market.approved.why.half_market_usd
    v[t.MARKET_DROUGHT_USD] = market.approved.why.drought_usd
    v[t.MARKET_PAD_USD] = market.approved.why.pad_usd
    v[t.MARKET_MARKOUT_ADD_BID_USD] = market.approved.why.markout_usd[0]
    v[t.MARKET_MARKOUT_ADD_ASK_USD] = market.approved.why.markout_usd[1]
    v[t.MARKET_SIGNAL_ADD_BID_USD] = market.approved.why.signal_usd[0]
    v[t.MARKET_SIGNAL_ADD_ASK_USD] = market.approved.why.signal_usd[1]
    v[t.MARKET_TAKE] = market.approved.why.take
    v[t.MARKET_TAKE_AMOUNT] = amount_of(&market.spec, market.approved.why.take_contracts)
    v[t.MARKET_REFERENCE_SOURCE] = market.approved.why.reference_source
    for i in range(ALPHA_TERMS_MAX):
        v[t.MARKET_ALPHA_TERM_0_USD + i] = market.approved.why.alpha_term_usd[i]
    v[t.MARKET_BASIS_YEAR] = market.signals.s.basis_year
    v[t.MARKET_FAIR_BASIS_USD] = market.signals.s.fair_basis_usd
    v[t.MARKET_MATCHED_USD] = amount_of(&market.spec, market.matched_contracts)
    v[t.MARKET_FUNDING_MODEL_BTC] = settled_btc(market, market.funding.accrued)
    v[t.MARKET_PREFERENCE] = market.preference
    v[t.MARKET_SPREAD_FACTOR] = market.approved.why.spread_factor
    v[t.MARKET_SIZE_FACTOR] = market.approved.why.size_factor
    v[t.MARKET_TOP_RATE] = market.signals.s.top_rate
    v[t.MARKET_FILLS_PER_MIN] = market.fills_per_min(now_ns)
    v[t.MARKET_MARKOUT_BID_BPS] = market.inventory.markout_bps[0]
    v[t.MARKET_MARKOUT_ASK_BPS] = market.inventory.markout_bps[1]


cdef void publish_parts(Market market, double* v) noexcept nogil:
    """Where the profit came from, in BTC; the parts add up to it."""
    cdef Parts parts
    market.statement.parts(&market.spec, mark_of(market), 0.0, &parts)
    v[t.MARKET_PART_CAPTURE_BTC] = settled_btc(market, parts.capture)
    v[t.MARKET_PART_HEDGE_BTC] = settled_btc(market, parts.hedge)
    v[t.MARKET_PART_DRIFT_BTC] = settled_btc(market, parts.drift)
    v[t.MARKET_PART_BASIS_BTC] = settled_btc(market, parts.basis)
    v[t.MARKET_PART_MID_TO_MARK_BTC] = settled_btc(market, parts.mid_to_mark)
    v[t.MARKET_PART_CARRIED_BTC] = settled_btc(market, parts.carried)
    v[t.MARKET_PART_FUNDING_BTC] = settled_btc(market, parts.funding)
    v[t.MARKET_PART_FEES_BTC] = -settled_btc(market, parts.fees)
    v[t.MARKET_ROUND_TRIPS] = <double>market.statement.round_trips
    v[t.MARKET_UNPLANNED_TAKERS] = <double>market.statement.unplanned_takers


cdef void publish_quotes(Market market, MarketBlock* block) noexcept nogil:
    """Where our quotes lie, what they may do to the position, what their fills were worth."""
    cdef double* v = block.values
    cdef int32_t side, h
    cdef uint64_t count
    cdef double mid = market.signals.s.mid_usd, price, traded_btc
    for side in range(2):
        price = block.ladder[side][0].price_usd
        v[t.MARKET_QUOTE_BID_USD + side] = price
        v[t.MARKET_DISTANCE_BID + side] = (
            fabs(price - mid) / mid if price > 0.0 and mid > 0.0 else 0.0)
        v[t.MARKET_WORST_BID_BTC + side] = market.exposure.worst_btc[side]
        for h in range(HORIZONS):
            count = market.ledger.markout_count[side][h]
            v[t.MARKET_MARKOUT_BID_100MS_BPS + side * HORIZONS + h] = (
                market.ledger.markout_sum_bps[side][h] / <double>count if count else 0.0)
            v[t.MARKET_MARKOUT_BID_100MS_FILLS + side * HORIZONS + h] = <double>count
    v[t.MARKET_LIMIT_BTC] = market.params.v.inventory.limit_btc
    v[t.MARKET_BOOK_GAPS] = <double>market.book_gaps
    v[t.MARKET_BOOK_CROSSED] = <double>market.book_crossed
    publish_parts(market, v)
    v[t.MARKET_CURRENT_FUNDING] = market.signals.s.current_funding
    v[t.MARKET_FUNDING_8H] = market.signals.s.funding_8h
    traded_btc = market.position.volume_usd / mark_of(market) if mark_of(market) > 0.0 else 0.0
    v[t.MARKET_ORDER_TO_VOLUME] = (
        <double>(market.orders_new + market.orders_edit + market.orders_cancel) / traded_btc
        if traded_btc > 0.0 else 0.0)


cdef void publish_market(Market market, MarketBlock* block, int64_t now_ns) noexcept nogil:
    cdef double* v = block.values
    cdef LevelChange[SLOTS_MAX] rows
    cdef int32_t side, i, n
    cdef double mark = mark_of(market)
    v[t.MARKET_BOOK_VALID] = market.book.valid
    v[t.MARKET_BEST_BID_USD] = (
        price_usd(&market.spec, market.book.best[0]) if market.book.best[0] > NO_BID else 0.0)
    v[t.MARKET_BEST_ASK_USD] = (
        price_usd(&market.spec, market.book.best[1]) if market.book.best[1] < NO_ASK else 0.0)
    v[t.MARKET_MID_USD] = market.signals.s.mid_usd
    v[t.MARKET_MICRO_USD] = market.signals.s.micro_usd
    v[t.MARKET_MARK_USD] = market.signals.s.mark_usd
    v[t.MARKET_INDEX_USD] = market.signals.s.index_usd
    v[t.MARKET_SPREAD_USD] = market.signals.s.spread_usd
    v[t.MARKET_IMBALANCE] = market.signals.s.imbalance
    v[t.MARKET_VOL_USD] = market.signals.s.vol_usd
    v[t.MARKET_REFERENCE_USD] = market.signals.s.reference_usd
    v[t.MARKET_HALF_SPREAD_USD] = market.approved.why.half_usd
    v[t.MARKET_FEE_FLOOR_USD] = market.approved.why.half_floor_usd
    v[t.MARKET_SKEW_USD] = market.approved.why.skew_usd
    v[t.MARKET_ALPHA_USD] = market.approved.why.alpha_usd
    v[t.MARKET_REMOVED_BID] = market.approved.why.removed[0]
    v[t.MARKET_REMOVED_ASK] = market.approved.why.removed[1]
    v[t.MARKET_POSITION_USD] = amount_of(&market.spec, market.position.contracts) * (
        1.0 if market.spec.kind == INSTRUMENT_INVERSE else mark)
    v[t.MARKET_POSITION_BTC] = delta_btc(&market.spec, market.position.contracts, mark)
    v[t.MARKET_AVERAGE_USD] = market.position.average_usd(&market.spec)
    v[t.MARKET_REALIZED_BTC] = settled_btc(market, <double>market.position.realized_e8 * 1e-8)
    v[t.MARKET_UNREALIZED_BTC] = settled_btc(
        market, market.position.unrealized(&market.spec, mark))
    v[t.MARKET_FEES_BTC] = settled_btc(market, <double>market.position.fees_e8 * 1e-8)
    v[t.MARKET_FUNDING_BTC] = settled_btc(market, market.position.funding)
    v[t.MARKET_VOLUME_USD] = market.position.volume_usd
    v[t.MARKET_BOOK_UPDATES] = <double>market.book_updates
    v[t.MARKET_FILLS] = <double>market.ledger.fills
    v[t.MARKET_MAKER_FILLS] = <double>market.ledger.maker_fills
    v[t.MARKET_ORDERS_NEW] = <double>market.orders_new
    v[t.MARKET_ORDERS_EDIT] = <double>market.orders_edit
    v[t.MARKET_ORDERS_CANCEL] = <double>market.orders_cancel
    v[t.MARKET_REJECTS] = <double>market.rejects
    v[t.MARKET_OPEN_ORDERS] = market.orders.open_count
    v[t.MARKET_FEED_LAG_SECONDS] = <double>market.health.lag_ns * 1e-9
    publish_strategy(market, v, now_ns)
    v[t.MARKET_BOOK_AGE_SECONDS] = <double>(now_ns - market.health.book_ns) * 1e-9
    for side in range(2):
        memset(&block.book[side][0], 0, BOOK_ROWS * sizeof(PageRow))
        n = market.book.walk(side, rows, BOOK_ROWS)
        for i in range(n):
            block.book[side][i].price_usd = price_usd(&market.spec, rows[i].price_ticks)
            block.book[side][i].amount = amount_of(&market.spec, rows[i].amount_contracts)
        memset(&block.ladder[side][0], 0, LADDER_ROWS * sizeof(PageRow))
        n = market.orders.own_levels(side, rows)
        v[t.MARKET_QUOTE_BID_AMOUNT + side] = 0.0
        for i in range(n):
            v[t.MARKET_QUOTE_BID_AMOUNT + side] += amount_of(&market.spec, rows[i].amount_contracts)
        for i in range(n if n < LADDER_ROWS else LADDER_ROWS):
            block.ladder[side][i].price_usd = price_usd(&market.spec, rows[i].price_ticks)
            block.ladder[side][i].amount = amount_of(&market.spec, rows[i].amount_contracts)
    v[t.MARKET_UNQUOTED] = market.is_unquoted()
    publish_quotes(market, block)


cdef int64_t last_fill_ns(Engine engine, int64_t started_ns, int64_t now_ns) noexcept:
    """When one of our orders was last filled; the start of the page before the first fill."""
    cdef Market market
    cdef int64_t last_ns = started_ns if started_ns > 0 else now_ns
    for market in engine.markets:
        if market.fill_rate_ns > last_ns:
            last_ns = market.fill_rate_ns
    return last_ns


cpdef int publish(Engine engine, TelemetryPage page, int64_t now_ns) except -1:
    """Write everything readers see, inside one sequence-lock section."""
    cdef double* v = page.page.values
    cdef Market market
    cdef Totals totals
    total_up(engine, &totals)
    page.begin()
    publish_counters(engine, v)
    v[t.ENGINE_FILLS] = totals.fills
    v[t.ENGINE_MAKER_FILLS] = totals.maker_fills
    v[t.ENGINE_RISK_STATE] = engine.risk.state
    v[t.ENGINE_FAULT] = engine.faults.code
    v[t.ENGINE_CREDITS] = engine.budget.available(now_ns)
    v[t.ENGINE_UNANSWERED] = engine.budget.unanswered
    v[t.ENGINE_UNKNOWN_ORDERS] = totals.unknown
    v[t.ENGINE_DELTA_BTC] = totals.delta_btc
    v[t.ENGINE_MAX_ABS_DELTA_BTC] = engine.max_abs_delta_btc
    v[t.ENGINE_REALIZED_BTC] = totals.realized_btc
    v[t.ENGINE_UNREALIZED_BTC] = totals.unrealized_btc
    v[t.ENGINE_FEES_BTC] = totals.fees_btc
    v[t.ENGINE_FUNDING_BTC] = totals.funding_btc
    v[t.ENGINE_EQUITY_START_BTC] = engine.equity_start_btc
    v[t.ENGINE_EQUITY_BTC] = (engine.equity_start_btc + totals.realized_btc
                              + totals.unrealized_btc - totals.fees_btc + totals.funding_btc)
    v[t.ENGINE_JOURNAL_LOST] = engine.journal.lost
    v[t.ENGINE_JOURNAL_DEPTH_BYTES] = engine.journal.depth
    v[t.ENGINE_LAST_FRAME_AGE_SECONDS] = <double>(now_ns - engine.last_frame_ns) * 1e-9
    v[t.ENGINE_LAST_FILL_AGE_SECONDS] = <double>(
        now_ns - last_fill_ns(engine, page.page.started_ns, now_ns)) * 1e-9
    publish_limits(engine, page.page, now_ns)
    publish_measures(engine, page.page)
    for market in engine.markets:
        publish_market(market, &page.page.markets[market.spec.index], now_ns)
    publish_pairs(engine, page.page)
    page.end(now_ns)
    return 0


cdef void publish_limits(Engine engine, Page* page, int64_t now_ns) noexcept:
    """What the session is measured against, and what the journal's recorder reports."""
    cdef double* v = page.values
    if v[t.ENGINE_EQUITY_BTC] > v[t.ENGINE_EQUITY_MAX_BTC] or v[t.ENGINE_EQUITY_MAX_BTC] == 0.0:
        v[t.ENGINE_EQUITY_MAX_BTC] = v[t.ENGINE_EQUITY_BTC]
    v[t.ENGINE_DRAWDOWN_BTC] = v[t.ENGINE_EQUITY_MAX_BTC] - v[t.ENGINE_EQUITY_BTC]
    v[t.ENGINE_VENUE_EQUITY_BTC] = engine.equity_btc
    v[t.ENGINE_DELTA_LIMIT_BTC] = engine.params.v.inventory.limit_btc
    v[t.ENGINE_CREDITS_BURST] = engine.budget.pools[<int>POOL_TRADING].burst
    v[t.ENGINE_CREDITS_RESERVE] = engine.params.v.orders.reserve_requests
    v[t.ENGINE_ROUND_TRIP_SECONDS] = <double>(
        <Market>engine.markets[0]).inventory.round_trip_ns * 1e-9
    v[t.ENGINE_KILL_LATCH] = engine.risk.state == RISK_KILLED
    v[t.ENGINE_JOURNAL_CAPACITY_BYTES] = <double>engine.journal.capacity()
    v[t.ENGINE_JOURNAL_DISK_FAULT] = <double>engine.journal.recorder_word(RECORDER_FAULT)
    v[t.ENGINE_JOURNAL_WRITTEN_BYTES] = <double>engine.journal.recorder_word(RECORDER_BYTES)
    v[t.ENGINE_JOURNAL_SEGMENTS] = <double>engine.journal.recorder_word(RECORDER_SEGMENTS)
    v[t.ENGINE_JOURNAL_DELETED_SEGMENTS] = <double>engine.journal.recorder_word(RECORDER_DELETED)
    v[t.ENGINE_BOOK_OFF_GRID] = <double>engine.counters.book_off_grid


cdef void publish_pairs(Engine engine, Page* page) noexcept:
    """Several instruments together: hedges, pairs, and each contract's basis."""
    cdef double* v = page.values
    cdef int32_t i
    v[t.ENGINE_TARGET_BTC] = engine.target_btc()
    v[t.ENGINE_HEDGE_PHASE], v[t.ENGINE_PAIR_PHASE] = engine.hedge.phase, engine.pairs.phase
    v[t.ENGINE_HEDGES] = <double>engine.hedge.hedges
    v[t.ENGINE_HEDGE_TAKES] = <double>engine.hedge.takes
    v[t.ENGINE_HEDGE_NO_LEG] = <double>engine.hedge.no_leg
    v[t.ENGINE_HEDGED_BTC] = engine.hedge.done_btc
    v[t.ENGINE_PAIRS_OPENED] = <double>engine.pairs.opened
    v[t.ENGINE_PAIRS_CLOSED] = <double>engine.pairs.closed
    v[t.ENGINE_PAIR_LEGS_TAKEN] = <double>engine.pairs.taken
    v[t.ENGINE_PAIR_LEGS_CUT] = <double>engine.pairs.cut
    for i in range(engine.market_count):
        page.markets[i].values[t.MARKET_BASIS_USD] = engine.pairs.spreads[i].usd
        page.markets[i].values[t.MARKET_PAIR_FAIR_USD] = engine.pairs.spreads[i].fair_usd


cdef void publish_measures(Engine engine, Page* page) noexcept nogil:
    """Latencies, refusals by reason, rejects by code."""
    cdef int32_t i
    page.histograms[t.HISTOGRAM_TICK_TO_ORDER_NS] = engine.tick_to_order_ns
    page.histograms[t.HISTOGRAM_APPLY_NS] = engine.stage_ns[STAGE_APPLY]
    page.histograms[t.HISTOGRAM_DECIDE_NS] = engine.stage_ns[STAGE_DECIDE]
    page.histograms[t.HISTOGRAM_SEND_NS] = engine.stage_ns[STAGE_SEND]
    page.histograms[t.HISTOGRAM_ROUND_TRIP_NS] = engine.round_trip_ns
    page.reject_codes = engine.reject_codes
    for i in range(<int32_t>(sizeof(engine.risk.refused) // sizeof(uint64_t))):
        page.refused[i] = <double>engine.risk.refused[i]


cdef void publish_counters(Engine engine, double* v) noexcept nogil:
    v[t.ENGINE_FRAMES] = <double>engine.counters.frames
    v[t.ENGINE_MALFORMED] = <double>engine.counters.malformed
    v[t.ENGINE_BOOK_UPDATES] = <double>engine.counters.book_updates
    v[t.ENGINE_BOOK_SNAPSHOTS] = <double>engine.counters.book_snapshots
    v[t.ENGINE_BOOK_GAPS] = <double>engine.counters.book_gaps
    v[t.ENGINE_BOOK_CROSSED] = <double>engine.counters.book_crossed
    v[t.ENGINE_TRADES] = <double>engine.counters.trades
    v[t.ENGINE_TICKERS] = <double>engine.counters.tickers
    v[t.ENGINE_DECISIONS] = <double>engine.counters.decisions
    v[t.ENGINE_BATCHES] = <double>engine.counters.batches
    v[t.ENGINE_ORDERS_NEW] = <double>engine.counters.orders_new
    v[t.ENGINE_ORDERS_EDIT] = <double>engine.counters.orders_edit
    v[t.ENGINE_ORDERS_CANCEL] = <double>engine.counters.orders_cancel
    v[t.ENGINE_REJECTS] = <double>engine.counters.rejects
    v[t.ENGINE_POST_ONLY_REJECTS] = <double>engine.counters.post_only_rejects
    v[t.ENGINE_REFUSED_BY_RISK] = <double>engine.counters.refused_by_risk
    v[t.ENGINE_DEFERRED] = <double>engine.counters.deferred
    v[t.ENGINE_UNKNOWN_IDS] = <double>engine.counters.unknown_ids
    v[t.ENGINE_TIMEOUTS] = <double>engine.counters.timeouts
    v[t.ENGINE_DUPLICATE_FILLS] = <double>engine.counters.duplicate_fills
    v[t.ENGINE_FOREIGN_FILLS] = <double>engine.counters.foreign_fills
    v[t.ENGINE_REJECT_STORMS] = <double>engine.risk.reject_storms


def summary(Engine engine not None):
    """Figures of the session so far, keyed as `--summary` writes them (without `exit`)."""
    cdef Totals totals
    cdef Market market
    total_up(engine, &totals)
    counters = {
        "book_updates": engine.counters.book_updates, "book_gaps": engine.counters.book_gaps,
        "book_crossed": engine.counters.book_crossed, "decisions": engine.counters.decisions,
        "max_abs_delta_btc": engine.max_abs_delta_btc, "orders_new": engine.counters.orders_new,
        "orders_edit": engine.counters.orders_edit, "orders_cancel": engine.counters.orders_cancel,
        "rejects": engine.counters.rejects, "fills": int(totals.fills),
        "maker_fills": int(totals.maker_fills)}
    money = {
        "delta_btc": totals.delta_btc, "realized_btc": round(totals.realized_btc, 8),
        "unrealized_btc": totals.unrealized_btc, "fees_btc": round(totals.fees_btc, 8),
        "funding_btc": totals.funding_btc,
        "equity_btc": (engine.equity_start_btc + totals.realized_btc + totals.unrealized_btc
                       - totals.fees_btc + totals.funding_btc)}
    latency = {name: histogram_quantile(&engine.tick_to_order_ns, share) / 1e3
               for name, share in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999))}
    rows, position_usd = {}, 0.0
    for market in engine.markets:
        rows[market.name] = market_summary(market)
        position_usd += rows[market.name]["position_usd"]
    return {**counters, "position_usd": position_usd,
            **money, "tick_to_order_us": latency, "markout_bps": merged_markouts(engine),
            "instruments": rows}


cdef dict market_summary(Market market):
    cdef double mark = mark_of(market)
    usd = amount_of(&market.spec, market.position.contracts) * (
        1.0 if market.spec.kind == INSTRUMENT_INVERSE else mark)
    return {
        "book_updates": market.book_updates, "book_gaps": market.book_gaps,
        "book_crossed": market.book_crossed, "orders_new": market.orders_new,
        "orders_edit": market.orders_edit, "orders_cancel": market.orders_cancel,
        "rejects": market.rejects, "fills": market.ledger.fills,
        "maker_fills": market.ledger.maker_fills, "position_usd": usd,
        "delta_btc": delta_btc(&market.spec, market.position.contracts, mark),
        "average_usd": market.position.average_usd(&market.spec),
        "realized_btc": settled_btc(market, market.position.realized_e8 * 1e-8),
        "unrealized_btc": settled_btc(market, market.position.unrealized(&market.spec, mark)),
        "fees_btc": settled_btc(market, market.position.fees_e8 * 1e-8),
        "funding_btc": settled_btc(market, market.position.funding),
        "funding_model_btc": settled_btc(market, market.funding.accrued),
        "basis_btc": settled_btc(market, market.statement.basis),
        "volume_usd": market.position.volume_usd, "mark_usd": mark,
        "markout_bps": market.ledger.markouts()}


cdef dict merged_markouts(Engine engine):
    """Mean over every instrument, weighted by the number of settled fills."""
    cdef Market market
    cdef int32_t h, side
    cdef double total
    cdef uint64_t count
    merged = {}
    for h, name in enumerate((<Market>engine.markets[0]).ledger.markouts()):
        total, count = 0.0, 0
        for market in engine.markets:
            for side in range(2):
                total += market.ledger.markout_sum_bps[side][h]
                count += market.ledger.markout_count[side][h]
        merged[name] = total / count if count else None
    return merged
