"""Request credits as the venue counts them (leaky pools, continuous refill)."""
from libc.string cimport memset

from mmcore.types cimport ACTION_CANCEL_ALL, ACTION_MASS_QUOTE, request_kind

cdef int64_t HOUR_NS = 3_600_000_000_000
cdef int64_t LINGER_NS = 60_000_000_000     # what was on a lost line may still arrive so late
cdef double LINGER_SHARE = 0.6              # of a burst: the rest is quoted with all the same

cdef enum:
    LEFT_BEHIND = 8                         # requests another process may have had under way


cdef inline int32_t pool_of(int64_t request_id) noexcept nogil:
    cdef int32_t kind = request_kind(request_id)
    if kind == ACTION_CANCEL_ALL:
        return POOL_CANCEL_ALL
    return POOL_MASS_QUOTE if kind == ACTION_MASS_QUOTE else POOL_TRADING


cdef class Budget:
    """The account's matching-engine pools.

    They start full at the tier of a new account (5 requests/s, burst 20; 10 and 10 of mass quotes)
    until the account summary says otherwise. The effective rate is 0.8 of the account's own, so
    that our clock and the venue's may differ. What is under way may arrive as late as now, at a
    pool that was full until then: a pool never holds more than its burst less these.
    """

    def __cinit__(self):
        cdef int32_t pool
        for pool in range(<int32_t>POOLS):
            self.pools[pool].burst = 10.0 if pool == POOL_MASS_QUOTE else 20.0
            self.pools[pool].rate = 0.8 * (10.0 if pool == POOL_MASS_QUOTE else 5.0)
            self.pools[pool].level = self.pools[pool].burst

    def configure(self, double burst, double rate):
        """Take the account's limits: burst requests, requests per second."""
        if burst < 1.0 or rate <= 0.0:
            raise ValueError(f"credit limits must be positive, not burst {burst} rate {rate}")
        self.set_limits(POOL_TRADING, burst, rate)

    cdef void set_limits(self, int32_t pool, double burst, double rate) noexcept nogil:
        self.pools[pool].rate = 0.8 * rate
        # what was spent stays spent, up or down
        self.pools[pool].level += burst - self.pools[pool].burst
        self.pools[pool].burst = burst

    cdef void leave(self, int32_t pool, double requests, int64_t now_ns) noexcept nogil:
        """Count on so many requests at most: another process may have spent the rest just now.

        What it had under way may still arrive, as from a line that was lost.
        """
        cdef double level = self.available_in(pool, now_ns)
        cdef double most = LINGER_SHARE * self.pools[pool].burst
        cdef LostLine* line
        self.pools[pool].level = requests if requests < level else level
        self.pools[pool].level_ns = now_ns
        if requests >= self.pools[pool].burst or self.lost_count == LINES_MAX:
            return                      # nobody was there
        line = &self.lost[self.lost_count]
        memset(line, 0, sizeof(LostLine))
        line.until_ns = now_ns + LINGER_NS
        line.under_way[pool] = LEFT_BEHIND if LEFT_BEHIND < most else <int32_t>most
        self.pools[pool].under_way += line.under_way[pool]
        self.lost_count += 1

    cdef double available(self, int64_t now_ns) noexcept nogil:
        """Creates, edits and cancels that may be sent now."""
        return self.available_in(POOL_TRADING, now_ns)

    cdef double available_in(self, int32_t pool, int64_t now_ns) noexcept nogil:
        """Requests a pool pays for now."""
        cdef const Pool* p = &self.pools[pool]
        cdef double level = p.level, most = p.burst - <double>p.under_way
        if now_ns > p.level_ns:
            level += <double>(now_ns - p.level_ns) * 1e-9 * p.rate
        return level if level < most else most

    cdef void draw(self, int32_t pool, int64_t now_ns) noexcept nogil:
        """Take one request out of a pool."""
        self.pools[pool].level = self.available_in(pool, now_ns) - 1.0
        self.pools[pool].level_ns = now_ns

    cdef void spend(self, int64_t request_id, int64_t now_ns) noexcept nogil:
        """Pay for one request and wait for its answer."""
        cdef int32_t i, pool = pool_of(request_id)
        self.draw(pool, now_ns)
        self.pools[pool].under_way += 1
        self.turn_hour(now_ns)
        self.otv_messages[self.otv_hour % OTV_HOURS] += 1.0
        if self.unanswered == UNANSWERED_MAX:       # the oldest will not be answered any more
            self.pools[pool_of(self.waiting[0].request_id)].overdue += 1
            for i in range(UNANSWERED_MAX - 1):
                self.waiting[i] = self.waiting[i + 1]
            self.unanswered -= 1
        self.waiting[self.unanswered].request_id = request_id
        self.waiting[self.unanswered].sent_ns = now_ns
        self.unanswered += 1

    cdef void turn_hour(self, int64_t now_ns) noexcept nogil:
        """Forget what is a day old."""
        cdef int64_t hour = now_ns // HOUR_NS
        if hour - self.otv_hour > OTV_HOURS:
            self.otv_hour = hour - OTV_HOURS
        while self.otv_hour < hour:
            self.otv_hour += 1
            self.otv_messages[self.otv_hour % OTV_HOURS] = 0.0
            self.otv_btc[self.otv_hour % OTV_HOURS] = 0.0

    cdef void traded(self, double btc, int64_t now_ns) noexcept nogil:
        """Count an own trade."""
        self.turn_hour(now_ns)
        self.otv_btc[self.otv_hour % OTV_HOURS] += btc

    cdef double order_to_volume(self, int64_t now_ns) noexcept nogil:
        """Messages per BTC traded over 24 hours, the running one included; 1 BTC at least."""
        cdef double messages = 0.0, btc = 0.0
        cdef int32_t i
        self.turn_hour(now_ns)
        for i in range(OTV_HOURS):
            messages += self.otv_messages[i]
            btc += self.otv_btc[i]
        return messages / (btc if btc > 1.0 else 1.0)

    cdef void arrived(self, int32_t pool, int32_t requests, int64_t now_ns) noexcept nogil:
        """So many requests under way have reached the venue, just now at the latest."""
        self.pools[pool].level = self.available_in(pool, now_ns)
        self.pools[pool].level_ns = now_ns
        self.pools[pool].under_way -= requests

    cdef void exhausted(self, int64_t request_id, int64_t now_ns) noexcept nogil:
        """The venue refused a request for want of credits: its pool had less than one."""
        cdef Pool* p = &self.pools[pool_of(request_id)]
        cdef double level = self.available_in(pool_of(request_id), now_ns)
        p.level = level if level < 0.0 else 0.0
        p.level_ns = now_ns

    cdef void disconnected(self, int64_t now_ns) noexcept nogil:
        """Nobody answers any more; what was on that line may arrive for a while.

        A network holds what a closed socket has handed it, and the venue pays for all that comes.
        """
        cdef LostLine* line
        cdef Pool* p
        cdef int32_t pool, i, most, before
        if self.lost_count == LINES_MAX:
            self.forget_line(now_ns)
        line = &self.lost[self.lost_count]
        line.until_ns = now_ns + LINGER_NS
        self.lost_count += 1
        for pool in range(<int32_t>POOLS):
            p = &self.pools[pool]
            before = 0
            for i in range(self.lost_count - 1):
                before += self.lost[i].under_way[pool]
            most = <int32_t>(LINGER_SHARE * p.burst) - before
            if most < 0:
                most = 0
            line.under_way[pool] = p.under_way - before
            if line.under_way[pool] > most:
                self.arrived(pool, line.under_way[pool] - most, now_ns)
                line.under_way[pool] = most
            p.overdue = 0
        self.unanswered = 0

    cdef void forget_line(self, int64_t now_ns) noexcept nogil:
        """What was on the line lost first has arrived, or never will."""
        cdef int32_t pool, i
        for pool in range(<int32_t>POOLS):
            self.arrived(pool, self.lost[0].under_way[pool], now_ns)
        self.lost_count -= 1
        for i in range(self.lost_count):
            self.lost[i] = self.lost[i + 1]

    cdef bint answered(self, int64_t request_id, int64_t now_ns) noexcept nogil:
        """Take one request off the list; False where nobody waits for it (any more).

        What was sent before it and is overdue has arrived too, or never will.
        """
        cdef int32_t i, k, pool
        for i in range(self.unanswered):
            if self.waiting[i].request_id == request_id:
                self.answered_sent_ns = self.waiting[i].sent_ns
                self.unanswered -= 1
                for k in range(i, self.unanswered):
                    self.waiting[k] = self.waiting[k + 1]
                self.arrived(pool_of(request_id), 1, now_ns)
                for pool in range(<int32_t>POOLS):
                    if self.pools[pool].overdue > 0:
                        self.arrived(pool, self.pools[pool].overdue, now_ns)
                        self.pools[pool].overdue = 0
                return True
        pool = pool_of(request_id)
        if self.pools[pool].overdue > 0:
            self.arrived(pool, 1, now_ns)
            self.pools[pool].overdue -= 1
        return False

    cdef void expire(self, int64_t now_ns, int64_t after_ns) noexcept nogil:
        """Stop waiting for answers that are overdue; the list is in order of sending."""
        cdef int32_t i, late = 0
        while self.lost_count > 0 and now_ns >= self.lost[0].until_ns:
            self.forget_line(now_ns)
        while late < self.unanswered and now_ns - self.waiting[late].sent_ns > after_ns:
            self.pools[pool_of(self.waiting[late].request_id)].overdue += 1
            late += 1
        if late > 0:
            self.unanswered -= late
            for i in range(self.unanswered):
                self.waiting[i] = self.waiting[i + late]

    def otv(self, int64_t now_ns):
        """Messages per BTC traded over 24 hours."""
        return self.order_to_volume(now_ns)

    def trade(self, double btc, int64_t now_ns):
        """Count an own trade, for tests."""
        self.traded(btc, now_ns)

    @property
    def in_flight(self):
        """Matching-engine requests without an answer."""
        return self.unanswered

    def available_at(self, int64_t now_ns, int32_t pool=0):
        """Requests of a CreditPool that may be sent at a time."""
        if not 0 <= pool < POOLS:
            raise ValueError(f"no credit pool {pool}")
        return self.available_in(pool, now_ns)

    @property
    def limits(self):
        """(burst, requests a second that are used of the account's) by the pool's name."""
        return {CreditPool(<CreditPool>pool).name: (self.pools[<int>pool].burst,
                                                    self.pools[<int>pool].rate)
                for pool in range(<int>POOLS)}

    def take_cancel_all(self, int64_t now_ns):
        """Pay for a cancel_all sent past the engine; the seconds to wait, where it cannot be."""
        cdef double level = self.available_in(POOL_CANCEL_ALL, now_ns)
        if level < 1.0:
            return (1.0 - level) / self.pools[<int>POOL_CANCEL_ALL].rate
        self.draw(POOL_CANCEL_ALL, now_ns)
        return 0.0

    def answer(self, int64_t request_id, int64_t now_ns=0):
        """An answer came; False where nobody waits for it, for tests."""
        return self.answered(request_id, now_ns)

    def disconnect(self, int64_t now_ns):
        """The line is gone, for tests."""
        self.disconnected(now_ns)

    def expire_at(self, int64_t now_ns, int64_t after_ns):
        """Stop waiting for what is overdue, for tests."""
        self.expire(now_ns, after_ns)

    def leave_at(self, double requests, int64_t now_ns):
        """Count on so many trading requests at most, for tests."""
        self.leave(POOL_TRADING, requests, now_ns)

    def refuse(self, int64_t request_id, int64_t now_ns):
        """A request was refused for want of credits, for tests."""
        self.exhausted(request_id, now_ns)

    def spend_at(self, int32_t requests, int64_t now_ns):
        """Take requests out of the pool, for tests."""
        for i in range(requests):
            self.spend(-1 - i, now_ns)


