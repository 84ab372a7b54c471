"""See scan.pxd.

A number is digits, perhaps a point and more digits: its value is an integer of the smallest unit,
exact. The decoder's way goes over a double; for numbers as short as are taken here both round to
the same tick, and a number that is not on the grid is not taken.
"""
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcmp

from connectors.deribit.decode cimport BOOK_LEVELS_MAX, FrameView, book_delta_of
from mmcore.types cimport InstrumentSpec

import msgspec

from connectors.deribit import messages

cdef object decode_book = msgspec.json.Decoder(messages.BookNotification).decode
cdef bytes HEAD = b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.'

cdef enum:
    DIGITS_MAX = 12             # of a price or an amount: below 1e12
    SHIFT_MAX = 6               # decimals that may miss to the smallest unit: below 1e18 with them
    MILLIS_DIGITS_MAX = 15      # below 2**53
    ID_DIGITS_MAX = 18          # below 2**62
    LEVEL_SIZE_MIN = 15         # the shortest level with the shortest end of a message behind it
    SEEN_TYPE = 1
    SEEN_TIME = 2
    SEEN_ID = 4
    SEEN_NAME = 8
    SEEN_BIDS = 16
    SEEN_ASKS = 32
    SEEN_PREVIOUS = 64
    SEEN_ALL = 127
cdef int64_t STEPS_MAX = 10_000_000_000     # up to there a double has the grid to 1e-5 of a step
cdef uint64_t NARROW = 0xFFFFFFFF
cdef int64_t[SHIFT_MAX + 1] POWERS = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000]


cdef inline bint heads(const char* p, const char* end, const char* literal,
                       Py_ssize_t size) noexcept nogil:
    return end - p >= size and memcmp(p, literal, <size_t>size) == 0


cdef inline const char* scan_integer(const char* p, Py_ssize_t digits_max,
                                     int64_t* out) noexcept nogil:
    """Read digits; NULL where there is none, too many, or a zero before others.

    A byte that is no digit lies ahead: the caller has seen the end of the message.
    """
    cdef const char* first = p
    cdef uint64_t value = 0
    while c'0' <= p[0] <= c'9' and p - first < digits_max:
        value = value * 10 + <uint64_t>(p[0] - c'0')
        p += 1
    if p == first or c'0' <= p[0] <= c'9' or (first[0] == c'0' and p - first > 1):
        return NULL
    out[0] = <int64_t>value
    return p


cdef inline const char* scan_steps(const char* p, int32_t decimals, int64_t step_units,
                                   int64_t* steps) noexcept nogil:
    """Read a decimal number as whole steps of step_units / 10 ** decimals; NULL otherwise."""
    cdef const char* first = p
    cdef const char* point
    cdef uint64_t value = 0, whole
    cdef Py_ssize_t shift = decimals
    while c'0' <= p[0] <= c'9':
        value = value * 10 + <uint64_t>(p[0] - c'0')
        p += 1
    if p == first or (first[0] == c'0' and p - first > 1) or p - first > DIGITS_MAX:
        return NULL
    if p[0] == c'.':
        p += 1
        point = p
        while c'0' <= p[0] <= c'9':
            value = value * 10 + <uint64_t>(p[0] - c'0')
            p += 1
        if p == point or p - first > DIGITS_MAX:
            return NULL
        shift -= p - point
        while shift < 0:
            if value % 10:
                return NULL
            value //= 10
            shift += 1
    if shift > SHIFT_MAX:
        return NULL
    value *= <uint64_t>POWERS[shift]
    if step_units > 1:
        # a division of 32 bits takes a third of the time of one of 64
        if (value | <uint64_t>step_units) <= NARROW:
            whole = <uint32_t>value // <uint32_t>step_units
        else:
            whole = value // <uint64_t>step_units
        if whole * <uint64_t>step_units != value:
            return NULL
        value = whole
    if value > <uint64_t>STEPS_MAX:
        return NULL
    steps[0] = <int64_t>value
    return p


cdef inline const char* scan_levels(const char* p, const char* end, const Instrument* spec,
                                    LevelChange* out, int32_t* count) noexcept nogil:
    """Read the levels of one side, to behind the bracket that ends them; NULL otherwise."""
    cdef bint deleted
    cdef int32_t n = 0
    if p[0] == c']':
        count[0] = 0
        return p + 1
    while True:
        if n == BOOK_LEVELS_MAX or end - p < LEVEL_SIZE_MIN or p[0] != c'[' or p[1] != c'"':
            return NULL
        p += 2
        deleted = False
        if memcmp(p, b'new"', 4) == 0 and p[4] == c',':
            p += 5
        elif memcmp(p, b'change",', 8) == 0:
            p += 8
        elif memcmp(p, b'delete",', 8) == 0:
            deleted = True
            p += 8
        else:
            return NULL
        p = scan_steps(p, spec.price_decimals, spec.tick_units, &out[n].price_ticks)
        if p == NULL or p[0] != c',' or out[n].price_ticks == 0:
            return NULL
        p = scan_steps(p + 1, spec.amount_decimals, spec.contract_units, &out[n].amount_contracts)
        if p == NULL or p[0] != c']' or deleted != (out[n].amount_contracts == 0):
            return NULL
        n += 1
        p += 1
        if p[0] == c']':
            break
        if p[0] != c',':
            return NULL
        p += 1
    count[0] = n
    return p + 1


