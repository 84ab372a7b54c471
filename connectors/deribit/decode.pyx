"""Wire objects to the core's structs; see decode.pxd."""
from cpython.buffer cimport PyBuffer_FillInfo
from cpython.exc cimport PyErr_Clear
from cpython.float cimport PyFloat_AS_DOUBLE
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF
from cpython.tuple cimport PyTuple_GET_ITEM
from libc.math cimport fabs, isfinite, llround
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from connectors.deribit.labels cimport LABEL_OTHER_RUN, LABEL_OURS, Label, parse_label, parse_quote
from mmcore.types cimport (
    LEVELS_MAX, MARKET_ARCHIVIZED, MARKET_DELIVERED, MARKET_HALTED, MARKET_INACTIVE,
    MARKET_LOCKED, MARKET_OPEN, MARKET_SETTLEMENT, MARKET_UNKNOWN, ORDER_EVENT_UPDATE,
    ORDER_ID_MAX, SIDE_ASK, SIDE_BID, SLOT_EARLIER_RUN, SLOT_FOREIGN, SLOTS_QUOTE,
    VENUE_ORDER_CANCELLED, VENUE_ORDER_FILLED, VENUE_ORDER_OPEN, VENUE_ORDER_REJECTED,
    VENUE_ORDER_UNTRIGGERED, contracts_of_amount, ticks_of_price)

import msgspec

cdef extern from "Python.h":
    PyObject* PyObject_CallOneArg(object callable, object argument) noexcept
    bint PyUnicode_IS_COMPACT_ASCII(object text) noexcept
    const void* PyUnicode_1BYTE_DATA(object text) noexcept
    Py_ssize_t PyUnicode_GET_LENGTH(object text) noexcept
    bint PyUnicode_CheckExact(object text) noexcept

cdef double PRICE_LIMIT = 1e9
cdef double FEE_LIMIT = 1e6
cdef object NOT_SENT = msgspec.UNSET


cdef class FrameView:
    def __getbuffer__(self, Py_buffer* buffer, int flags):
        PyBuffer_FillInfo(buffer, self, <void*>self.ptr, self.size, 1, flags)

    cdef object decoded(self, object decoder):
        """Decode the frame; None where it is not what the decoder expects."""
        # No try: the one of the hot path is the session's, and this error is an ordinary answer.
        cdef PyObject* raw = PyObject_CallOneArg(decoder, self)
        cdef object message
        if raw == NULL:
            PyErr_Clear()
            return None
        message = <object>raw
        Py_DECREF(message)
        return message


cdef bint ascii_of(object text, const char** chars, Py_ssize_t* size) noexcept:
    """Point at the characters of an ASCII str; False for any other object."""
    if not PyUnicode_CheckExact(text) or not PyUnicode_IS_COMPACT_ASCII(text):
        return False
    chars[0] = <const char*>PyUnicode_1BYTE_DATA(text)
    size[0] = PyUnicode_GET_LENGTH(text)
    return True


cdef bint same_name(object text, const Instrument* spec) noexcept:
    cdef const char* chars = NULL
    cdef Py_ssize_t size = 0
    return (ascii_of(text, &chars, &size) and size == spec.name_size
            and memcmp(chars, spec.name, <size_t>size) == 0)


cdef inline bint is_text(object text, const char* literal, Py_ssize_t literal_size) noexcept:
    cdef const char* chars = NULL
    cdef Py_ssize_t size = 0
    return (ascii_of(text, &chars, &size) and size == literal_size
            and memcmp(chars, literal, <size_t>size) == 0)


cdef inline char first_of(object text) noexcept:
    # Only for values the decoder has already matched against a Literal.
    return (<const char*>PyUnicode_1BYTE_DATA(text))[0]


cdef int32_t market_state_of(object text) noexcept:
    """Return the MarketState of the venue's word; MARKET_UNKNOWN for a new one."""
    if is_text(text, b"open", 4):
        return MARKET_OPEN
    if is_text(text, b"settlement", 10):
        return MARKET_SETTLEMENT
    if is_text(text, b"locked", 6):
        return MARKET_LOCKED
    if is_text(text, b"halted", 6):
        return MARKET_HALTED
    if is_text(text, b"inactive", 8):
        return MARKET_INACTIVE
    if is_text(text, b"delivered", 9):
        return MARKET_DELIVERED
    if is_text(text, b"archivized", 10):
        return MARKET_ARCHIVIZED
    return MARKET_UNKNOWN


