"""Signals: pure functions of book, tape and their own previous state; formulas cited below."""
from libc.math cimport exp2, sqrt
from libc.string cimport memcmp, memcpy, memset

from mmcore.book cimport NO_ASK, NO_BID
from mmcore.flow cimport (
    flow_imbalance, flow_ofi, flow_on_touch, flow_on_trade, flow_restart, flow_run,
    flow_top_rate)
from mmcore.microprice cimport micro_ticks, set_table
from mmcore.types cimport SIDE_ASK, SIDE_BID, LevelChange, price_usd, SLOTS_MAX
from mmcore.volatility cimport vol_restart, vol_update

cdef enum:
    DEPTH_MAX = 20                      # levels an imbalance may look at
cdef double YEAR_MS = 31_557_600_000.0
SAMPLE_NS = 100_000_000                 # volatility samples the mid at most this often: no bounce


cdef int32_t without_own(LevelChange* levels, int32_t count, const LevelChange* own,
                         int32_t own_count, int32_t side) noexcept nogil:
    """Subtract own amounts from levels (best first, one at least); return how many are left."""
    cdef int32_t i, k, left = 0
    cdef int64_t last_ticks = levels[count - 1].price_ticks
    cdef bint gone = False
    for k in range(own_count):
        if (own[k].price_ticks < last_ticks if side == SIDE_BID
                else own[k].price_ticks > last_ticks):
            continue                    # behind them all
        for i in range(count):
            if levels[i].price_ticks == own[k].price_ticks:
                levels[i].amount_contracts -= own[k].amount_contracts
                gone |= levels[i].amount_contracts <= 0
                break
    if not gone:
        return count
    for i in range(count):
        if levels[i].amount_contracts > 0:
            levels[left] = levels[i]
            left += 1
    return left