cdef inline const char* scan_field(const char* p, const char* end, const Instrument* spec,
                                   LevelChange* bids, LevelChange* asks, BookDelta* out,
                                   int32_t* seen) noexcept nogil:
    """Read one field of the data; NULL where it is none of those known."""
    if heads(p, end, b'"timestamp":', 12):
        seen[0] = SEEN_TIME
        return scan_integer(p + 12, MILLIS_DIGITS_MAX, &out.timestamp_ms)
    if heads(p, end, b'"type":"change"', 15):
        seen[0] = SEEN_TYPE
        return p + 15
    if heads(p, end, b'"change_id":', 12):
        seen[0] = SEEN_ID
        return scan_integer(p + 12, ID_DIGITS_MAX, &out.change_id)
    if heads(p, end, b'"bids":[', 8):
        seen[0] = SEEN_BIDS
        return scan_levels(p + 8, end, spec, bids, &out.bid_count)
    if heads(p, end, b'"asks":[', 8):
        seen[0] = SEEN_ASKS
        return scan_levels(p + 8, end, spec, asks, &out.ask_count)
    if heads(p, end, b'"prev_change_id":', 17):
        seen[0] = SEEN_PREVIOUS
        return scan_integer(p + 17, ID_DIGITS_MAX, &out.prev_change_id)
    if heads(p, end, b'"instrument_name":"', 19):
        seen[0] = SEEN_NAME
        p += 19
        if (end - p > spec.name_size and memcmp(p, spec.name, <size_t>spec.name_size) == 0
                and p[spec.name_size] == c'"'):
            return p + spec.name_size + 1
    return NULL


cdef bint scan_book(const char* p, Py_ssize_t size, const Instrument* spec, LevelChange* bids,
                    LevelChange* asks, BookDelta* out) noexcept nogil:
    """Read a book change from the interval in its channel's name to the end of the message.

    bids and asks hold BOOK_LEVELS_MAX each. False: not the known shape, ask the decoder; what
    bids, asks and out hold then means nothing. Snapshots are rare and left to the decoder.
    """
    cdef const char* end = p + size
    cdef int32_t seen = 0, field = 0
    # The end is looked at first: no digit follows it, so no number runs out of the message.
    if size < 3 or memcmp(end - 3, b'}}}', 3) != 0:
        return False
    while c'a' <= p[0] <= c'z' or c'0' <= p[0] <= c'9':
        p += 1
    if not heads(p, end, b'","data":{', 10):
        return False
    p += 10
    while True:
        p = scan_field(p, end, spec, bids, asks, out, &field)
        if p == NULL or seen & field:
            return False
        seen |= field
        if p[0] != c',':
            break
        p += 1
    if seen != SEEN_ALL or end - p != 3:
        return False
    out.snapshot = False
    out.bids = bids
    out.asks = asks
    return True


# ---------------------------------------------------------------- Python face
cdef object told(const BookDelta* delta):
    bids = [(delta.bids[i].price_ticks, delta.bids[i].amount_contracts)
            for i in range(delta.bid_count)]
    asks = [(delta.asks[i].price_ticks, delta.asks[i].amount_contracts)
            for i in range(delta.ask_count)]
    return (delta.change_id, delta.prev_change_id, delta.timestamp_ms, bool(delta.snapshot), bids,
            asks)


cdef object book_by(bytes payload, InstrumentSpec spec, bint scanner):
    cdef LevelChange* bids = <LevelChange*>PyMem_Malloc(2 * BOOK_LEVELS_MAX * sizeof(LevelChange))
    cdef BookDelta delta
    cdef FrameView view = FrameView()
    cdef bytes head = HEAD + spec.name.encode() + b"."
    cdef Py_ssize_t at = len(head)
    if bids == NULL:
        raise MemoryError
    try:
        if scanner:
            if not payload.startswith(head) or not scan_book(
                    <const char*>payload + at, len(payload) - at, &spec.c, bids,
                    bids + BOOK_LEVELS_MAX, &delta):
                return None
            return told(&delta)
        view.ptr, view.size = payload, len(payload)
        message = view.decoded(decode_book)
        if message is None or not book_delta_of(message.params.data, &spec.c, bids,
                                                bids + BOOK_LEVELS_MAX, &delta):
            return None
        return told(&delta)
    finally:
        PyMem_Free(bids)


def book_scanned(bytes payload not None, InstrumentSpec spec not None):
    """Return a book change as the scanner reads it; None where it does not take it.

    (change_id, prev_change_id, timestamp_ms, snapshot, bids, asks), levels as (ticks, contracts).
    """
    return book_by(payload, spec, True)


def book_decoded(bytes payload not None, InstrumentSpec spec not None):
    """Return a book message as the decoder reads it; None where it is malformed."""
    return book_by(payload, spec, False)
