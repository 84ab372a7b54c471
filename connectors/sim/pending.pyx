"""The matching engine's queue; see pending.pxd."""
from connectors.sim.account cimport Account, currency_of
from connectors.sim.checks cimport (
    SIM_CANCELLED_BY_USER, SIM_LOCK_TIME, SIM_PENDING, SIM_QUEUE_FULL, SIM_REPLACED,
)
from connectors.sim.matching cimport MatchBook
from connectors.sim.orders cimport CANCEL_USER_REQUEST, SCOPE_ANY, SLOT_NONE
from connectors.sim.rng cimport rng_below
from connectors.sim.waiting cimport (
    HELD_SUBMIT, WAIT_CANCEL, WAIT_CANCEL_ALL, WAIT_EDIT, WAIT_QUOTE, WAIT_QUOTE_PART,
    WAIT_SUBMIT,
)

cdef int64_t LOCK_NS = 5000000000       # a request that cannot start within it is refused


cdef class Pending(Settlement):
    """Requests in the queue and what becomes of them."""

    def set_processing(self, int64_t min_ns, int64_t max_ns):
        """Let every request take a time drawn between the two; 0 and 0 switch the queue off."""
        if not 0 <= min_ns <= max_ns:
            raise ValueError(f"processing time {min_ns} to {max_ns} ns: 0 <= least <= most")
        self.processing_min_ns = min_ns
        self.processing_max_ns = max_ns

    cdef bint queues(self, int32_t account) except -1:
        return self.processing_max_ns > 0 and not (<Account>self.accounts[account]).silent

    cdef int32_t queue_of(self, int32_t kind, int64_t order_id, const OrderRequest* request,
                          int32_t currency) except -1:
        """The currency whose queue a request stands in."""
        cdef int32_t market = request.market
        cdef int32_t slot
        if kind == WAIT_EDIT or kind == WAIT_CANCEL:
            slot = self.pool.find(order_id)
            market = self.pool.items[slot].market if slot != SLOT_NONE else 0
        if kind == WAIT_CANCEL_ALL and market < 0:
            return max(0, currency)
        return currency_of(&(<MatchBook>self.books[market]).spec)

    cdef int enqueue(self, int64_t t_ns, int32_t kind, int32_t connection, int32_t account,
                     int64_t order_id, const OrderRequest* request, int32_t currency,
                     bint labelled, Outcome* out, int32_t scope=SCOPE_ANY) except -1:
        """Put a request behind the account's others; full, late and overtaken ones are refused."""
        cdef Waiting entry
        cdef const Waiting* head
        cdef int64_t free_ns = t_ns
        cdef int64_t takes_ns = self.processing_min_ns + <int64_t>rng_below(
            &self.rng, self.processing_max_ns - self.processing_min_ns + 1)
        entry.kind = kind
        entry.account = account
        entry.connection = connection
        entry.order_id = order_id
        entry.request = request[0]
        entry.only_currency = currency
        entry.labelled = labelled
        entry.scope = scope
        entry.currency = self.queue_of(kind, order_id, request, currency)
        self.begin(max(0, request.market), out)
        self.overtake(t_ns, &entry)
        head = self.quote_head(account) if kind == WAIT_QUOTE_PART else NULL
        if head != NULL:
            entry.too_late = head.too_late
            entry.due_ns = head.due_ns
        elif self.waits.queued(account, entry.currency, &free_ns) > QUEUE_MAX:
            out.error = SIM_QUEUE_FULL
            return 0
        else:
            entry.too_late = free_ns - t_ns > LOCK_NS
            entry.due_ns = t_ns + LOCK_NS if entry.too_late else free_ns + takes_ns
            entry.kind = WAIT_QUOTE if kind == WAIT_QUOTE_PART else kind
        entry.ticket = self.next_ticket()
        self.waits.add(&entry)
        self.due_ns = min(self.due_ns, entry.due_ns)
        out.error = SIM_PENDING
        out.ticket = entry.ticket
        out.kind = kind
        out.account = account
        return 0

    cdef const Waiting* quote_head(self, int32_t account) noexcept nogil:
        """The first side of an account's last mass quote in the queue, or NULL."""
        cdef const Waiting* found = NULL
        cdef int32_t i
        for i in range(self.waits.count):
            if (self.waits.items[i].account == account and self.waits.items[i].kind == WAIT_QUOTE
                    and (found == NULL or self.waits.items[i].ticket > found.ticket)):
                found = &self.waits.items[i]
        return found

    cdef bint overtaken(self, const Waiting* old, const Waiting* entry) except -1:
        """Does a new request make a waiting one pointless?"""
        cdef int32_t slot
        if old.account != entry.account:
            return False
        if entry.kind == WAIT_EDIT:
            return old.kind == WAIT_EDIT and old.order_id == entry.order_id
        if entry.kind != WAIT_CANCEL_ALL or old.kind > WAIT_EDIT:
            return False
        if old.kind == WAIT_EDIT:
            slot = self.pool.find(old.order_id)
            return slot != SLOT_NONE and self.matches(
                &self.pool.items[slot], entry.request.market, entry.only_currency, -1,
                entry.request.label[:entry.request.label_size] if entry.labelled else None,
                entry.scope)
        return (entry.scope == SCOPE_ANY
                and (entry.request.market < 0 or old.request.market == entry.request.market)
                and (entry.only_currency < 0 or old.currency == entry.only_currency)
                and (not entry.labelled or old.request.label[:old.request.label_size]
                     == entry.request.label[:entry.request.label_size]))

    cdef int overtake(self, int64_t t_ns, const Waiting* entry) except -1:
        """Answer what waits behind the request being processed and is overtaken by a new one."""
        cdef Waiting old
        cdef Outcome out
        cdef int32_t i = 0
        cdef bint first = True      # the first of the queue is being processed already
        while i < self.waits.count:
            if (self.waits.items[i].account != entry.account
                    or self.waits.items[i].currency != entry.currency
                    or self.waits.items[i].kind >= HELD_SUBMIT):
                i += 1
                continue
            if first or not self.overtaken(&self.waits.items[i], entry):
                first = False
                i += 1
                continue
            old = self.waits.items[i]
            self.waits.remove(i)
            self.begin(max(0, old.request.market), &out)
            out.error = SIM_REPLACED if entry.kind == WAIT_EDIT else SIM_CANCELLED_BY_USER
            self.tell_outcome(t_ns, &old, &out)
        return 0

    cdef int run_waiting(self, int64_t t_ns) except -1:
        """Carry out what is due."""
        cdef Waiting entry
        while self.waits.due_ns() <= t_ns:
            entry = self.waits.items[0]
            self.waits.remove(0)
            if entry.kind >= HELD_SUBMIT:
                self.release_held(t_ns, &entry)
            else:
                self.run_one(t_ns, &entry)
        return 0

    cdef int run_one(self, int64_t t_ns, const Waiting* entry) except -1:
        cdef Outcome out
        cdef bytes label = None
        if entry.too_late:
            self.begin(max(0, entry.request.market), &out)
            out.error = SIM_LOCK_TIME
        elif entry.kind == WAIT_SUBMIT:
            self.accept(t_ns, entry.connection, entry.account, &entry.request, entry.ticket, &out)
        elif entry.kind == WAIT_EDIT:
            self.change(t_ns, entry.account, entry.order_id, &entry.request, entry.ticket, &out)
        elif entry.kind == WAIT_QUOTE or entry.kind == WAIT_QUOTE_PART:
            self.quote_side(t_ns, entry.connection, entry.account, &entry.request, entry.ticket,
                            &out)
        elif entry.kind == WAIT_CANCEL:
            self.withdraw(t_ns, entry.account, entry.order_id, &out)
        else:
            if entry.labelled:
                label = entry.request.label[:entry.request.label_size]
            self.withdraw_all(t_ns, entry.account, entry.request.market, entry.only_currency,
                              -1, label, CANCEL_USER_REQUEST, entry.scope, &out)
        if out.error == SIM_PENDING:
            return 0            # now a speed bump holds it, under the same ticket
        return self.tell_outcome(t_ns, entry, &out)

    cdef int tell_outcome(self, int64_t t_ns, const Waiting* entry, Outcome* out) except -1:
        out.ticket = entry.ticket
        out.kind = entry.kind
        out.account = entry.account
        self.outputs.on_outcome(t_ns, out)
        return self.outputs.on_event_end(t_ns)
