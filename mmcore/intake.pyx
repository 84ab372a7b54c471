"""Intake: what each event of the venue changes in what the engine knows. Decides nothing."""
from mmcore.book cimport BOOK_APPLIED, BOOK_CROSSED, BOOK_GAP, BOOK_SNAPSHOT
from mmcore.faults cimport FAULT_INVARIANT
from mmcore.funding cimport funding_target_btc
from mmcore.observation cimport lead_of, react_to_taker
from mmcore.orders cimport (
    OUTCOME_INVALID, OUTCOME_POST_ONLY, OUTCOME_REJECTED, OUTCOME_STRAY, OUTCOME_UNKNOWN,
    OVERDUE_FILL, OVERDUE_PULL, Order)
from mmcore.priority cimport queue_print
from mmcore.states cimport REASON_FOREIGN
from mmcore.stats cimport histogram_record, tally_add
from mmcore.types cimport (
    ACTION_CANCEL_ALL, ACTION_CANCEL_INSTRUMENT, MARKET_UNKNOWN, ORDER_EVENT_REFUSED,
    REFUSAL_TOO_MANY, REMOVED_REFERENCE, SLOTS_MAX, SLOT_FOREIGN, delta_btc, price_usd)

cdef int64_t SECOND_PATH_NS = 250_000_000   # a pull unanswered for so long goes another way too
cdef int64_t FILL_WAIT_NS = 500_000_000     # the trade of a counted fill may take so long