# ---------------------------------------------------------------- market data
cdef inline bint level_of(PyObject* item, const Instrument* spec, LevelChange* out) noexcept:
    cdef object level = <object>item
    cdef double price = PyFloat_AS_DOUBLE(<object>PyTuple_GET_ITEM(level, 1))
    cdef double amount = PyFloat_AS_DOUBLE(<object>PyTuple_GET_ITEM(level, 2))
    if not ticks_of_price(spec, price, &out.price_ticks) or out.price_ticks <= 0:
        return False
    if not contracts_of_amount(spec, amount, &out.amount_contracts):
        return False
    # new and change carry an amount, delete none: anything else contradicts itself.
    return (first_of(<object>PyTuple_GET_ITEM(level, 0)) == c'd') == (out.amount_contracts == 0)


cdef int side_of(object levels, const Instrument* spec, LevelChange* out,
                 int32_t* count) except -1:
    cdef Py_ssize_t i, size = PyList_GET_SIZE(levels)
    if size > BOOK_LEVELS_MAX:
        return 0
    for i in range(size):
        if not level_of(<PyObject*>PyList_GET_ITEM(levels, i), spec, &out[i]):
            return 0
    count[0] = <int32_t>size
    return 1


cdef int book_delta_of(object data, const Instrument* spec, LevelChange* bids,
                       LevelChange* asks, BookDelta* out) except -1:
    """Fill `out` from a BookData; bids and asks hold BOOK_LEVELS_MAX each."""
    cdef object previous = data.prev_change_id
    if not same_name(data.instrument_name, spec):
        return 0
    out.snapshot = first_of(data.type) == c's'
    if not out.snapshot and previous is NOT_SENT:
        return 0
    out.change_id = data.change_id
    out.prev_change_id = -1 if previous is NOT_SENT else <int64_t>previous
    out.timestamp_ms = data.timestamp
    out.bids = bids
    out.asks = asks
    if not side_of(data.bids, spec, bids, &out.bid_count):
        return 0
    return side_of(data.asks, spec, asks, &out.ask_count)


cdef inline bint print_price_of(const Instrument* spec, double price, bint excluded,
                                int64_t* ticks) noexcept:
    # Block and combo-leg prints have a finer price grid than the book.
    if not isfinite(price) or price <= 0.0 or price > PRICE_LIMIT:
        return False
    if excluded:
        ticks[0] = llround(price * <double>spec.price_scale / <double>spec.tick_units)
        return ticks[0] > 0
    return ticks_of_price(spec, price, ticks) and ticks[0] > 0


cdef inline int is_excluded(object data) except -1:
    return (data.block_trade_id is not None or data.combo_id is not None
            or data.combo_trade_id is not None)


cdef int trade_print_of(object data, const Instrument* spec, TradePrint* out) except -1:
    """Fill `out` from a TradeData."""
    if not same_name(data.instrument_name, spec):
        return 0
    out.side = SIDE_BID if first_of(data.direction) == c'b' else SIDE_ASK
    out.excluded = is_excluded(data)
    out.timestamp_ms = data.timestamp
    out.trade_seq = data.trade_seq
    return (print_price_of(spec, data.price, out.excluded, &out.price_ticks)
            and contracts_of_amount(spec, data.amount, &out.amount_contracts)
            and out.amount_contracts > 0)


cdef inline int number_of(object value, double low, double high, double* out) except -1:
    out[0] = 0.0
    if value is None:
        return 1
    out[0] = value
    return low <= out[0] <= high


cdef int ticker_update_of(object data, const Instrument* spec, TickerUpdate* out) except -1:
    """Fill `out` from a TickerData; fields the message had not are 0."""
    if not same_name(data.instrument_name, spec):
        return 0
    out.timestamp_ms = data.timestamp
    out.state = market_state_of(data.state)
    return (number_of(data.mark_price, 0.0, PRICE_LIMIT, &out.mark_usd)
            and number_of(data.index_price, 0.0, PRICE_LIMIT, &out.index_usd)
            and number_of(data.last_price, 0.0, PRICE_LIMIT, &out.last_usd)
            and number_of(data.min_price, 0.0, PRICE_LIMIT, &out.min_price_usd)
            and number_of(data.max_price, 0.0, PRICE_LIMIT, &out.max_price_usd)
            and number_of(data.current_funding, -1.0, 1.0, &out.current_funding)
            and number_of(data.funding_8h, -1.0, 1.0, &out.funding_8h))


# ---------------------------------------------------------------- own orders
cdef int owner_of(object data, int32_t market, const LabelScheme* scheme,
                  int32_t* slot, uint32_t* generation) except -1:
    """Find slot and generation in a label, or in the ids of a quote, which has none.

    Of what this run did not write it says whose it is.
    """
    cdef Label label
    cdef int32_t owner
    cdef const char* chars = NULL
    cdef const char* more = NULL
    cdef Py_ssize_t size = 0, more_size = 0
    cdef object text = data.label, made
    slot[0] = SLOT_FOREIGN
    generation[0] = 0
    if not ascii_of(text, &chars, &size):
        return 0
    if size > 0:
        owner = parse_label(scheme, chars, size, &label)
    else:
        text, made = data.quote_id, data.quote_set_id
        if not (ascii_of(text, &chars, &size) and ascii_of(made, &more, &more_size)):
            return 0
        owner = parse_quote(scheme, chars, size, more, more_size, &label)
    if owner == LABEL_OURS and label.market == market:
        slot[0] = label.slot
        generation[0] = label.generation
    elif owner == LABEL_OTHER_RUN:
        slot[0] = SLOT_EARLIER_RUN
    return 0


