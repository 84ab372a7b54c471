"""See script.pxd. For comparisons with other simulators and for tests of the fill models."""
from libc.string cimport memset

from connectors.sim.direct cimport write_number
from connectors.sim.exchange cimport Exchange
from connectors.sim.inflight cimport DELIVER_ORDER, Delivery, Request
from mmcore.types cimport (
    ACTION_CANCEL, ACTION_NEW, ORDER_EVENT_ACCEPTED, ORDER_EVENT_REFUSED, Action)

cdef int64_t NEVER_NS = 0x7FFFFFFFFFFFFFFF
cdef enum:
    NUMBER_MAX = 0xFFFFFE               # orders are told apart by the generation in their label


cdef class ScriptedOrders:
    """Post-only orders and cancels of one account, each sent at its time, in order of time.

    venue: of one market; player: the recording. Orders are numbered by the caller, from 0.
    """

    def __init__(self, DirectVenue venue not None, Player player not None):
        self.venue = venue
        self.player = player
        self.order_ids = {}
        self.refusals = {}

    def place(self, int64_t t_ns, int64_t number, int32_t side, int64_t price_ticks,
              int64_t amount_contracts):
        """Send a post-only order, which is refused where it would trade at once."""
        cdef Action action
        if not 0 <= number <= NUMBER_MAX:
            raise ValueError(f"order number {number}: 0 to {NUMBER_MAX}")
        memset(&action, 0, sizeof(Action))
        action.kind = ACTION_NEW
        action.generation = <unsigned int>(number + 1)
        action.request_id = number + 1
        action.side = side
        action.post_only = True
        action.price_ticks = price_ticks
        action.amount_contracts = amount_contracts
        self.venue.send(&action, t_ns, t_ns + self.venue.entry.draw(t_ns))

    def cancel(self, int64_t t_ns, int64_t number):
        """Send the cancel of an order placed before."""
        cdef Action action
        memset(&action, 0, sizeof(Action))
        action.kind = ACTION_CANCEL
        action.generation = <unsigned int>(number + 1)
        action.request_id = number + 1
        self.venue.send(&action, t_ns, t_ns + self.venue.entry.draw(t_ns))

    def run(self, int64_t until_ns=NEVER_NS):
        """Play the recording up to a time, or to its end; carry out every order at its time.

        Fills are in venue.fills, whose generation is the order's number plus one.
        """
        self.loop(until_ns)

    @property
    def due_ns(self):
        """When the next recorded message is played; NEVER_NS behind the last."""
        return self.player.due_ns

    @property
    def touch(self):
        """Best bid and ask of the exchange now, in ticks; None where a side is empty."""
        cdef int64_t bid = 0
        cdef int64_t ask = 0
        if not (self.venue.exchange.best_ticks(0, 0, &bid)
                and self.venue.exchange.best_ticks(0, 1, &ask)):
            return None
        return bid, ask

    cdef int loop(self, int64_t until_ns) except -1:
        cdef Exchange exchange = self.venue.exchange
        cdef int64_t request_ns, timer_ns, due_ns
        while self.player.due_ns != NEVER_NS:
            request_ns = self.venue.requests.due_ns
            timer_ns = exchange.next_100ms_ns
            due_ns = min(self.player.due_ns, request_ns, timer_ns)
            if due_ns > until_ns:
                break
            if self.player.due_ns == due_ns:
                self.player.step(exchange)
            elif request_ns == due_ns:
                self.name_order()
                self.venue.arrive()
                self.read_answers()
            else:
                exchange.advance(timer_ns)
        return 0

    cdef int name_order(self) except -1:
        """Write the exchange's id into the cancel that arrives next."""
        cdef Request* request = &self.venue.requests.items[
            self.venue.requests.head & (self.venue.requests.capacity - 1)]
        if request.action.kind == ACTION_CANCEL:
            request.action.order_id_size = write_number(
                self.order_ids.get(request.action.generation - 1, 1), request.action.order_id)
        return 0

    cdef int read_answers(self) except -1:
        """Learn ids and refusals; the rest of what the exchange says is in its fills."""
        cdef Delivery* delivery
        while self.venue.answers.count:
            delivery = self.venue.answers.pop()
            if delivery.kind != DELIVER_ORDER or delivery.what.order.request != ACTION_NEW:
                continue
            number = delivery.what.order.request_id - 1
            if delivery.what.order.kind == ORDER_EVENT_ACCEPTED:
                self.order_ids[number] = int(
                    delivery.what.order.order_id[:delivery.what.order.order_id_size])
            elif delivery.what.order.kind == ORDER_EVENT_REFUSED:
                self.refusals[number] = delivery.what.order.error_code
        while self.venue.feed.count:
            self.venue.feed.pop()
        return 0
