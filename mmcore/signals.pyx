"""Signals: pure functions of book, tape and their own previous state; formulas cited below."""
from libc.math cimport exp2, sqrt

from mmcore.book cimport NO_ASK, NO_BID
from mmcore.types cimport SIDE_ASK, SIDE_BID, LevelChange, price_usd, SLOTS_MAX

cdef enum:
    DEPTH_MAX = 20                      # levels an imbalance may look at
cdef int64_t SAMPLE_NS = 100_000_000    # volatility samples the mid at most this often: no bounce


cdef int32_t without_own(LevelChange* levels, int32_t count, const LevelChange* own,
                         int32_t own_count) noexcept nogil:
    """Subtract own amounts from levels (best first); return how many levels are left."""
    cdef int32_t i, k, left = 0
    cdef int64_t amount
    for i in range(count):
        amount = levels[i].amount_contracts
        for k in range(own_count):
            if own[k].price_ticks == levels[i].price_ticks:
                amount -= own[k].amount_contracts
        if amount > 0:
            levels[left].price_ticks = levels[i].price_ticks
            levels[left].amount_contracts = amount
            left += 1
    return left


cdef class Signals:
    """Mid, micro-price, imbalance, volatility and the reference price of one instrument."""

    cdef void restart(self) noexcept nogil:
        """Forget what a gap in the data makes doubtful; the variance itself is kept."""
        self.s.sample_ns = 0

    cdef void on_trade(self, const Instrument* spec, const TradePrint* trade) noexcept nogil:
        if not trade.excluded:
            self.s.last_usd = price_usd(spec, trade.price_ticks)

    cdef void on_ticker(self, const TickerUpdate* ticker, int64_t now_ns) noexcept nogil:
        self.s.ticker_ns = now_ns
        if ticker.mark_usd > 0.0:
            self.s.mark_usd = ticker.mark_usd
        if ticker.index_usd > 0.0:
            self.s.index_usd = ticker.index_usd
        if ticker.last_usd > 0.0:
            self.s.last_usd = ticker.last_usd
        if ticker.min_price_usd > 0.0:
            self.s.min_price_usd = ticker.min_price_usd
        if ticker.max_price_usd > 0.0:
            self.s.max_price_usd = ticker.max_price_usd
        self.s.current_funding = ticker.current_funding
        self.s.funding_8h = ticker.funding_8h

    cdef void update(self, const Instrument* spec, OrderBook book, OrderTable orders,
                     const SignalParams* params, const QuoteParams* quote,
                     int64_t now_ns) noexcept nogil:
        """Recompute everything from the book as it stands."""
        cdef SignalState* s = &self.s
        cdef double bid, ask, size
        cdef int32_t depth = <int32_t>params.imbalance_levels
        self.top(book, orders, depth if 1 <= depth <= DEPTH_MAX else 5)
        s.two_sided = s.others_ticks[SIDE_BID] > NO_BID and s.others_ticks[SIDE_ASK] < NO_ASK
        s.mid_usd = 0.0
        if s.two_sided:
            bid = price_usd(spec, s.others_ticks[SIDE_BID])
            ask = price_usd(spec, s.others_ticks[SIDE_ASK])
            s.mid_usd = 0.5 * (bid + ask)
            s.spread_usd = ask - bid
            size = <double>(s.others_contracts[SIDE_BID] + s.others_contracts[SIDE_ASK])
            s.micro_usd = (bid * <double>s.others_contracts[SIDE_ASK]
                           + ask * <double>s.others_contracts[SIDE_BID]) / size
            if book.valid:          # a broken book moves by what was missed, not by the market
                self.sample_variance(params.vol_half_life_s, now_ns)
        if s.two_sided and (
                s.spread_usd * 1e4 <= quote.max_reference_spread_bps * s.mid_usd):
            if quote.micro_price > 0.5:
                s.reference_usd, s.reference_source = s.micro_usd, REFERENCE_MICRO
            else:
                s.reference_usd, s.reference_source = s.mid_usd, REFERENCE_MID
        elif s.last_usd > 0.0:
            s.reference_usd, s.reference_source = s.last_usd, REFERENCE_LAST
        elif s.mark_usd > 0.0:
            s.reference_usd, s.reference_source = s.mark_usd, REFERENCE_MARK
        else:
            s.reference_usd, s.reference_source = 0.0, REFERENCE_NONE

    cdef void top(self, OrderBook book, OrderTable orders, int32_t depth) noexcept nogil:
        """Others' touch and depth imbalance I = (Qb - Qa) / (Qb + Qa) over `depth` levels."""
        cdef SignalState* s = &self.s
        cdef LevelChange[DEPTH_MAX + SLOTS_MAX] levels
        cdef LevelChange[SLOTS_MAX] own
        cdef int32_t side, own_count, count, i
        cdef double total[2]
        for side in range(2):
            s.best_ticks[side] = book.best[side]
            own_count = orders.own_levels(side, own) if orders.open_count > 0 else 0
            count = book.walk(side, levels, depth + own_count)
            if own_count > 0:
                count = without_own(levels, count, own, own_count)
            if count == 0:
                s.others_ticks[side] = NO_BID if side == SIDE_BID else NO_ASK
                s.others_contracts[side] = 0
            else:
                s.others_ticks[side] = levels[0].price_ticks
                s.others_contracts[side] = levels[0].amount_contracts
            total[side] = 0.0
            for i in range(count if count < depth else depth):
                total[side] += <double>levels[i].amount_contracts
        s.imbalance = 0.0
        if total[SIDE_BID] + total[SIDE_ASK] > 0.0:
            s.imbalance = ((total[SIDE_BID] - total[SIDE_ASK])
                           / (total[SIDE_BID] + total[SIDE_ASK]))

    cdef void sample_variance(self, double half_life_s, int64_t now_ns) noexcept nogil:
        """Time-aware EWMA: v <- w v + (1 - w) r^2 / dt with w = 2^(-dt / half life)."""
        cdef SignalState* s = &self.s
        cdef double move, dt, weight
        if s.sample_ns == 0:
            s.sample_ns, s.sample_mid_usd = now_ns, s.mid_usd
            return
        if now_ns - s.sample_ns < SAMPLE_NS:
            return
        dt = <double>(now_ns - s.sample_ns) * 1e-9
        move = s.mid_usd - s.sample_mid_usd
        s.sample_ns, s.sample_mid_usd = now_ns, s.mid_usd
        weight = exp2(-dt / half_life_s) if half_life_s > 0.0 else 0.0
        if not s.seeded:
            s.seeded = True
            s.variance = move * move / dt
        else:
            s.variance = weight * s.variance + (1.0 - weight) * move * move / dt
        s.vol_usd = sqrt(s.variance)

    def read(self):
        """The signals as a dict; prices None where a side is empty."""
        cdef SignalState* s = &self.s
        return {
            "best_bid_ticks": s.best_ticks[0] if s.best_ticks[0] > NO_BID else None,
            "best_ask_ticks": s.best_ticks[1] if s.best_ticks[1] < NO_ASK else None,
            "others_bid_ticks": s.others_ticks[0] if s.others_ticks[0] > NO_BID else None,
            "others_ask_ticks": s.others_ticks[1] if s.others_ticks[1] < NO_ASK else None,
            "mid_usd": s.mid_usd, "micro_usd": s.micro_usd, "spread_usd": s.spread_usd,
            "imbalance": s.imbalance, "vol_usd": s.vol_usd, "reference_usd": s.reference_usd,
            "reference_source": ReferenceSource(s.reference_source).name,
            "mark_usd": s.mark_usd, "index_usd": s.index_usd, "last_usd": s.last_usd,
            "current_funding": s.current_funding, "funding_8h": s.funding_8h}
