"""The machine. Read turn() first: it is the whole pipeline on one screen."""
from libc.math cimport fabs
from libc.string cimport memcmp, memset

from mmcore.budget cimport POOLS
from mmcore.diff cimport plan
from mmcore.faults cimport FAULT_DRAWDOWN, FAULT_INVARIANT, FAULT_OPERATOR
from mmcore.intake cimport FLAG_DEFERRED, FLAG_KILLED, FLAG_RECONCILE, Intake
from mmcore.journal cimport JOURNAL_CONTROL, JOURNAL_TIMER, JOURNAL_TURN, JOURNAL_WHY
from mmcore.limits cimport EDGES_NS, Day, day_number
from mmcore.observation cimport observe_markets, stays_alone
from mmcore.params cimport pairs_on
from mmcore.planning cimport Clock, PlanResult, stays_settled
from mmcore.preference cimport prefer
from mmcore.priority cimport queue_update
from mmcore.quote cimport quote_compute
from mmcore.risk cimport count_part
from mmcore.standing cimport same_room
from mmcore.states cimport REASON_JOURNAL, RISK_ACTIVE, RISK_KILLED, reason_of
from mmcore.types cimport (
    ACTION_CANCEL_ALL, ACTION_EDIT, ACTION_NEW, MARKETS_MAX, CONTROL_CONNECTED, CONTROL_CREDITS,
    CONTROL_CREDITS_LEFT, CONTROL_DISCONNECTED, CONTROL_EQUITY, CONTROL_FEE, CONTROL_FUNDING,
    CONTROL_HEDGE, CONTROL_KILL, CONTROL_MARGIN_RATE, CONTROL_MARKET_STATE, CONTROL_POSITION,
    CONTROL_PROTECTION, CONTROL_RECONCILED, CONTROL_ROUND_TRIP, CONTROL_SETTLED,
    CONTROL_SUBSCRIBED, CONTROL_UNKNOWN_RESOLVED, CONTROL_WALL_OFFSET, Action, ApprovedBatch, Why,
    request_id_of)

cdef int64_t PREFER_NS = 1_000_000_000
cdef int64_t JOURNAL_PAUSE_NS = 5_000_000_000    # quiet this long after a record was lost


