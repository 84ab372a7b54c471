"""The synthetic market; see synthetic.pxd. Figures in comments are of the recorded market."""
from libc.math cimport floor, llround
from libc.string cimport memset

from connectors.sim.market.contracts import list_contracts
from connectors.sim.market.protocol import MAKER_FEE, TAKER_FEE

from connectors.sim.market.latent cimport (
    Regime, draw_exponential, draw_lognormal, draw_normal, latent_advance, latent_jump,
    latent_start, latent_usd, regime_named,
)
from connectors.sim.market.stage cimport (
    MAKERS, misplaced, pull_order, put_order, stage_set, take_order, touch_missing, touch_ticks,
)
from connectors.sim.rng cimport Rng, rng_below, rng_unit
from mmcore.types cimport SIDE_ASK, SIDE_BID

cdef double NEVER = 1e300
cdef double CONTRACT_USD = 10.0
cdef int64_t BALANCE_E8 = 100_000_000_000_000       # a million coins: never a constraint

# Makers. Touch of 2.3 k, 63 k, 238 k USD at p10, p50, p90: one large order that is at times away
# and several small ones.
cdef double LARGE_USD = 100000.0
cdef double LARGE_SIGMA = 0.8
cdef double LARGE_AWAY = 0.19
cdef double SMALL_USD = 800.0
cdef double SMALL_SIGMA = 1.2
cdef double NEAR_USD = 6500.0
cdef double NEAR_SLOPE = 190.0      # more per USD of distance
cdef double NEAR_SIGMA = 1.2
cdef double FAR_USD = 60000.0
cdef double TOUCH_SHARE = 0.3       # of maker actions
cdef double FAR_SHARE = 0.03
cdef double LARGE_SHARE = 0.04      # of touch actions that change the large order
cdef double KNOWING_FACTOR = 0.25   # on the touch a jump is about to run over
cdef double QUICK_SHARE = 0.5       # of maker actions that follow the one before at once
cdef double QUICK_S = 0.0025
cdef double HURRY_S = 0.7
cdef double HURRY_FACTOR = 4.0
cdef double REPAIR_S = 0.004

# Takers. Sign of bursts: a hidden direction seen through noise, autocorrelation 0.51, 0.38, 0.18
# at lags 1, 2, 5. Gaps of bursts 1, 68, 1,027 ms at p10, p50, p90.
cdef double SIGN_KEEP = 0.8875      # hidden direction stays: autocorrelation 0.775 a step
cdef double SIGN_SEEN = 0.906       # burst follows it: squared (2 x - 1) is 0.66
cdef double BURST_QUICK_SHARE = 0.45
cdef double BURST_QUICK_S = 0.015
cdef double CHILD_MORE = 0.60       # another order in the same burst
cdef double CHILD_USD = 450.0       # 400, 8,100, 44,700 USD at p50, p90, p99
cdef double CHILD_SIGMA = 2.5
cdef double CHILD_MIN_USD = 100.0
cdef double CHILD_MAX_USD = 200000.0
cdef double DEEP_SHARE = 0.02       # bursts that walk the book
cdef int64_t DEEP_TICKS = 8
cdef double INFORMED_USD = 15000.0
cdef double INFORMED_SIGMA = 1.2
cdef double INFORMED_BIAS = 0.8
cdef double ARBITRAGE_USD = 2000000.0

cdef double INDEX_NOISE_KEEP = 0.9
cdef double INDEX_NOISE_USD = 0.25
cdef double PREMIUM_S = 300.0       # until a regime's premium is whole
cdef double CARRY_A_YEAR = 0.07     # of dated contracts over the perpetual
cdef double YEAR_S = 31557600.0


cdef double cents(double price_usd) noexcept nogil:
    return <double>llround(price_usd * 100.0) / 100.0