cdef class Signals:
    """Mid, micro-price, imbalance, volatility and the reference price of one instrument."""

    cdef void restart(self) noexcept nogil:
        """Forget what a gap in the data makes doubtful; the variance itself is kept."""
        self.s.sample_ns = 0
        flow_restart(&self.flow)
        vol_restart(&self.windows)
        memset(self.memory, 0, sizeof(self.memory))

    cdef int32_t on_trade(self, const Instrument* spec, const TradePrint* trade,
                          const ParamValues* params, int64_t now_ns) noexcept nogil:
        """Take one print; return the FLOW_* bits of its taker order."""
        if trade.excluded:
            return 0
        self.s.last_usd = price_usd(spec, trade.price_ticks)
        return flow_on_trade(&self.flow, spec, trade, &params.signals,
                             params.orders.pull_trade_usd, now_ns)

    cdef void on_ticker(self, const Instrument* spec, const TickerUpdate* ticker,
                        int64_t now_ns) noexcept nogil:
        """Take mark, index, band and funding; of a dated contract also its basis a year."""
        cdef int64_t left_ms = spec.expiry_ms - ticker.timestamp_ms
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
        if left_ms > 0 and ticker.timestamp_ms > 0 and self.s.index_usd > 0.0:
            self.s.basis_year = (self.s.mark_usd / self.s.index_usd - 1.0) * (
                YEAR_MS / <double>left_ms)

    cdef void update(self, const Instrument* spec, OrderBook book, OrderTable orders,
                     const ParamValues* params, int64_t now_ns) noexcept nogil:
        """Recompute everything from book and tape as they stand."""
        cdef SignalState* s = &self.s
        cdef const SignalParams* p = &params.signals
        cdef double bid, ask, size
        cdef int32_t depth = <int32_t>p.imbalance_levels
        self.top(book, orders, depth if 1 <= depth <= DEPTH_MAX else 5)
        s.two_sided = s.others_ticks[SIDE_BID] > NO_BID and s.others_ticks[SIDE_ASK] < NO_ASK
        s.mid_usd = 0.0
        if not s.two_sided:
            flow_restart(&self.flow)    # the touch before the gap is none to compare with
        if s.two_sided:
            bid = price_usd(spec, s.others_ticks[SIDE_BID])
            ask = price_usd(spec, s.others_ticks[SIDE_ASK])
            s.mid_usd = 0.5 * (bid + ask)
            s.spread_usd = ask - bid
            if self.micro_table.spreads > 0:
                s.micro_usd = s.mid_usd + spec.tick_usd * micro_ticks(
                    &self.micro_table, s.others_ticks[SIDE_ASK] - s.others_ticks[SIDE_BID],
                    s.others_contracts)
            else:
                size = <double>(s.others_contracts[SIDE_BID] + s.others_contracts[SIDE_ASK])
                s.micro_usd = (bid * <double>s.others_contracts[SIDE_ASK]
                               + ask * <double>s.others_contracts[SIDE_BID]) / size
            if book.valid:
                flow_on_touch(&self.flow, s.others_ticks, s.others_contracts, p, now_ns)
                vol_update(&self.windows, s.mid_usd, p.vol_window_s, now_ns)
                if s.sample_ns == 0 or now_ns - s.sample_ns >= SAMPLE_NS:
                    self.sample(p, now_ns)
        s.vol_year = self.windows.minute_year
        s.run = flow_run(&self.flow, p.flow_half_life_s, now_ns)
        if params.quote.shift_bps[1] != 0.0 or params.quote.flow_widen_bps != 0.0:
            s.flow = flow_imbalance(&self.flow, p.flow_half_life_s, now_ns)
        if params.quote.shift_bps[2] != 0.0:
            s.ofi = flow_ofi(&self.flow, p.ofi_half_life_s, now_ns)
        s.top_rate = flow_top_rate(&self.flow, now_ns, &s.top_rise)
        self.refer(params)

    cdef bint is_near_same(self, OrderBook book) noexcept nogil:
        """Whether nothing of the book has moved that update() reads."""
        return (self.sides[SIDE_BID].near_changes == book.near_changes[SIDE_BID]
                and self.sides[SIDE_ASK].near_changes == book.near_changes[SIDE_ASK])

    cdef bint is_still(self, const ParamValues* params, int64_t now_ns) noexcept nogil:
        """Whether update() would find what it found last, where nothing it reads has moved."""
        cdef const SignalState* s = &self.s
        cdef double rise = 0.0
        return (s.two_sided and s.sample_ns != 0 and now_ns - s.sample_ns < SAMPLE_NS
                and now_ns < self.windows.second_ns
                and params.quote.flow_widen_bps == 0.0
                and flow_run(&self.flow, params.signals.flow_half_life_s, now_ns) == s.run
                and flow_top_rate(&self.flow, now_ns, &rise) == s.top_rate
                and rise == s.top_rise)

    cdef void refer(self, const ParamValues* params) noexcept nogil:
        """Choose the reference: mid or micro-price, else the last trade, else the mark."""
        cdef SignalState* s = &self.s
        if s.two_sided and (
                s.spread_usd * 1e4 <= params.quote.max_reference_spread_bps * s.mid_usd):
            if params.quote.micro_price > 0.5:
                s.reference_usd, s.reference_source = s.micro_usd, REFERENCE_MICRO
            else:
                s.reference_usd, s.reference_source = s.mid_usd, REFERENCE_MID
        elif s.last_usd > 0.0:
            s.reference_usd, s.reference_source = s.last_usd, REFERENCE_LAST
        elif s.mark_usd > 0.0:
            s.reference_usd, s.reference_source = s.mark_usd, REFERENCE_MARK
        else:
            s.reference_usd, s.reference_source = 0.0, REFERENCE_NONE

    cdef void refer_to_lead(self, const SignalState* lead, const SignalParams* params,
                            bint fit, int64_t now_ns) noexcept nogil:
        """Price a dated contract from the perpetual: its micro-price plus the EWMA basis to it.

        The own mid of a thin contract is slow; who quotes round it is picked off by everybody who
        sees the perpetual. fit: it is good enough to learn the basis from.
        """
        cdef SignalState* s = &self.s
        cdef double dt, weight
        if lead.mid_usd <= 0.0:
            return
        if fit and (not s.has_lead_basis or now_ns - s.lead_sample_ns >= SAMPLE_NS):
            dt = <double>(now_ns - s.lead_sample_ns) * 1e-9
            weight = 0.0
            if s.has_lead_basis and params.basis_half_life_s > 0.0:
                weight = exp2(-dt / params.basis_half_life_s)
            s.lead_basis_usd = weight * s.lead_basis_usd + (1.0 - weight) * (
                s.mid_usd - lead.micro_usd)
            s.has_lead_basis, s.lead_sample_ns = True, now_ns
        if s.has_lead_basis:
            s.reference_usd = lead.micro_usd + s.lead_basis_usd
            s.reference_source = REFERENCE_LEAD

    cdef void sample(self, const SignalParams* params, int64_t now_ns) noexcept nogil:
        """Ten times a second: EWMA variance, mean depth and fair basis."""
        cdef SignalState* s = &self.s
        cdef double dt, weight, move
        if s.sample_ns == 0:
            s.sample_ns, s.sample_mid_usd = now_ns, s.mid_usd
            dt = 0.0
        else:
            dt = <double>(now_ns - s.sample_ns) * 1e-9
            self.sample_variance(params.vol_half_life_s, dt)
            s.sample_ns, s.sample_mid_usd = now_ns, s.mid_usd
        if s.mean_depth_contracts == 0.0:
            s.mean_depth_contracts = s.depth_contracts
        elif params.vol_half_life_s > 0.0:
            weight = exp2(-dt / params.vol_half_life_s)
            s.mean_depth_contracts += (1.0 - weight) * (
                s.depth_contracts - s.mean_depth_contracts)
        if s.index_usd > 0.0:
            move = s.mid_usd - s.index_usd - s.fair_basis_usd
            if not s.has_basis:
                s.fair_basis_usd, s.has_basis = s.mid_usd - s.index_usd, True
            elif params.basis_half_life_s > 0.0:
                s.fair_basis_usd += (1.0 - exp2(-dt / params.basis_half_life_s)) * move

    cdef void top(self, OrderBook book, OrderTable orders, int32_t depth) noexcept nogil:
        """Others' touch and depth imbalance I = (Qb - Qa) / (Qb + Qa) over `depth` levels."""
        cdef SignalState* s = &self.s
        cdef double bids, asks
        self.top_side(book, orders, SIDE_BID, depth)
        self.top_side(book, orders, SIDE_ASK, depth)
        bids, asks = self.sides[SIDE_BID].contracts, self.sides[SIDE_ASK].contracts
        s.imbalance = 0.0
        s.depth_contracts = bids + asks
        if bids + asks > 0.0:
            s.imbalance = (bids - asks) / (bids + asks)

    cdef void top_side(self, OrderBook book, OrderTable orders, int32_t side,
                       int32_t depth) noexcept nogil:
        """Others' touch and amount of one side; what was found stands until something near it,
        or our own part of it, changes."""
        cdef SignalState* s = &self.s
        cdef Depth* seen = &self.sides[side]
        cdef LevelChange[DEPTH_MAX + SLOTS_MAX] levels
        cdef LevelChange[SLOTS_MAX] own
        cdef int32_t own_count = orders.own_levels(side, own) if orders.open_count > 0 else 0
        cdef int32_t count, i
        cdef double contracts = 0.0
        if (seen.near_changes == book.near_changes[side] and seen.depth == depth
                and seen.own_count == own_count
                and memcmp(seen.own, own, <size_t>own_count * sizeof(LevelChange)) == 0):
            return
        memcpy(seen.own, own, <size_t>own_count * sizeof(LevelChange))
        seen.own_count = own_count
        seen.depth = depth
        seen.near_changes = book.near_changes[side]
        s.best_ticks[side] = book.best[side]
        count = book.walk(side, levels, depth + own_count)
        book.edge[side] = NO_BID if side == SIDE_BID else NO_ASK
        if count == depth + own_count:
            book.edge[side] = levels[count - 1].price_ticks
        if count > 0 and own_count > 0:
            count = without_own(levels, count, own, own_count, side)
        if count == 0:
            s.others_ticks[side] = NO_BID if side == SIDE_BID else NO_ASK
            s.others_contracts[side] = 0
        else:
            s.others_ticks[side] = levels[0].price_ticks
            s.others_contracts[side] = levels[0].amount_contracts
        for i in range(count if count < depth else depth):
            contracts += <double>levels[i].amount_contracts
        seen.contracts = contracts

    cdef void sample_variance(self, double half_life_s, double dt) noexcept nogil:
        """Time-aware EWMA: v <- w v + (1 - w) r^2 / dt with w = 2^(-dt / half life)."""
        cdef SignalState* s = &self.s
        cdef double move = s.mid_usd - s.sample_mid_usd
        cdef double weight = exp2(-dt / half_life_s) if half_life_s > 0.0 else 0.0
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
            "touch_contracts": (s.others_contracts[0], s.others_contracts[1]),
            "mid_usd": s.mid_usd, "micro_usd": s.micro_usd, "spread_usd": s.spread_usd,
            "imbalance": s.imbalance, "vol_usd": s.vol_usd, "reference_usd": s.reference_usd,
            "reference_source": ReferenceSource(s.reference_source).name,
            "mark_usd": s.mark_usd, "index_usd": s.index_usd, "last_usd": s.last_usd,
            "current_funding": s.current_funding, "funding_8h": s.funding_8h,
            "run": s.run, "top_rate": s.top_rate, "top_rise": s.top_rise,
            "depth_contracts": s.depth_contracts, "mean_depth_contracts": s.mean_depth_contracts,
            "fair_basis_usd": s.fair_basis_usd, "lead_basis_usd": s.lead_basis_usd,
            "basis_year": s.basis_year,
            "vol_year": self.windows.minute_year, "range_year": self.windows.range_year,
            "window_vol_usd": self.windows.window_usd, "drift_z": self.windows.drift_z}

    def set_micro_table(self, rows not None):
        """Take a micro-price table: rows by spread, columns by the bid's share; [] for none."""
        set_table(&self.micro_table, rows)

    def flow_at(self, double half_life_s, double ofi_half_life_s, int64_t now_ns):
        """Taker flow and order-flow imbalance as they stand at a time, both in [-1, 1]."""
        return (flow_imbalance(&self.flow, half_life_s, now_ns),
                flow_ofi(&self.flow, ofi_half_life_s, now_ns))