cdef inline bint order_id_of(object text, OrderEvent* out) noexcept:
    # The id is written back into requests, so nothing that would need escaping may pass.
    cdef const char* chars = NULL
    cdef Py_ssize_t size = 0
    cdef Py_ssize_t i
    cdef char c
    if not ascii_of(text, &chars, &size) or not 0 < size <= ORDER_ID_MAX:
        return False
    for i in range(size):
        c = chars[i]
        if not (c'0' <= c <= c'9' or c'A' <= c <= c'Z' or c'a' <= c <= c'z'
                or c == c'-' or c == c'_'):
            return False
    memcpy(out.order_id, chars, <size_t>size)
    out.order_id_size = <int32_t>size
    return True


cdef inline int32_t order_state_of(object text) noexcept:
    cdef char first = first_of(text)
    if first == c'o':
        return VENUE_ORDER_OPEN
    if first == c'f':
        return VENUE_ORDER_FILLED
    if first == c'c':
        return VENUE_ORDER_CANCELLED
    if first == c'r':
        return VENUE_ORDER_REJECTED
    # A triggered stop lives on as another order; itself it is not in the book.
    return VENUE_ORDER_UNTRIGGERED


cdef int order_event_of(object data, const Instrument* spec, int32_t market,
                        const LabelScheme* scheme, OrderEvent* out) except -1:
    """Fill `out` from an OrderData as a notification; answers set request and id themselves.

    A market order has no price: price_ticks 0.
    """
    cdef object price = data.price
    memset(out, 0, sizeof(OrderEvent))
    if not same_name(data.instrument_name, spec) or not order_id_of(data.order_id, out):
        return 0
    out.kind = ORDER_EVENT_UPDATE
    out.market = market
    out.order_state = order_state_of(data.order_state)
    out.side = SIDE_BID if first_of(data.direction) == c'b' else SIDE_ASK
    out.last_update_ms = data.last_update_timestamp
    owner_of(data, market, scheme, &out.slot, &out.generation)
    if isinstance(price, float):
        if not ticks_of_price(spec, price, &out.price_ticks) or out.price_ticks <= 0:
            return 0
    return (contracts_of_amount(spec, data.amount, &out.amount_contracts)
            and contracts_of_amount(spec, data.filled_amount, &out.filled_contracts)
            and out.filled_contracts <= out.amount_contracts)


cdef bint trade_number_of(object text, uint64_t* out) noexcept:
    """Read the number of a trade id such as 208465104 or ETH-208465104."""
    cdef const char* chars = NULL
    cdef Py_ssize_t size = 0
    cdef Py_ssize_t i, start = 0
    if not ascii_of(text, &chars, &size):
        return False
    for i in range(size):
        if chars[i] == c'-':
            start = i + 1
    if not 0 < size - start <= 18:
        return False
    out[0] = 0
    for i in range(start, size):
        if not c'0' <= chars[i] <= c'9':
            return False
        out[0] = out[0] * 10 + <uint64_t>(chars[i] - c'0')
    return True


cdef int fill_of(object data, const Instrument* spec, int32_t market,
                 const LabelScheme* scheme, Fill* out) except -1:
    """Fill `out` from a UserTradeData.

    The side is that of our own slot where the trade is ours: the venue's text leaves open whose
    direction it prints.
    """
    cdef double fee = data.fee
    memset(out, 0, sizeof(Fill))
    if not same_name(data.instrument_name, spec) or not trade_number_of(data.trade_id,
                                                                        &out.trade_id):
        return 0
    out.market = market
    owner_of(data, market, scheme, &out.slot, &out.generation)
    out.side = SIDE_BID if first_of(data.direction) == c'b' else SIDE_ASK
    if 0 <= out.slot < SLOTS_QUOTE:
        out.side = SIDE_BID if out.slot < LEVELS_MAX else SIDE_ASK
    out.maker = first_of(data.liquidity) == c'M'
    out.trade_seq = data.trade_seq
    out.timestamp_ms = data.timestamp
    if not isfinite(fee) or fabs(fee) > FEE_LIMIT:
        return 0
    out.fee_e8 = llround(fee * 1e8)
    return (print_price_of(spec, data.price, is_excluded(data), &out.price_ticks)
            and contracts_of_amount(spec, data.amount, &out.amount_contracts)
            and out.amount_contracts > 0)