cdef class SyntheticMarket:
    """A seeded Market of a perpetual and two dated futures.

    regime: a name in latent.REGIMES; speed divides all gaps; now_ns: the date that decides which
    contracts are listed; price_usd: where the latent price starts.
    """

    def __init__(self, uint64_t seed=1, *, str regime="normal", double speed=1.0,
                 int64_t now_ns=0, double price_usd=67500.0, bint waits_for_book=False,
                 double maker_fee=MAKER_FEE, double taker_fee=TAKER_FEE):
        cdef Regime chosen
        memset(&chosen, 0, sizeof(Regime))
        regime_named(regime, &chosen)
        if not 0.0 < speed <= 1e6:
            raise ValueError(f"speed {speed} must be above 0 and at most 1e6")
        if not 1000.0 <= price_usd <= 1e6:
            raise ValueError(f"price {price_usd} must be 1000 to 1e6 USD")
        self.seed = seed
        self.regime = regime
        self.speed = speed
        self.waits_for_book = waits_for_book
        self.listings = list_contracts(now_ns, maker_fee, taker_fee, bool(chosen.expiring))
        latent_start(&self.latent, &chosen, seed, price_usd)
        for market, listing in enumerate(self.listings):
            life_s = listing.spec.expiry_ms / 1000.0 - now_ns / 1e9 if market else 0.0
            stage_set(&self.stages[market], market, listing.spec.tick_usd, chosen.depth,
                      price_usd * CARRY_A_YEAR * life_s / YEAR_S, life_s)
        self.stage_count = len(self.listings)

    def instruments(self):
        """Return what is traded: the perpetual first."""
        return list(self.listings)

    def counters(self):
        """Return the counts of what the participants did, by name."""
        return self.counts

    def start(self, Exchange exchange not None, int64_t t_ns):
        """Open the participants' accounts, publish the index, fill the books."""
        cdef int32_t i
        self.start_ns = t_ns
        for i in range(MAKERS):
            self.who.makers[i] = exchange.open_account(
                f"market/maker-{i}", t_ns, BALANCE_E8, BALANCE_E8, True)
        self.who.taker = exchange.open_account(
            "market/taker", t_ns, BALANCE_E8, BALANCE_E8, True)
        self.who.arbitrageur = exchange.open_account(
            "market/arbitrageur", t_ns, BALANCE_E8, BALANCE_E8, True)
        self.publish_index(exchange)
        for i in range(self.stage_count):
            self.open_book(exchange, &self.stages[i])
        return self.advance(exchange, t_ns)

    cdef int open_book(self, Exchange exchange, Stage* stage) except -1:
        """Fill a stage's book for the first time."""
        cdef int32_t side, slot
        stage.bid_ticks = <int64_t>floor(
            (latent_usd(&self.latent) + stage.basis_usd) / stage.tick_usd)
        for side in range(2):
            for slot in range(stage.touch_count):
                self.quote_touch(exchange, stage, side, slot)
            for slot in range(stage.touch_count, stage.count):
                self.quote_deep(exchange, stage, side, slot)
        return 0

    def follow(self, Exchange exchange not None, int32_t market, int64_t t_ns):
        """Trade a dated contract listed while the market runs; return when `advance` is due.

        The stage of a contract that is over makes room; without room nobody comes.
        """
        cdef int32_t i = 1
        cdef object spec = exchange.specs[market]
        cdef double life_s = spec.expiry_ms / 1000.0 - t_ns / 1e9
        while i < self.stage_count and self.stages[i].book_s < NEVER:
            i += 1
        if i == STAGES_MAX or exchange.is_spread(market) or life_s <= 0.0:
            return self.time_ns(self.next_s())
        self.stage_count = max(self.stage_count, i + 1)
        stage_set(&self.stages[i], market, spec.tick_usd, self.latent.regime.depth,
                  latent_usd(&self.latent) * CARRY_A_YEAR * life_s / YEAR_S, life_s)
        self.stages[i].book_s = self.now_s
        self.stages[i].burst_s = self.now_s
        exchange.market_mark(
            t_ns, market, cents(latent_usd(&self.latent) + self.stages[i].basis_usd))
        self.open_book(exchange, &self.stages[i])
        return self.advance(exchange, t_ns)

    def advance(self, Exchange exchange not None, int64_t t_ns):
        """Let the participants act up to t_ns; return when the next one acts."""
        cdef double next_s = self.next_s()
        while self.time_ns(next_s) <= t_ns:
            self.step(exchange, next_s)
            next_s = self.next_s()
        return self.time_ns(next_s)

    cdef int64_t time_ns(self, double now_s) noexcept nogil:
        return self.start_ns + <int64_t>(now_s * 1e9 / self.speed)

    cdef double next_s(self) noexcept nogil:
        """When the next thing happens anywhere."""
        cdef double next_s = self.index_s
        cdef int32_t i
        if self.latent.jump_s < next_s:
            next_s = self.latent.jump_s
        for i in range(self.stage_count):
            if self.stages[i].book_s < next_s:
                next_s = self.stages[i].book_s
            if self.stages[i].burst_s < next_s:
                next_s = self.stages[i].burst_s
        return next_s if next_s > self.now_s else self.now_s

    cdef int step(self, Exchange exchange, double now_s) except -1:
        """Do what is due at now_s, one thing."""
        cdef int32_t i
        cdef double melt_s = now_s - self.now_s
        self.now_s = now_s
        latent_advance(&self.latent, now_s)
        for i in range(1, self.stage_count):
            self.stages[i].basis_usd -= self.stages[i].basis_per_s * melt_s
        if self.index_s <= now_s:
            self.index_s = now_s + 1.0
            return self.publish_index(exchange)
        if self.latent.jump_s <= now_s:
            return self.jump(exchange)
        for i in range(self.stage_count):
            if self.stages[i].burst_s <= now_s:
                return self.burst(exchange, &self.stages[i])
            if self.stages[i].book_s <= now_s:
                return self.makers_act(exchange, &self.stages[i])
        return 0

    cdef int publish_index(self, Exchange exchange) except -1:
        cdef int64_t t_ns = self.time_ns(self.now_s)
        cdef double price_usd
        cdef int32_t i
        self.index_noise_usd = (INDEX_NOISE_KEEP * self.index_noise_usd
                                + INDEX_NOISE_USD * draw_normal(&self.latent.rng))
        price_usd = latent_usd(&self.latent) + self.index_noise_usd
        self.counts.indexes += 1
        exchange.market_index(t_ns, "btc_usd", cents(price_usd * (
            1.0 - self.latent.regime.premium * min(1.0, self.now_s / PREMIUM_S))))
        # A dated contract's basis outgrows the exchange's clamp of mark to index.
        for i in range(1, self.stage_count):
            if exchange.data[self.stages[i].market].delivery_usd > 0.0:
                self.stages[i].book_s = NEVER       # it has expired
                self.stages[i].burst_s = NEVER
            else:
                exchange.market_mark(t_ns, self.stages[i].market,
                                     cents(price_usd + self.stages[i].basis_usd))
        return 0

    cdef int jump(self, Exchange exchange) except -1:
        """The price jumps: those who knew take first, the makers follow within milliseconds."""
        cdef int32_t side = SIDE_BID if self.latent.jump_usd > 0.0 else SIDE_ASK
        cdef bint informed = self.latent.jump_informed
        cdef Rng* rng = &self.latent.rng
        cdef Stage* stage
        cdef double usd
        cdef int32_t i
        latent_jump(&self.latent)
        self.counts.jumps += 1
        for i in range(self.stage_count):
            stage = &self.stages[i]
            if stage.book_s >= NEVER:
                continue
            stage.hurry_s = self.now_s + HURRY_S
            stage.book_s = self.now_s + draw_exponential(rng, REPAIR_S)
            stage.taker_sign = 1 if side == SIDE_BID else -1
        stage = &self.stages[0]
        if informed:
            usd = draw_lognormal(rng, INFORMED_USD, INFORMED_SIGMA)
            self.take(exchange, stage, self.who.taker, side, <int64_t>floor(
                latent_usd(&self.latent) / stage.tick_usd) + (0 if side == SIDE_BID else 1),
                llround(usd / CONTRACT_USD))
        return 0

    # ---------------------------------------------------------------- makers
    cdef int makers_act(self, Exchange exchange, Stage* stage) except -1:
        """One maker action; the times between them come in quick pairs and slow gaps."""
        cdef Rng* rng = &self.latent.rng
        cdef double mean_s = 1.0 / (self.latent.regime.book_rate * stage.pace)
        cdef int32_t side = <int32_t>rng_below(rng, 2)
        cdef double lot = rng_unit(rng)
        cdef int32_t bare
        if rng_unit(rng) < QUICK_SHARE:
            stage.book_s = self.now_s + draw_exponential(rng, QUICK_S)
        else:
            mean_s = (mean_s - QUICK_SHARE * QUICK_S) / (1.0 - QUICK_SHARE)
            if self.now_s < stage.hurry_s:
                mean_s /= HURRY_FACTOR
            stage.book_s = self.now_s + draw_exponential(rng, mean_s)
        if misplaced(stage, latent_usd(&self.latent)):
            return self.recentre(exchange, stage)
        for bare in range(2):
            if touch_missing(exchange, stage, bare):
                return self.quote_touch(exchange, stage, bare, 1 + <int32_t>rng_below(
                    rng, stage.touch_count - 1))
        if lot < TOUCH_SHARE:
            if rng_unit(rng) < LARGE_SHARE:
                return self.quote_touch(exchange, stage, side, 0)
            return self.quote_touch(exchange, stage, side, 1 + <int32_t>rng_below(
                rng, stage.touch_count - 1))
        if lot < TOUCH_SHARE + FAR_SHARE:
            return self.quote_deep(exchange, stage, side, stage.near_end + <int32_t>rng_below(
                rng, stage.count - stage.near_end))
        return self.quote_deep(exchange, stage, side, stage.touch_count + <int32_t>rng_below(
            rng, stage.near_end - stage.touch_count))

    cdef int recentre(self, Exchange exchange, Stage* stage) except -1:
        """Move the touch: run-over quotes go first, then an arbitrageur takes what others left."""
        cdef int64_t target = <int64_t>floor(
            (latent_usd(&self.latent) + stage.basis_usd) / stage.tick_usd)
        cdef int32_t side = SIDE_ASK if target > stage.bid_ticks else SIDE_BID   # run over
        cdef int64_t limit = target if side == SIDE_ASK else target + 1
        cdef MakerSlot* slot
        cdef int64_t best = 0
        cdef int32_t i
        self.counts.recentred += 1
        stage.bid_ticks = target
        for i in range(stage.count):
            slot = &stage.slots[side][i]
            if slot.order_id and (slot.price_ticks <= limit if side == SIDE_ASK
                                  else slot.price_ticks >= limit):
                self.pull(exchange, stage, side, i)
        if exchange.best_ticks(stage.market, side, &best) and (
                best <= limit if side == SIDE_ASK else best >= limit):
            self.take(exchange, stage, self.who.arbitrageur, 1 - side, limit,
                      llround(ARBITRAGE_USD / CONTRACT_USD))
        for i in range(stage.touch_count):
            if i < 2 or rng_unit(&self.latent.rng) < 0.5:
                self.quote_touch(exchange, stage, side, i)
                self.quote_touch(exchange, stage, 1 - side, i)
        for i in range(stage.touch_count, stage.count):
            if not stage.slots[side][i].order_id and rng_unit(&self.latent.rng) < 0.5:
                self.quote_deep(exchange, stage, side, i)
        return 0

    cdef int quote_touch(self, Exchange exchange, Stage* stage, int32_t side,
                         int32_t slot) except -1:
        """Give a touch slot a new amount at the touch; the large one is at times away."""
        cdef Rng* rng = &self.latent.rng
        cdef double usd
        cdef int64_t ticks = touch_ticks(stage, side)
        if slot == 0:
            if rng_unit(rng) < LARGE_AWAY:
                return self.pull(exchange, stage, side, slot)
            usd = draw_lognormal(rng, LARGE_USD, LARGE_SIGMA)
            if (self.latent.jump_informed and self.now_s >= self.latent.lead_s
                    and (self.latent.jump_usd > 0.0) == (side == SIDE_ASK)):
                usd *= KNOWING_FACTOR
        else:
            usd = draw_lognormal(rng, SMALL_USD, SMALL_SIGMA)
        return self.put(exchange, stage, side, slot, ticks,
                        llround(usd * stage.depth / CONTRACT_USD))

    cdef int quote_deep(self, Exchange exchange, Stage* stage, int32_t side,
                        int32_t slot) except -1:
        """Draw a new place and amount behind the touch."""
        cdef Rng* rng = &self.latent.rng
        cdef double usd, away
        cdef int64_t behind
        if slot < stage.near_end:
            behind = 1 + <int64_t>rng_below(rng, stage.near_ticks)
            usd = draw_lognormal(
                rng, NEAR_USD + NEAR_SLOPE * <double>behind * stage.tick_usd, NEAR_SIGMA)
        else:
            away = rng_unit(rng)
            behind = stage.near_ticks + <int64_t>(away * away * <double>stage.far_ticks)
            usd = draw_lognormal(rng, FAR_USD, NEAR_SIGMA)
        behind += stage.half_gap_ticks
        return self.put(exchange, stage, side, slot,
                        stage.bid_ticks - behind if side == SIDE_BID
                        else stage.bid_ticks + 1 + behind,
                        llround(usd * stage.depth / CONTRACT_USD))

    cdef int put(self, Exchange exchange, Stage* stage, int32_t side, int32_t slot,
                 int64_t price_ticks, int64_t contracts) except -1:
        return put_order(exchange, self.time_ns(self.now_s), &self.who, stage, side, slot,
                         price_ticks, contracts, &self.counts)

    cdef int pull(self, Exchange exchange, Stage* stage, int32_t side, int32_t slot) except -1:
        return pull_order(exchange, self.time_ns(self.now_s), &self.who, stage, side, slot,
                          &self.counts)

    # ---------------------------------------------------------------- takers
    cdef int burst(self, Exchange exchange, Stage* stage) except -1:
        """Some market orders of one direction at one time, most of them small."""
        cdef Rng* rng = &self.latent.rng
        cdef double mean_s = 1.0 / (self.latent.regime.burst_rate * stage.pace)
        cdef bint known = self.latent.jump_informed and self.now_s >= self.latent.lead_s
        cdef int32_t sign, side
        cdef int64_t limit = 0
        cdef double usd
        if rng_unit(rng) < BURST_QUICK_SHARE:
            stage.burst_s = self.now_s + draw_exponential(rng, BURST_QUICK_S)
        else:
            stage.burst_s = self.now_s + draw_exponential(
                rng, (mean_s - BURST_QUICK_SHARE * BURST_QUICK_S) / (1.0 - BURST_QUICK_SHARE))
        if rng_unit(rng) > SIGN_KEEP:
            stage.taker_sign = -stage.taker_sign
        sign = stage.taker_sign if rng_unit(rng) < SIGN_SEEN else -stage.taker_sign
        if known and rng_unit(rng) < INFORMED_BIAS:
            sign = 1 if self.latent.jump_usd > 0.0 else -1
        side = SIDE_BID if sign > 0 else SIDE_ASK
        if not exchange.best_ticks(stage.market, 1 - side, &limit):
            return 0
        if rng_unit(rng) < DEEP_SHARE:
            limit += DEEP_TICKS if side == SIDE_BID else -DEEP_TICKS
        self.counts.bursts += 1
        while True:
            usd = draw_lognormal(rng, CHILD_USD, CHILD_SIGMA)
            if usd > CHILD_MAX_USD:
                usd = CHILD_MAX_USD
            elif usd < CHILD_MIN_USD:
                usd = CHILD_MIN_USD
            self.take(exchange, stage, self.who.taker, side, limit, llround(usd / CONTRACT_USD))
            if rng_unit(rng) >= CHILD_MORE:
                break
        if touch_missing(exchange, stage, 1 - side):
            usd = self.now_s + draw_exponential(rng, REPAIR_S)
            if usd < stage.book_s:
                stage.book_s = usd
        return 0

    cdef int take(self, Exchange exchange, const Stage* stage, int32_t account, int32_t side,
                  int64_t limit_ticks, int64_t contracts) except -1:
        self.counts.taker_orders += 1
        return take_order(exchange, self.time_ns(self.now_s), account, stage, side, limit_ticks,
                          contracts)
