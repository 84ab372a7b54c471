"""Trigger orders; see triggers.pxd.

A market's untriggered orders hang on one list by the links that queue a resting order in its level.
One that is reached ends as `triggered`, and an order of its own, with an id of its own, is placed
for what it asked.
"""
from libc.string cimport memcpy, memset

from connectors.sim.matching cimport MatchBook
from connectors.sim.orders cimport (
    LABEL_MAX, ORDER_TRIGGERED, SLOT_NONE, TRIGGER_NONE, TRIGGER_STOP, OrderRequest, Outcome,
    SimOrder,
)
from mmcore.types cimport MARKET_OPEN, SIDE_BID, VENUE_ORDER_UNTRIGGERED, price_usd


cdef class Triggers(Quotes):
    """Orders that wait for a price."""

    cdef int link_trigger(self, int32_t slot) except -1:
        """Keep an untriggered order with its market."""
        cdef SimOrder* order = &self.pool.items[slot]
        cdef int32_t head = self.data[order.market].trigger_head - 1
        order.prev = SLOT_NONE
        order.next = head
        if head != SLOT_NONE:
            self.pool.items[head].prev = slot
        self.data[order.market].trigger_head = slot + 1
        return 0

    cdef int unlink_trigger(self, int32_t slot) except -1:
        cdef SimOrder* order = &self.pool.items[slot]
        if order.prev != SLOT_NONE:
            self.pool.items[order.prev].next = order.next
        else:
            self.data[order.market].trigger_head = order.next + 1
        if order.next != SLOT_NONE:
            self.pool.items[order.next].prev = order.prev
        order.prev = SLOT_NONE
        order.next = SLOT_NONE
        return 0

    cdef int close_order(self, int64_t t_ns, int32_t slot, int32_t state,
                         int32_t reason) except -1:
        """End an open order; an untriggered one leaves its market's list first."""
        if self.pool.items[slot].state == VENUE_ORDER_UNTRIGGERED:
            self.unlink_trigger(slot)
        return Quotes.close_order(self, t_ns, slot, state, reason)

    cdef int change_trigger(self, int64_t t_ns, int32_t slot, const OrderRequest* request,
                            Outcome* out) except -1:
        """Edit an order that still waits for its price."""
        cdef SimOrder* order = &self.pool.items[slot]
        order.trigger_ticks = request.trigger_ticks
        order.price_ticks = request.price_ticks
        order.amount_contracts = request.amount_contracts
        self.set_reduce_only(order, request.reduce_only)
        order.replaced = True
        order.updated_ns = t_ns
        return self.tell_order(t_ns, slot)

    cdef bint reached(self, int32_t slot) except -1:
        cdef const SimOrder* order = &self.pool.items[slot]
        cdef double now = self.trigger_price(order.market, order.trigger_by)
        cdef double at = price_usd(&(<MatchBook>self.books[order.market]).spec,
                                   order.trigger_ticks)
        if now <= 0.0:
            return False
        if (order.trigger == TRIGGER_STOP) == (order.side == SIDE_BID):
            return now >= at
        return now <= at

    cdef int check_triggers(self, int64_t t_ns, int32_t market) except -1:
        """Fire what a market's prices have reached, oldest order first."""
        cdef int32_t slot, found
        if self.data[market].trigger_head == 0 or self.data[market].state != MARKET_OPEN:
            return 0
        # Whatever fires may trade, and a trade may end others: look again after each.
        while True:
            found = SLOT_NONE
            slot = self.data[market].trigger_head - 1
            while slot != SLOT_NONE:
                if self.reached(slot) and (found == SLOT_NONE or self.pool.items[slot].order_id
                                           < self.pool.items[found].order_id):
                    found = slot
                slot = self.pool.items[slot].next
            if found == SLOT_NONE:
                return 0
            self.fire(t_ns, found)

    cdef int fire(self, int64_t t_ns, int32_t slot) except -1:
        """End a trigger order and place what it asked for."""
        cdef OrderRequest request
        cdef Outcome out
        cdef SimOrder* order = &self.pool.items[slot]
        cdef int32_t connection = order.connection
        cdef int32_t account = order.account
        memset(&request, 0, sizeof(request))
        request.market = order.market
        request.side = order.side
        request.kind = order.kind
        request.time_in_force = order.time_in_force
        request.price_ticks = order.price_ticks
        request.amount_contracts = order.amount_contracts
        request.post_only = order.post_only
        request.reject_post_only = order.reject_post_only
        request.reduce_only = order.reduce_only
        request.trigger = TRIGGER_NONE
        request.parent_id = order.order_id
        request.label_size = order.label_size
        memcpy(request.label, order.label, LABEL_MAX)
        self.close_order(t_ns, slot, ORDER_TRIGGERED, 0)
        self.accept(t_ns, connection, account, &request, 0, &out)
        return self.outputs.on_event_end(t_ns)