cdef class Engine(Intake):
    """Decide on what Intake holds: a turn per socket read, deadlines, the operator's word."""

    # ------------------------------------------------------------------ decide
    cdef int turn(self, int64_t now_ns) except -1:
        """Decide once for every dirty market and send the result as one batch."""
        cdef Market market
        cdef double off_btc
        cdef int64_t wall_ns
        cdef int32_t due[MARKETS_MAX]           # the dirty ones
        cdef int32_t blocked[MARKETS_MAX]
        cdef int32_t i, first, count = 0
        cdef bint still
        if self.faults.code and self.risk.state != RISK_KILLED:
            self.kill()
        first = self.first_dirty()
        if first < 0:
            return 0
        self.journal.append(JOURNAL_TURN, 0, now_ns, NULL, 0)
        self.counters.decisions += 1
        self.begin_batch(now_ns)
        wall_ns = now_ns + self.wall_offset_ns if self.wall_offset_ns else 0
        still = self.is_still(first, wall_ns, now_ns)
        if still:                           # only levels moved that nobody reads: it stands
            due[0], count = first, 1
        else:
            self.unjudged = True
            observe_markets(self.markets, first, self.lead, self.windows, wall_ns, now_ns)
            self.risk.begin(&self.params.v, (<Market>self.handles[0]).price_for_limits(), now_ns)
            for i in range(self.market_count):                      # exposure
                if not (<Market>self.handles[i]).dirty:
                    if (<Market>self.handles[i]).measured:
                        continue
                else:
                    due[count] = i
                    count += 1
                market = <Market>self.handles[i]
                market.measure(self.risk.account.scale, now_ns)
                count_part(&self.risk.counted[i], &market.exposure, market.orders.open_count)
            self.risk.add_up(self.market_count)
            off_btc = self.risk.net_btc - self.target_btc()
            for i in range(count):                                  # quote, where anything changed
                market = <Market>self.handles[due[i]]
                market.inventory.net_btc = off_btc
                market.overlaid[0] = market.overlaid[1] = False
                blocked[i] = self.blocked_of(due[i], now_ns)
                if not self.keep_ladder(market, blocked[i]):
                    quote_compute(&market.spec, &market.signals.s, &market.params.v,
                                  &market.inventory, &market.stance, &market.placement, now_ns,
                                  &market.target)
            self.pairs.overlay(self.markets, self.lead, &self.params.v, now_ns)
            self.hedge.overlay(self.markets, &self.params.v, off_btc, now_ns)
            for i in range(count):                                  # risk, in sequence
                market = <Market>self.handles[due[i]]
                if market.stands:
                    continue
                self.limits.plan_exit(market, self.risk, now_ns)
                market.blocked = blocked[i]
                self.risk.approve(&market.target, market.blocked, &market.spec, &market.signals.s,
                                  &market.params.v, &market.exposure, &market.approved)
        for i in range(count):                                  # plan
            market = <Market>self.handles[due[i]]
            # what cannot leave must not be in flight; where nothing is to be done none is made
            if market.health.connected and not (still and stays_settled(
                    &market.settled_orders, market.orders, &market.params.v, now_ns)):
                self.plan_market(market, now_ns)
            market.decided(now_ns)
        if fabs(self.risk.net_btc) > self.max_abs_delta_btc:
            self.max_abs_delta_btc = fabs(self.risk.net_btc)
        return self.send(now_ns)

    cdef bint is_still(self, int32_t first, int64_t wall_ns, int64_t now_ns) noexcept:
        """Whether observing, quoting and judging anew would come to what was decided last.

        first: the first dirty market, the only one if it is to stand. Queues are followed all the
        same; what the account allows and the feed's age forbids is looked at anew.
        """
        cdef Market market = <Market>self.handles[first]
        if not market.is_still(wall_ns, now_ns) or self.is_overlaid(market) or (
                self.market_count > 1 and not stays_alone(
                    self.handles, self.market_count, self.lead, first, now_ns)):
            return False
        # every market is measured: what was counted at the last decision counts still
        self.risk.set_limits(&self.params.v, (<Market>self.handles[0]).price_for_limits(), now_ns)
        if not same_room(&market.grounds, &market.exposure, self.blocked_of(first, now_ns),
                         self.risk) or (
                market.inventory.net_btc != self.risk.net_btc - self.target_btc()):
            return False
        queue_update(market.orders, market.book)
        market.stands = True
        self.still_turns += 1
        return True

    cdef bint is_overlaid(self, Market market) noexcept:
        """Whether a hedge, a pair or a closing may take the ladder's place."""
        return (self.hedge.phase or self.pairs.phase or pairs_on(&self.params.v)
                or self.risk.flattening or market.stopping or market.calendar.ending)

    cdef bint keep_ladder(self, Market market, int32_t blocked) noexcept:
        """Whether a ladder stands."""
        if self.is_overlaid(market):
            market.grounds.known = market.stands = False
            return False
        return market.ladder_stands(blocked, self.risk)

    cdef bint step_pairs(self, int64_t now_ns) noexcept:
        """Move hedges and pairs on; once a second say which instrument is preferred."""
        cdef double net_btc = 0.0
        cdef Market market
        for market in self.markets:
            net_btc += market.position_btc()        # a fill since the last turn counts
        if now_ns >= self.prefer_ns:
            self.prefer_ns = now_ns + PREFER_NS
            prefer(self.markets, now_ns)
        if not (pairs_on(&self.params.v) or self.pairs.phase or self.hedge.phase) or (
                self.lead < 0):
            return False
        self.pairs.observe(self.markets, self.lead, &self.params.v, now_ns)
        return self.hedge.step(
            self.markets, self.pairs, self.risk, &self.params.v, net_btc - self.target_btc(),
            now_ns) | self.pairs.step(
            self.markets, self.lead, self.risk, &self.params.v, self.hedge.phase != 0, now_ns)

    cdef int send(self, int64_t now_ns) except -1:
        """Hand the batch over as the gate releases it; what it did not see kills and stays."""
        cdef const ApprovedBatch* approved
        if self.batch.count == 0:
            return 0
        approved = self.risk.release(&self.batch)
        if approved == NULL:
            self.faults.check(False, FAULT_INVARIANT)
            self.kill()
            self.batch.count = 0
            self.begin_batch(now_ns)
            approved = self.risk.release(&self.batch)
        self.counters.batches += 1
        self.sink.submit(approved, now_ns)
        return self.batch.count

    cdef void kill(self) noexcept:
        """Latch the state; the next batch begins with cancel_all, which has its own credits."""
        if self.risk.to_state(RISK_KILLED, reason_of(self.faults.code)):
            self.flags |= FLAG_KILLED
            self.cancel_all_due = True
            if self.faults.code == FAULT_DRAWDOWN and self.params.v.risk.kill_flatten < 0.5:
                self.risk.flattening = True
        self.all_dirty()

    cdef void begin_batch(self, int64_t now_ns) noexcept:
        """Empty the batch, but for the cancel_all of a kill: no budget holds it back."""
        self.batch.count = 0
        if not self.cancel_all_due:
            return
        self.cancel_all_due = False
        self.cancel_alls += 1
        memset(&self.batch.items[0], 0, sizeof(Action))
        self.batch.items[0].kind = ACTION_CANCEL_ALL
        self.batch.items[0].request_id = request_id_of(ACTION_CANCEL_ALL, 0, 0, self.cancel_alls)
        self.budget.spend(self.batch.items[0].request_id, now_ns)
        self.batch.count = 1

    cdef void plan_market(self, Market market, int64_t now_ns) noexcept:
        """Plan one market into the batch; state is in flight before anything is sent."""
        cdef PlanResult result
        cdef Clock clock
        cdef int32_t before = self.batch.count
        memset(&result, 0, sizeof(result))
        clock.now_ns = now_ns
        clock.wall_offset_ns = self.wall_offset_ns
        plan(&market.approved, market.orders, self.risk, &market.spec, &market.signals.s,
             &market.params.v, &market.exposure, self.budget, &market.rate, &clock, &self.batch,
             &result)
        market.settled_orders = result.settled
        market.waiting = result.deferred > 0 or result.refused > 0
        if result.taken:
            market.on_taken(now_ns)
            market.slice_ns = now_ns
            self.pairs.note_taken(market.taking)
            self.hedge.note_taken(market.taking, &self.params.v, now_ns)
        self.counters.deferred += result.deferred
        self.counters.refused_by_risk += result.refused
        if result.deferred:
            self.flags |= FLAG_DEFERRED
        if self.batch.count > before:
            market.measured = False         # what leaves is exposure, otherwise counted
            self.unjudged = True
            self.journal.append(JOURNAL_WHY, market.spec.index, now_ns, &market.approved.why,
                                sizeof(Why))
            self.count_actions(market, before)

    cdef void count_actions(self, Market market, int32_t first) noexcept:
        cdef int32_t k, kind
        for k in range(first, self.batch.count):
            kind = self.batch.items[k].kind
            if kind == ACTION_NEW:
                self.counters.orders_new += 1
                market.orders_new += 1
            elif kind == ACTION_EDIT:
                self.counters.orders_edit += 1
                market.orders_edit += 1
            else:
                self.counters.orders_cancel += 1
                market.orders_cancel += 1

    cdef int on_timer(self, int64_t now_ns) except -1:
        """Periodic: deadlines, then a turn for whatever they made dirty."""
        self.tick(now_ns)
        return self.turn(now_ns) if self.first_dirty() >= 0 else 0

    cdef void tick(self, int64_t now_ns) noexcept:
        """Compare stored deadlines with now; mark markets that must be looked at."""
        cdef Market market
        cdef int32_t i, late, blocked
        self.journal.append(JOURNAL_TIMER, 0, now_ns, NULL, 0)
        for i in range(self.market_count):
            market = <Market>self.handles[i]
            self.watch_orders(market, now_ns)
            if market.orders.open_count > 0:
                late = market.orders.time_out(
                    now_ns, <int64_t>(market.params.v.orders.unknown_ms * 1e6))
                if late > 0:
                    self.counters.timeouts += late
                    market.dirty = True
                if market.orders.unknown_count > 0:
                    self.flags |= FLAG_RECONCILE
            blocked = self.blocked_of(i, now_ns)
            if blocked != market.blocked or market.waiting or now_ns >= market.refresh_ns:
                market.dirty = True
            if market.book.valid and market.signals.s.mid_usd > 0.0:
                market.ledger.mark_out(market.signals.s.mid_usd, now_ns)
                market.statement.mark_to(&market.spec, market.signals.s.mid_usd)
        if self.judge_limits(
                now_ns, now_ns + self.wall_offset_ns if self.wall_offset_ns else 0):
            self.all_dirty()
        if self.market_count > 1 and self.step_pairs(now_ns):
            self.all_dirty()
        if self.faults.code and self.risk.state != RISK_KILLED:
            self.kill()
        self.budget.expire(now_ns, <int64_t>(self.params.v.orders.unknown_ms * 1e6))
        if self.journal.lost_count() != self.journal_lost:
            # what is not written down cannot be explained or replayed: no quotes until it is
            self.journal_lost = self.journal.lost_count()
            self.risk.pause_until(now_ns + JOURNAL_PAUSE_NS, REASON_JOURNAL)
            self.all_dirty()
        if self.risk.resume_when_due(now_ns):
            self.all_dirty()

    cdef bint judge_limits(self, int64_t now_ns, int64_t wall_ns) noexcept:
        """Look at the limits where they may be judged otherwise than a tick ago; True: all dirty.

        They are judged by what decisions, the operator's word and parameters change, by two clocks
        (the day, and the second in which edges are learnt), and by themselves until that settles.
        """
        cdef Day before
        cdef int64_t day = day_number(wall_ns)
        cdef uint64_t revision = self.params.revision
        cdef bint changed
        cdef int32_t i
        for i in range(self.market_count):
            revision += (<Market>self.handles[i]).params.revision
        self.risk.now_ns = now_ns
        if not (self.unjudged or revision != self.judged_revision or self.first_dirty() >= 0
                or self.risk.state != RISK_ACTIVE or self.risk.reducing
                or now_ns - self.limits.learnt_ns >= EDGES_NS
                or (day > 0 and day != self.limits.day.number)):
            return False
        before = self.limits.day
        self.judged_revision = revision
        changed = self.limits.check(self.handles, self.market_count, self.risk, self.faults,
                                    &self.params.v, now_ns, wall_ns)
        self.unjudged = memcmp(&before, &self.limits.day, sizeof(Day)) != 0
        return changed

    def forget(self):
        """Take nothing as it was: the next ladders and limits are made anew, and come out equal."""
        cdef Market market
        self.unjudged = True
        for market in self.markets:
            market.grounds.known = False

    # ------------------------------------------------------------------ control
    cdef int on_control(self, const Control* control, int64_t now_ns) noexcept:
        """Everything else that steers the engine, journalled before it takes effect."""
        cdef int32_t i
        self.journal.append(JOURNAL_CONTROL, 0, now_ns, control, sizeof(Control))
        self.risk.now_ns = now_ns
        self.unjudged = True
        if self.limits.on_control(control, self.risk):
            pass
        elif control.kind in (CONTROL_SUBSCRIBED, CONTROL_POSITION, CONTROL_MARKET_STATE,
                              CONTROL_FUNDING, CONTROL_UNKNOWN_RESOLVED, CONTROL_MARGIN_RATE,
                              CONTROL_SETTLED, CONTROL_FEE, CONTROL_PROTECTION):
            if not 0 <= control.market < self.market_count:
                return -1
            (<Market>self.markets[control.market]).on_control(control)
            self.pairs.match(self.markets, self.lead)
            if control.kind == CONTROL_SUBSCRIBED:
                self.resync_mask &= ~(<uint32_t>1 << control.market)
        elif control.kind == CONTROL_CONNECTED or control.kind == CONTROL_RECONCILED:
            for i in range(self.market_count):
                if control.kind == CONTROL_CONNECTED:
                    (<Market>self.markets[i]).health.connected = True
                else:
                    (<Market>self.markets[i]).health.reconciled = True
        elif control.kind == CONTROL_DISCONNECTED:
            self.disconnected()
        elif control.kind == CONTROL_EQUITY:
            self.equity_btc = control.real
            if self.equity_start_btc == 0.0:
                self.equity_start_btc = control.real
        elif control.kind == CONTROL_WALL_OFFSET:
            self.wall_offset_ns = control.value
        elif control.kind == CONTROL_ROUND_TRIP:
            for i in range(self.market_count):
                (<Market>self.markets[i]).inventory.round_trip_ns = control.value
        elif control.kind == CONTROL_CREDITS:
            if not 0 <= control.market < POOLS:
                return -1
            if control.value > 0 and control.real > 0.0:
                self.budget.set_limits(control.market, <double>control.value, control.real)
        elif control.kind == CONTROL_CREDITS_LEFT:
            if not 0 <= control.market < POOLS or control.value < 0:
                return -1
            self.budget.leave(control.market, <double>control.value, now_ns)
        elif control.kind == CONTROL_HEDGE:
            self.hedge.asked = control.value != 0
        elif control.kind == CONTROL_KILL:
            self.faults.check(False, <int32_t>control.value if control.value else FAULT_OPERATOR)
            self.kill()
        else:
            return -1
        self.all_dirty()
        return 0

    # ------------------------------------------------------------------ Python face
    def control(self, int32_t kind, int64_t now_ns, int32_t market=0, int64_t value=0,
                double real=0.0):
        """Send one ControlKind; ValueError where it does not fit."""
        cdef Control control
        memset(&control, 0, sizeof(control))
        control.kind, control.market, control.value, control.real = kind, market, value, real
        if self.on_control(&control, now_ns) < 0:
            raise ValueError(f"control {kind} for market {market} is not known here")

    def run_turn(self, int64_t now_ns):
        """Decide now; return the number of actions sent."""
        return self.turn(now_ns)

    def run_timer(self, int64_t now_ns):
        """Run the periodic work and a turn; return the number of actions sent."""
        return self.on_timer(now_ns)

    def run_tick(self, int64_t now_ns):
        """Run the periodic work alone: replay has the turn as a record of its own."""
        self.tick(now_ns)

    def take_flags(self):
        """Return and clear the cold work asked for since the last call."""
        flags = self.flags
        self.flags = 0
        return flags

    def configure(self, str key not None, double value):
        """Change one parameter on every market, between two decisions."""
        cdef Market market
        self.params.set(key, value)
        for market in self.markets:
            market.params.set(key, value)
        self.all_dirty()