cdef class Intake:
    """Owner of markets, position and risk. One state, one owner; time is an argument."""

    def __init__(self, Params params not None, instruments not None, Journal journal=None):
        if not 0 < len(instruments) <= MARKETS_MAX:
            raise ValueError(f"1 to {MARKETS_MAX} instruments, not {len(instruments)}")
        self.params = params
        self.faults = Faults()
        self.budget = Budget()
        self.budget.reserve_least = len(instruments) + 2
        self.risk = RiskGate()
        self.limits = Limits()
        self.pairs = Pairs()
        self.hedge = Hedge()
        self.journal = journal if journal is not None else Journal()
        self.sink = OrderSink()
        self.markets = [Market(spec, params, i) for i, spec in enumerate(instruments)]
        self.market_count = <int32_t>len(self.markets)
        for i in range(self.market_count):
            self.handles[i] = <void*><Market>self.markets[i]
            (<Market>self.markets[i]).health.state = MARKET_UNKNOWN
        self.lead = lead_of(self.markets)
        self.windows = TimeWindows()

    def attach(self, OrderSink sink not None):
        """Set where decisions leave the core."""
        self.sink = sink

    def take_second_path(self):
        """Return and clear the markets, a bit each, whose pull needs the second path."""
        mask = self.second_path_mask
        self.second_path_mask = 0
        return mask

    def take_trades(self):
        """Return and clear the markets, a bit each, whose own trades are to be asked for.

        Market.own_trade_seq is the highest that is booked; trades of a lower number may miss too.
        """
        mask = self.trades_mask
        self.trades_mask = 0
        return mask

    def books_missing(self):
        """Return the markets, a bit each, that have had no snapshot since they were subscribed."""
        cdef Market market
        cdef uint32_t mask = 0
        cdef int32_t i
        for i in range(self.market_count):
            market = <Market>self.markets[i]
            mask |= <uint32_t>(market.health.synced_ns == 0) << i
        return mask

    def stale_tickers(self, int64_t now_ns):
        """Return the markets, a bit each, whose last ticker is too old to quote by."""
        cdef Market market
        cdef uint32_t mask = 0
        cdef int32_t i
        for i in range(self.market_count):
            market = <Market>self.markets[i]
            if now_ns - market.signals.s.ticker_ns > <int64_t>(
                    market.params.v.risk.ticker_stale_ms * 1e6):
                mask |= <uint32_t>1 << i
        return mask

    cdef void watch_orders(self, Market market, int64_t now_ns) noexcept:
        """Ask for what the venue owes: the word on a pull, a fill it counted."""
        cdef int32_t bits = market.orders.watch(now_ns, SECOND_PATH_NS, FILL_WAIT_NS)
        cdef uint32_t bit = <uint32_t>1 << market.spec.index
        if bits & OVERDUE_PULL:
            self.counters.late_pulls += 1
            self.second_path_mask |= bit
            self.flags |= FLAG_SECOND_PATH
        if bits & OVERDUE_FILL:
            self.trades_mask |= bit
            self.flags |= FLAG_TRADES

    cdef double target_btc(self) noexcept:
        """Net position aimed at: the configured one, and what funding pays for."""
        cdef Market lead
        if self.lead < 0:
            return self.params.v.inventory.target_btc
        lead = <Market>self.handles[self.lead]
        return self.params.v.inventory.target_btc + funding_target_btc(
            &lead.signals.s, &lead.regime, &self.params.v.funding, self.risk.net_limit_btc)

    cdef int32_t blocked_of(self, int32_t i, int64_t now_ns) noexcept:
        """What forbids adding on a market; one priced from the lead adds nothing without it."""
        cdef int32_t bits = self.assess(<Market>self.handles[i], now_ns)
        if (<Market>self.handles[i]).spec.expiry_ms > 0 and self.lead >= 0:
            if (<Market>self.handles[self.lead]).signals.s.mid_usd <= 0.0 or self.assess(
                    <Market>self.handles[self.lead], now_ns):
                bits |= REMOVED_REFERENCE
        return bits

    cdef int32_t assess(self, Market market, int64_t now_ns) noexcept nogil:
        return self.risk.assess(&market.health, &market.signals.s, market.book, &market.params.v,
                                now_ns)

    cdef int32_t first_dirty(self) noexcept:
        """Index of the first market that something happened to; -1: nothing happened."""
        cdef int32_t i
        for i in range(self.market_count):
            if (<Market>self.handles[i]).dirty:
                return i
        return -1

    cdef void all_dirty(self) noexcept:
        cdef int32_t i
        for i in range(self.market_count):
            (<Market>self.markets[i]).dirty = True

    cdef int on_frame(self, int64_t now_ns) noexcept:
        """Any frame proves the connection alive."""
        self.counters.frames += 1
        self.last_frame_ns = self.risk.frame_ns = now_ns
        return 0

    cdef int on_book(self, int32_t index, const BookDelta* delta, int64_t now_ns) noexcept:
        """Apply one book message; an invalid book asks for a fresh snapshot."""
        cdef Market market = <Market>self.markets[index]
        cdef int result = market.book.apply(delta)
        market.dirty |= DUE_BOOK
        if result == BOOK_APPLIED or result == BOOK_SNAPSHOT:
            market.on_book_applied(delta, now_ns, self.wall_offset_ns)
            if result == BOOK_APPLIED:
                self.counters.book_updates += 1
            else:
                self.counters.book_snapshots += 1
                self.resync_mask &= ~(<uint32_t>1 << index)
        elif result == BOOK_GAP or result == BOOK_CROSSED:
            if result == BOOK_GAP:
                self.counters.book_gaps += 1
                market.book_gaps += 1
            else:
                self.counters.book_crossed += 1
                market.book_crossed += 1
            self.lose_book(market)
        return result

    cdef void lose_book(self, Market market) noexcept:
        market.book.invalidate()
        market.health.synced_ns = 0
        market.dirty = True
        self.resync_mask |= <uint32_t>1 << market.spec.index
        self.flags |= FLAG_RESYNC

    cdef int on_trade(self, int32_t index, const TradePrint* trade, int64_t now_ns) noexcept:
        """Take one public print into the tape."""
        cdef Market market = <Market>self.markets[index]
        cdef int32_t bits
        if trade.trade_seq > 0:             # numbered without gaps by instrument, ours among them
            if trade.trade_seq <= market.trade_seq:
                self.counters.trade_repeats += 1
                return 0
            if market.trade_seq > 0 and trade.trade_seq > market.trade_seq + 1:
                self.counters.trade_gaps += 1
                self.trades_mask |= <uint32_t>1 << index
                self.flags |= FLAG_TRADES
            market.trade_seq = trade.trade_seq
        self.counters.trades += 1
        queue_print(market.orders, trade.side, trade.price_ticks, trade.amount_contracts,
                    <int64_t>(market.params.v.orders.requote_bps * 1e-4
                              * market.signals.s.mid_usd / market.spec.tick_usd))
        bits = market.signals.on_trade(&market.spec, trade, &market.params.v, now_ns)
        market.dirty = True
        if bits:
            react_to_taker(self.markets, market, bits, trade.side, now_ns)
        return 0

    cdef int on_ticker(self, int32_t index, const TickerUpdate* ticker, int64_t now_ns) noexcept:
        """Take mark, index, band, funding and state."""
        cdef Market market = <Market>self.markets[index]
        self.counters.tickers += 1
        market.accrue(self.wall_offset_ns, now_ns)
        market.signals.on_ticker(&market.spec, ticker, now_ns)
        market.on_state(ticker.state)
        market.dirty = True
        return 0

    cdef int on_order(self, const OrderEvent* event, int64_t now_ns) noexcept:
        """Apply the venue's word about one of our orders."""
        cdef Market market
        cdef int outcome
        if event.request_id != 0 and self.budget.answered(event.request_id, now_ns):
            histogram_record(&self.round_trip_ns, now_ns - self.budget.answered_sent_ns)
        if event.kind == ORDER_EVENT_REFUSED and event.refusal == REFUSAL_TOO_MANY:
            self.budget.exhausted(event.request_id, now_ns)
        if event.market < 0 or event.market >= self.market_count or not (
                0 <= event.slot < SLOTS_MAX):
            self.counters.unknown_ids += 1
            return 0
        market = <Market>self.markets[event.market]
        market.dirty = True
        if event.request == ACTION_CANCEL_INSTRUMENT or event.request == ACTION_CANCEL_ALL:
            market.orders.pull_answered(event.request_id, event.kind == ORDER_EVENT_REFUSED)
            return 0                    # a count; each order reports for itself
        outcome = market.orders.on_event(event, now_ns)
        if outcome & OUTCOME_INVALID:
            self.faults.check(False, FAULT_INVARIANT)
        if outcome & OUTCOME_STRAY:
            self.counters.unknown_ids += 1
        if outcome & OUTCOME_UNKNOWN:
            self.flags |= FLAG_RECONCILE
        if outcome & OUTCOME_REJECTED:
            self.counters.rejects += 1
            market.rejects += 1
            tally_add(&self.reject_codes, event.error_code)
            self.counters.post_only_rejects += (outcome & OUTCOME_POST_ONLY) != 0
            if self.risk.on_reject(&self.params.v.risk, now_ns):
                self.all_dirty()
        return outcome

    cdef int32_t outstanding(self, int32_t market, int32_t slot, int64_t request_id) noexcept:
        """ActionKind an order's slot awaits by this request; 0 where it is not waited for."""
        cdef const Order* order
        if not 0 <= market < self.market_count or not 0 <= slot < SLOTS_MAX:
            return 0
        order = &(<Market>self.markets[market]).orders.orders[slot]
        return order.request if order.request_id == request_id else 0

    cdef int on_fill(self, const Fill* fill, int64_t now_ns) noexcept:
        """Book one trade of ours, once; a late one too."""
        cdef Market market
        cdef double worth_btc
        if fill.market < 0 or fill.market >= self.market_count:
            self.counters.foreign_fills += 1
            return 0
        market = <Market>self.markets[fill.market]
        if market.ledger.is_duplicate(fill.trade_id):
            self.counters.duplicate_fills += 1
            return 0
        if fill.trade_seq > market.own_trade_seq:
            market.own_trade_seq = fill.trade_seq
        worth_btc = delta_btc(&market.spec, fill.amount_contracts,
                              price_usd(&market.spec, fill.price_ticks))
        market.accrue(self.wall_offset_ns, now_ns)
        market.book_trade(fill, now_ns)
        if self.market_count > 1:
            self.pairs.match(self.markets, self.lead)
            self.pairs.on_fill(market, self.lead, fill)
            self.hedge.on_fill(market, fill, worth_btc)
        self.budget.traded(worth_btc, now_ns)
        self.limits.on_fill(market, fill, self.risk, self.faults, &self.params.v, now_ns)
        if fill.slot == SLOT_FOREIGN:
            # somebody else trades on this account: what we know of it is not all there is
            self.risk.pause_until(0, REASON_FOREIGN)
        if not 0 <= fill.slot < SLOTS_MAX or not market.orders.book_fill(
                fill.slot, fill.generation, fill.amount_contracts):
            self.counters.foreign_fills += 1
        else:
            market.on_quote_filled(fill, now_ns)
        self.all_dirty()                # net delta moved: every market's skew did
        return 1

    cdef int on_malformed(self, int32_t index, int64_t now_ns) noexcept:
        """Count a message that cannot be trusted; a broken book message costs the book."""
        self.counters.malformed += 1
        if 0 <= index < self.market_count:
            self.lose_book(<Market>self.markets[index])
        return 0

    cdef void disconnected(self) noexcept:
        """Every live order is unknown, every book invalid, nothing is in flight any more."""
        cdef Market market
        cdef int32_t i
        self.budget.disconnected(self.risk.now_ns)
        for i in range(self.market_count):
            market = <Market>self.markets[i]
            market.health.connected = False
            market.health.reconciled = False
            market.health.synced_ns = 0
            market.trade_seq = 0            # prints go on without us
            market.book.invalidate()
            market.orders.lose_all()
        self.flags |= FLAG_RECONCILE