cdef bint rate_allows(const RateCap* cap, double per_s, int64_t now_ns) noexcept nogil:
    """Whether one more message keeps every second at `per_s` messages or fewer."""
    cdef uint64_t most
    cdef int64_t window_ns = 1_000_000_000
    if per_s >= RATE_MAX:
        return True
    if per_s < 1.0:                 # slower than one a second: one at a time
        if per_s <= 0.0:
            return False
        most = 1
        window_ns = <int64_t>(1e9 / per_s)
    else:
        most = <uint64_t>per_s
    return cap.count < most or now_ns - cap.sent_ns[(cap.count - most) % RATE_MAX] >= window_ns


cdef int32_t rate_room(const RateCap* cap, double per_s, int64_t now_ns,
                       int32_t most) noexcept nogil:
    """How many messages may leave now, `most` at most."""
    cdef uint64_t allowed
    cdef int32_t recent = 0
    if per_s >= RATE_MAX:
        return most
    if per_s < 1.0:
        return 1 if rate_allows(cap, per_s, now_ns) and most > 0 else 0
    allowed = <uint64_t>per_s
    while recent < <int32_t>allowed and <uint64_t>recent < cap.count and (
            now_ns - cap.sent_ns[(cap.count - 1 - recent) % RATE_MAX] < 1_000_000_000):
        recent += 1
    recent = <int32_t>allowed - recent
    return recent if recent < most else most


cdef void rate_spend(RateCap* cap, int64_t now_ns) noexcept nogil:
    cap.sent_ns[cap.count % RATE_MAX] = now_ns
    cap.count += 1
