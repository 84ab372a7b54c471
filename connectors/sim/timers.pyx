"""What happens by itself as time passes; see timers.pxd."""
from connectors.sim.levels cimport INTERVAL_100MS, INTERVAL_AGG2, INTERVAL_RAW
from connectors.sim.marking cimport IndexState, MarketData, funding_step, mark_step, round_cents
from connectors.sim.matching cimport MatchBook
from connectors.sim.outputs cimport BookUpdate
from mmcore.types cimport MARKET_DELIVERED, price_usd

cdef int64_t MS = 1000000
cdef int64_t TENTH = 100 * MS
cdef int64_t SECOND = 1000 * MS
cdef int64_t HOUR = 3600 * SECOND
cdef int64_t DAY = 24 * HOUR
cdef int64_t TICKER_QUIET = 5 * SECOND


cdef class Timers(Pending):
    """Marks, funding, publication and expiry on the exchange's clock."""

    cdef int run_timers(self, int64_t t_ns) except -1:
        cdef int32_t market
        cdef MatchBook book
        cdef int64_t at
        if self.now_ns == 0:
            self.next_100ms_ns = (t_ns // TENTH + 1) * TENTH
            self.next_second_ns = (t_ns // SECOND + 1) * SECOND
            self.next_expiry_ns = ((t_ns - 8 * HOUR) // DAY + 1) * DAY + 8 * HOUR
            self.due_ns = self.next_100ms_ns
        while self.due_ns <= t_ns:
            at = self.due_ns
            self.now_ns = at
            self.run_waiting(at)
            for market in range(self.market_count):
                book = self.books[market]
                if 0 < book.feed.raw_due_ns <= at:
                    self.flush_raw(at, market)
            if self.next_expiry_ns <= at:
                self.begin_settlement(at)
                self.next_expiry_ns += DAY
            if 0 < self.settled_ns <= at:
                self.end_settlement(at)
            if self.next_100ms_ns <= at:
                self.next_100ms_ns += TENTH
                self.tick_100ms(at)
            self.set_due()
        self.now_ns = max(self.now_ns, t_ns)
        return 0

    cdef int set_due(self) noexcept:
        """Find the earliest timer."""
        cdef int32_t market
        cdef MatchBook book
        self.due_ns = min(self.next_100ms_ns, self.waits.due_ns())
        for market in range(self.market_count):
            book = self.books[market]
            if book.feed.raw_due_ns > 0:
                self.due_ns = min(self.due_ns, book.feed.raw_due_ns)
        return 0

    cdef int tick_100ms(self, int64_t t_ns) except -1:
        """Marks and funding, then what is shown every 100 ms and every second."""
        cdef int32_t market, i
        cdef bint second = self.next_second_ns <= t_ns
        for market in range(self.market_count):
            if self.data[market].state >= MARKET_DELIVERED:
                continue
            self.update_mark(t_ns, market, TENTH)
            self.check_triggers(t_ns, market)
            self.flush_trades(t_ns, market, INTERVAL_100MS)
            self.flush_book(t_ns, market, INTERVAL_100MS)
            self.outputs.on_window(t_ns, market, INTERVAL_100MS)
            if second:
                self.flush_trades(t_ns, market, INTERVAL_AGG2)
                self.flush_book(t_ns, market, INTERVAL_AGG2)
                self.outputs.on_window(t_ns, market, INTERVAL_AGG2)
            self.tell_ticker(t_ns, market)
        self.check_margins(t_ns)
        if second:
            self.sample_indexes(t_ns)
            self.next_second_ns += SECOND
            for i in range(self.index_count):
                if self.indexes[i].price_usd > 0.0:
                    self.outputs.on_index(t_ns, i)
        return 0

    cdef int update_mark(self, int64_t t_ns, int32_t market, int64_t step_ns) except -1:
        cdef MarketData* data = &self.data[market]
        cdef IndexState* index = &self.indexes[data.index]
        cdef MatchBook book = self.books[market]
        cdef double mid = 0.0
        if self.is_spread(market):
            data.mark_usd = round_cents(self.data[data.legs[0]].mark_usd
                                        - self.data[data.legs[1]].mark_usd)
            return 0
        if book.levels.count[0] > 0 and book.levels.count[1] > 0:
            mid = 0.5 * (price_usd(&book.spec, book.levels.best_ticks[0])
                         + price_usd(&book.spec, book.levels.best_ticks[1]))
            if not index.recorded and index.market == market:
                index.price_usd = mid
        mark_step(data, mid, index.price_usd, t_ns, step_ns)
        funding_step(data, &book.spec, index.price_usd, t_ns)
        return 0

    cdef int tell_ticker(self, int64_t t_ns, int32_t market) except -1:
        cdef MarketData* data = &self.data[market]
        if data.ticker_changed or t_ns - data.ticker_ns >= TICKER_QUIET:
            data.ticker_changed = False
            data.ticker_ns = t_ns
            self.outputs.on_ticker(t_ns, market, INTERVAL_100MS)
            self.outputs.on_ticker(t_ns, market, INTERVAL_RAW)  # a touch that rests says nothing
        if self.next_second_ns <= t_ns:
            self.outputs.on_ticker(t_ns, market, INTERVAL_AGG2)
        return 0

    cdef int flush_book(self, int64_t t_ns, int32_t market, int32_t interval) except -1:
        cdef BookUpdate update
        cdef MatchBook book = self.books[market]
        if book.feed.flush(interval, &update):
            update.t_ns = t_ns
            update.market = market
            self.outputs.on_book(&update)
        return 0

    cdef int flush_trades(self, int64_t t_ns, int32_t market, int32_t interval) except -1:
        """Tell of the trades since the interval's last flush; the log holds all markets'."""
        cdef MarketData* data = &self.data[market]
        cdef int64_t first = max(data.trades_shown[interval], self.trades.first())
        if first < self.trades.count and data.trades_told[interval] != data.trade_seq:
            self.outputs.on_trades(t_ns, market, interval, first, self.trades.count)
        data.trades_told[interval] = data.trade_seq
        data.trades_shown[interval] = self.trades.count
        return 0

    cdef int flush_raw(self, int64_t t_ns, int32_t market) except -1:
        """What a raw subscriber sees: trades first, then the book, then the touch."""
        cdef MarketData* data = &self.data[market]
        cdef MatchBook book = self.books[market]
        cdef int64_t ticks = 0
        cdef int64_t touch[4]
        cdef int32_t side
        book.feed.raw_due_ns = 0
        if data.mark_usd <= 0.0:
            self.update_mark(t_ns, market, 0)
        self.flush_trades(t_ns, market, INTERVAL_RAW)
        self.flush_book(t_ns, market, INTERVAL_RAW)
        self.check_triggers(t_ns, market)
        for side in range(2):
            touch[2 * side] = 0
            touch[2 * side + 1] = 0
            if self.best_ticks(market, side, &ticks):
                touch[2 * side] = ticks
                touch[2 * side + 1] = self.level_contracts(market, side, ticks)
        if (touch[0] != data.best_bid[0] or touch[1] != data.best_bid[1]
                or touch[2] != data.best_ask[0] or touch[3] != data.best_ask[1]):
            data.best_bid[0] = touch[0]
            data.best_bid[1] = touch[1]
            data.best_ask[0] = touch[2]
            data.best_ask[1] = touch[3]
            self.outputs.on_quote(t_ns, market)
            self.outputs.on_ticker(t_ns, market, INTERVAL_RAW)
        return 0
