"""OwnFeed: see own.pxd. Every message is checked whole before any of it is applied."""
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.math cimport isfinite
from libc.stdint cimport uint32_t
from libc.string cimport memset

from connectors.deribit.codes cimport (
    FAILED, MMP_REQUIRED, MMP_TRIGGER, ORDER_NOT_FOUND, TIMED_OUT, UNAUTHORIZED, not_logged_in,
    refusal_of_code)
from connectors.deribit.decode cimport fill_of, order_event_of, same_name
from mmcore.states cimport REASON_LIQUIDATION
from mmcore.types cimport (
    ACTION_CANCEL, ACTION_CANCEL_ALL, ACTION_CANCEL_INSTRUMENT, ACTION_EDIT, ACTION_MASS_QUOTE,
    ACTION_NEW, CONTROL_FUNDING, CONTROL_PAUSE, CONTROL_PROTECTION, LEVELS_MAX, ORDER_EVENT_ABSENT,
    ORDER_EVENT_ACCEPTED, ORDER_EVENT_REFUSED, ORDER_EVENT_UPDATE, REFUSAL_GONE, REFUSAL_NO_EFFECT,
    REFUSAL_POST_ONLY, REFUSAL_TOO_MANY, SIDE_ASK, SIDE_BID, VENUE_ORDER_CANCELLED, Control,
    InstrumentSpec, contracts_of_amount, request_kind, request_market, request_slot)

import msgspec

from connectors.deribit import messages
from connectors.deribit.endpoints import price_index

cdef object NOT_SENT = msgspec.UNSET
# reasons of a cancel that say the venue looks after our risk itself
cdef frozenset FORCED = frozenset((
    "autoliquidation", "risk_mitigation", "pme_risk_reduction", "pme_account_locked",
    "position_locked"))
cdef tuple decoders = (
    msgspec.json.Decoder(messages.UserChangesNotification).decode,
    msgspec.json.Decoder(messages.UserOrdersNotification).decode,
    msgspec.json.Decoder(messages.UserTradesNotification).decode,
)
cdef object decode_order = msgspec.json.Decoder(messages.OrderAnswer).decode
cdef object decode_cancel = msgspec.json.Decoder(messages.CancelAnswer).decode
cdef object decode_cancel_all = msgspec.json.Decoder(messages.CancelAllAnswer).decode
cdef object decode_mass = msgspec.json.Decoder(messages.MassQuoteAnswer).decode
cdef object decode_trades = msgspec.json.Decoder(messages.TradePageAnswer).decode
cdef object decode_query = msgspec.json.Decoder(messages.OrderListAnswer).decode


cdef class OwnFeed:
    """Decoder of own orders, trades and positions; part of a DeribitFeed."""

    def __cinit__(self, *args, **kwargs):
        self.orders = <OrderEvent*>PyMem_Malloc(OWN_EVENTS_MAX * sizeof(OrderEvent))
        self.fills = <Fill*>PyMem_Malloc(OWN_EVENTS_MAX * sizeof(Fill))
        if not (self.orders and self.fills):
            raise MemoryError

    def __dealloc__(self):
        PyMem_Free(self.orders)
        PyMem_Free(self.fills)

    def __init__(self, Engine engine not None, list specs not None, Labels labels not None):
        cdef InstrumentSpec spec
        if not 0 < len(specs) <= MARKETS_MAX:
            raise ValueError(f"{len(specs)} instruments: from 1 to {MARKETS_MAX} fit")
        self.engine = engine
        self.labels = labels
        self.market_count = <int32_t>len(specs)
        for i, spec in enumerate(specs):
            self.specs[<int>i] = spec.c
        self.price_indexes = [price_index(s.name) for s in specs]
        self.groups = frozenset([labels.group(rung) for rung in range(LEVELS_MAX)])

    cdef int32_t market_named(self, object name) noexcept:
        cdef int32_t i
        for i in range(self.market_count):
            if same_name(name, &self.specs[i]):
                return i
        return -1

    cdef int on_notification(self, FrameView view, int32_t shape, int64_t now_ns) except -1:
        """Apply own orders, trades and positions; 0 where any of them is malformed."""
        cdef object message = view.decoded(decoders[shape])
        cdef int32_t fill_count = 0, order_count = 0, i
        cdef object data
        cdef list orders = [], trades = [], positions = []
        if message is None:
            return 0
        data = message.params.data
        if shape == OWN_CHANGES:
            orders, trades, positions = data.orders, data.trades, data.positions
        elif shape == OWN_ORDERS:
            orders = data if isinstance(data, list) else [data]
        else:
            trades = data
        if not (self.take_fills(trades, &fill_count) and self.take_orders(orders, &order_count)
                and self.positions_fit(positions)):
            return 0
        # Fills first: closing an order before its fill is booked would understate exposure.
        for i in range(fill_count):
            self.engine.on_fill(&self.fills[i], now_ns)
        for i in range(order_count):
            self.engine.on_order(&self.orders[i], now_ns)
        for position in positions:
            self.take_position(position, now_ns)
        if self.risky:
            self.on_liquidation(now_ns)
        return 1

    cdef int take_fills(self, list trades, int32_t* count) except -1:
        cdef int32_t market
        count[0] = 0
        if len(trades) > OWN_EVENTS_MAX:
            return 0
        for trade in trades:
            market = self.market_named(trade.instrument_name)
            if market < 0:
                self.foreign += 1
                continue
            if not fill_of(trade, &self.specs[market], market, &self.labels.scheme,
                           &self.fills[count[0]]):
                return 0
            self.risky |= trade.liquidation != "" and trade.liquidity in trade.liquidation
            count[0] += 1
        return 1

    cdef int take_orders(self, list orders, int32_t* count) except -1:
        cdef int32_t market
        count[0] = 0
        if len(orders) > OWN_EVENTS_MAX:
            return 0
        for order in orders:
            market = self.market_named(order.instrument_name)
            if market < 0:
                self.foreign += 1
                continue
            if not order_event_of(order, &self.specs[market], market, &self.labels.scheme,
                                  &self.orders[count[0]]):
                return 0
            self.risky |= order.is_liquidation or order.cancel_reason in FORCED
            count[0] += 1
        return 1

    cdef int on_liquidation(self, int64_t now_ns) except -1:
        """The venue closes or cancels for us: nothing more until somebody has looked."""
        cdef Control control
        self.risky = False
        self.liquidations += 1
        memset(&control, 0, sizeof(control))
        control.kind = CONTROL_PAUSE
        control.real = <double>REASON_LIQUIDATION
        self.engine.on_control(&control, now_ns)
        return 0

    cdef int positions_fit(self, list positions) except -1:
        cdef int64_t contracts = 0
        cdef int32_t market
        for data in positions:
            market = self.market_named(data.instrument_name)
            if market >= 0 and not contracts_of_amount(&self.specs[market], abs(data.size),
                                                       &contracts):
                return 0
        return 1

    cdef int take_position(self, object data, int64_t now_ns) except -1:
        """Keep the venue's word on a position; a change of its funding reaches the engine."""
        cdef int32_t market = self.market_named(data.instrument_name)
        cdef VenuePosition* position
        cdef int64_t contracts = 0
        cdef double funding = data.realized_funding
        cdef Control control
        if market < 0 or not contracts_of_amount(&self.specs[market], abs(data.size), &contracts):
            return 0
        position = &self.positions[market]
        position.contracts = -contracts if data.direction == "sell" else contracts
        position.average_usd = data.average_price
        position.realized_btc = data.realized_profit_loss
        position.total_btc = data.total_profit_loss
        if funding != position.funding_btc and isfinite(funding):
            position.funding_btc = funding
            control.kind = CONTROL_FUNDING
            control.market = market
            control.value = 0
            control.real = funding
            self.engine.on_control(&control, now_ns)
        position.updates += 1
        return 1

    cdef int on_answer(self, FrameView view, int64_t request_id, int64_t now_ns) except -1:
        """Apply the answer to a request of ours; 0 where it is malformed."""
        cdef int32_t kind = request_kind(request_id)
        if kind == ACTION_NEW or kind == ACTION_EDIT:
            return self.on_order_answer(view.decoded(decode_order), request_id, now_ns)
        if kind == ACTION_CANCEL:
            return self.on_order_answer(view.decoded(decode_cancel), request_id, now_ns)
        if kind == ACTION_CANCEL_INSTRUMENT or kind == ACTION_CANCEL_ALL:
            return self.on_order_answer(view.decoded(decode_cancel_all), request_id, now_ns)
        if kind == ACTION_MASS_QUOTE:
            return self.on_mass_answer(view.decoded(decode_mass), request_id, now_ns)
        if kind == REQUEST_STATE:
            return self.on_state_answer(view.decoded(decode_cancel), request_id, now_ns)
        if kind == REQUEST_TRADES:
            return self.on_trades_answer(view.decoded(decode_trades), request_id, now_ns)
        return self.on_query_answer(view.decoded(decode_query), request_id, now_ns)

    cdef int on_order_answer(self, object answer, int64_t request_id, int64_t now_ns) except -1:
        cdef int32_t kind = request_kind(request_id)
        cdef int32_t market = request_market(request_id)
        cdef int32_t slot = request_slot(request_id)
        cdef int32_t fill_count = 0, order_count = 0, i
        cdef OrderEvent* event = &self.orders[0]
        if answer is None or answer.id != request_id:
            return 0
        if answer.error is not NOT_SENT or kind >= ACTION_CANCEL_INSTRUMENT:
            memset(event, 0, sizeof(OrderEvent))
            event.market = market
            event.slot = slot
            event.kind = ORDER_EVENT_ACCEPTED
            event.order_state = VENUE_ORDER_CANCELLED
            if answer.error is not NOT_SENT:
                event.kind = ORDER_EVENT_REFUSED
                event.error_code = answer.error.code
                self.unauthorized += answer.error.code == UNAUTHORIZED
                self.timed_out += answer.error.code == TIMED_OUT
                event.refusal = refusal_of_code(answer.error.code)
            elif answer.result is NOT_SENT:
                return 0
        else:
            if answer.result is NOT_SENT:
                return 0
            order = answer.result if kind == ACTION_CANCEL else answer.result.order
            trades = [] if kind == ACTION_CANCEL else answer.result.trades
            if not (self.take_fills(trades, &fill_count) and self.take_orders([order],
                                                                              &order_count)):
                return 0
            if order_count != 1 or event.market != market or event.slot != slot:
                return 0
            event.kind = ORDER_EVENT_ACCEPTED
        event.request = kind
        event.request_id = request_id
        for i in range(fill_count):
            self.engine.on_fill(&self.fills[i], now_ns)
        self.engine.on_order(event, now_ns)
        return 1

    cdef int on_mass_answer(self, object answer, int64_t request_id, int64_t now_ns) except -1:
        """Apply what became of each side of a mass quote; a side it leaves out is unknown."""
        cdef int32_t market = request_market(request_id), rung = request_slot(request_id)
        cdef int32_t fill_count = 0, order_count = 0, i, side
        cdef int64_t code = 0
        if answer is None or answer.id != request_id or rung >= LEVELS_MAX:
            return 0
        if answer.error is NOT_SENT:
            if answer.result is NOT_SENT or not (
                    self.take_fills(answer.result.trades, &fill_count)
                    and self.take_orders(answer.result.orders, &order_count)):
                return 0
            for i in range(order_count):
                if self.orders[i].market != market or self.orders[i].slot % LEVELS_MAX != rung:
                    return 0
            for error in answer.result.errors:
                if self.market_named(error.instrument_name) != market:
                    return 0
            for i in range(fill_count):
                self.engine.on_fill(&self.fills[i], now_ns)
            for i in range(order_count):
                self.orders[i].kind = ORDER_EVENT_ACCEPTED
                self.orders[i].request = ACTION_MASS_QUOTE
                self.orders[i].request_id = request_id
                self.engine.on_order(&self.orders[i], now_ns)
            for error in answer.result.errors:
                side = SIDE_BID if error.side == "bid" else SIDE_ASK
                self.refuse(market, side * LEVELS_MAX + rung, request_id, error.error.code, True,
                            now_ns)
        else:
            code = answer.error.code
            self.unauthorized += code == UNAUTHORIZED
        for side in range(2):
            if self.engine.outstanding(market, side * LEVELS_MAX + rung, request_id):
                self.refuse(market, side * LEVELS_MAX + rung, request_id, code or FAILED, False,
                            now_ns)
        return 1

    cdef int refuse(self, int32_t market, int32_t slot, int64_t request_id, int64_t code,
                    bint alone, int64_t now_ns) except -1:
        """Tell that one side of a mass quote was refused.

        An order whose change is refused by itself has been cancelled; where the whole message is,
        the venue has done nothing.
        """
        cdef OrderEvent* event = &self.orders[0]
        memset(event, 0, sizeof(OrderEvent))
        event.market, event.slot = market, slot
        event.kind = ORDER_EVENT_REFUSED
        event.request, event.request_id = ACTION_MASS_QUOTE, request_id
        event.error_code, event.refusal = <int32_t>code, refusal_of_code(code)
        self.timed_out += code == TIMED_OUT
        if not alone and event.refusal == REFUSAL_POST_ONLY:
            event.refusal = REFUSAL_NO_EFFECT
        elif alone and event.refusal in (REFUSAL_NO_EFFECT, REFUSAL_TOO_MANY) and (
                self.engine.outstanding(market, slot, request_id) == ACTION_EDIT):
            event.refusal = REFUSAL_GONE
        self.engine.on_order(event, now_ns)
        if code in (MMP_TRIGGER, MMP_REQUIRED):
            self.frozen(self.price_indexes[market], now_ns)
        return 1

    cdef int frozen(self, object index, int64_t now_ns) except -1:
        """Quote protection of an index no longer stands: nothing there may be quoted by it."""
        cdef Control control
        cdef int32_t market
        memset(&control, 0, sizeof(Control))
        control.kind = CONTROL_PROTECTION
        for market in range(self.market_count):
            if self.price_indexes[market] == index:
                control.market = market
                self.engine.on_control(&control, now_ns)
        return 1

    cdef int on_trades_answer(self, object answer, int64_t request_id, int64_t now_ns) except -1:
        """Book own trades that happened while nobody listened; known ones are known by id."""
        cdef int32_t count = 0, i
        if answer is None or answer.id != request_id:
            return 0
        self.trades_next_seq = 0
        if answer.result is NOT_SENT:
            self.unauthorized += not_logged_in(answer)
            self.trades_answered = -request_id
            return 1
        if not self.take_fills(answer.result.trades, &count):
            return 0
        for i in range(count):
            self.recovered += self.engine.on_fill(&self.fills[i], now_ns) == 1
        trades = answer.result.trades
        if answer.result.has_more and trades:
            self.trades_next_seq = <int64_t>trades[len(trades) - 1].trade_seq + 1
        if self.risky:
            self.on_liquidation(now_ns)
        self.trades_answered = request_id
        return 1

    cdef int on_query_answer(self, object answer, int64_t request_id, int64_t now_ns) except -1:
        """The venue's word on one order, asked by its label: its state, or that there is none."""
        cdef int32_t market = request_market(request_id), slot = request_slot(request_id)
        cdef uint32_t generation = <uint32_t>(request_id & 0xFFFFFFFF)
        cdef int32_t count = 0, i
        cdef OrderEvent* event
        if answer is None or answer.id != request_id:
            return 0
        if answer.result is NOT_SENT:
            self.unauthorized += not_logged_in(answer)
            return 1         # refused: the order stays unknown and is asked for again
        if not self.take_orders(answer.result, &count):
            return 0
        for i in range(count):
            event = &self.orders[i]
            if event.market == market and event.slot == slot and event.generation == generation:
                event.kind = ORDER_EVENT_UPDATE
                self.engine.on_order(event, now_ns)
                return 1
        if count and request_kind(request_id) != REQUEST_LISTED:
            return 0
        return self.absent(request_id, now_ns)

    cdef int on_state_answer(self, object answer, int64_t request_id, int64_t now_ns) except -1:
        """The venue's word on one order, asked by its id: its state, or that there is none."""
        cdef int32_t count = 0
        if answer is None or answer.id != request_id:
            return 0
        if answer.result is NOT_SENT:
            self.unauthorized += not_logged_in(answer)
            return 1 if answer.error is NOT_SENT or answer.error.code != ORDER_NOT_FOUND else (
                self.absent(request_id, now_ns))
        if not self.take_orders([answer.result], &count) or count != 1 or (
                self.orders[0].market != request_market(request_id)
                or self.orders[0].slot != request_slot(request_id)
                or self.orders[0].generation != <uint32_t>(request_id & 0xFFFFFFFF)):
            return 0
        self.engine.on_order(&self.orders[0], now_ns)
        return 1

    cdef int absent(self, int64_t request_id, int64_t now_ns) except -1:
        """The venue has no order such as the request asked for."""
        cdef OrderEvent* event = &self.orders[0]
        memset(event, 0, sizeof(OrderEvent))
        event.kind = ORDER_EVENT_ABSENT
        event.market, event.slot = request_market(request_id), request_slot(request_id)
        event.generation = <uint32_t>(request_id & 0xFFFFFFFF)
        self.engine.on_order(event, now_ns)
        return 1

    # ------------------------------------------------------------ Python face
    def venue_position(self, int market):
        """Return what the venue last said of a position, or None.

        (contracts, average_usd, realized_btc, funding_btc, total_btc), contracts signed.
        """
        if not 0 <= market < self.market_count:
            raise IndexError(f"market {market} of {self.market_count}")
        cdef VenuePosition* p = &self.positions[market]
        if p.updates == 0:
            return None
        return p.contracts, p.average_usd, p.realized_btc, p.funding_btc, p.total_btc

    def market_index(self, str name not None):
        """Return the market of an instrument name, -1 where it is none of ours."""
        return self.market_named(name)
