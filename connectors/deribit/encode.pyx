"""Writers of trading requests and their frames; see encode.pxd."""
from libc.stdint cimport uint8_t
from libc.string cimport memcpy

from connectors.deribit.digits cimport put_integer
from connectors.deribit.labels cimport write_group, write_quote_id, write_set_id
from mmcore.types cimport (
    ACTION_CANCEL, ACTION_CANCEL_ALL, ACTION_CANCEL_INSTRUMENT, ACTION_EDIT, ACTION_MASS_QUOTE,
    ACTION_NEW, ORDER_ID_MAX, SIDE_BID, TIF_FOK, TIF_GTC, TIF_IOC, InstrumentSpec, request_kind,
    request_slot)

cdef int64_t NARROW = 0xFFFFFFFF

cdef extern from *:
    """
    typedef unsigned long long mm_words
        __attribute__((vector_size(16), aligned(1), may_alias));
    static inline void mm_mask(char *restrict out, const char *restrict text, long size,
                               unsigned long long mask)
    {
        const mm_words masks = {mask, mask};
        for (const char *end = text + size; text < end; text += 32, out += 32) {
            *(mm_words *)out = *(const mm_words *)text ^ masks;
            *(mm_words *)(out + 16) = *(const mm_words *)(text + 16) ^ masks;
        }
    }
    """
    void mm_mask(char* out, const char* text, Py_ssize_t size, uint64_t mask) noexcept nogil


cdef inline char* put(char* out, const char* literal, Py_ssize_t size) noexcept nogil:
    memcpy(out, literal, <size_t>size)
    return out + size


cdef int32_t write_decimal(char* out, int64_t units, int64_t scale) noexcept nogil:
    """Write units / scale exactly, scale a power of ten; returns the size, 22 at most.

    Up to 8 bytes behind what is counted may be written too.
    """
    cdef char* p = out
    cdef char* point
    cdef int64_t whole = 0, part = 0
    if units < 0:
        p[0] = c'-'
        p += 1
        units = -units
    if scale == 1:
        whole = units
    elif scale == 10 and units <= NARROW:       # the half dollars of a tick, without a division
        whole = <uint32_t>units // <uint32_t>10
        part = <uint32_t>units % <uint32_t>10
    elif (units | scale) <= NARROW:     # a division of 32 bits is much the faster
        whole = <uint32_t>units // <uint32_t>scale
        part = <uint32_t>units % <uint32_t>scale
    else:
        whole = units // scale
        part = units % scale
    p = put_integer(p, whole)
    if part and scale == 10:
        p[0], p[1] = c'.', c'0' + <char>part
        p += 2
    elif part:
        point = p
        p = put_integer(p, scale + part)    # a one, then every digit of the part
        point[0] = c'.'
        while (p - 1)[0] == c'0':
            p -= 1
    return <int32_t>(p - out)


cdef inline char* put_order_id(char* out, const Action* action) noexcept nogil:
    # always the whole field, which is one copy of known size: what follows covers the rest
    memcpy(out, action.order_id, ORDER_ID_MAX)
    return out + action.order_id_size


cdef inline char* put_head(char* p, int64_t request_id) noexcept nogil:
    p = put(p, b'{"jsonrpc":"2.0","id":', 22)
    return put_integer(p, request_id)


cdef inline char* put_amount_and_price(char* p, const Action* action,
                                       const Instrument* spec) noexcept nogil:
    """Write both as values: the literal before ends with the amount's name."""
    p += write_decimal(p, action.amount_contracts * spec.contract_units, spec.amount_scale)
    p = put(p, b',"price":', 9)
    return p + write_decimal(p, action.price_ticks * spec.tick_units, spec.price_scale)


cdef inline char* put_flags(char* p, const Action* action) noexcept nogil:
    # post_only is always said: the venue's documents disagree about its default.
    if action.post_only:
        p = put(p, b',"post_only":true,"reject_post_only":true', 41)
    else:
        p = put(p, b',"post_only":false', 18)
    if action.reduce_only:
        p = put(p, b',"reduce_only":true', 19)
    if action.valid_until_ms > 0:
        p = put(p, b',"valid_until":', 15)
        p = put_integer(p, action.valid_until_ms)
    return p


cdef inline char* put_new(char* p, const Action* action, const Instrument* spec,
                          const LabelScheme* scheme) noexcept nogil:
    if action.side == SIDE_BID:
        p = put(p, b',"method":"private/buy"', 23)
    else:
        p = put(p, b',"method":"private/sell"', 24)
    p = put(p, b',"params":{"instrument_name":"', 30)
    p = put(p, spec.name, spec.name_size)
    p = put(p, b'","amount":', 11)
    p = put_amount_and_price(p, action, spec)
    p = put(p, b',"type":"limit","label":"', 25)
    p += write_label(scheme, action.market, action.slot, action.generation, p)
    p = put(p, b'"', 1)
    if action.time_in_force == TIF_IOC:
        p = put(p, b',"time_in_force":"immediate_or_cancel"', 38)
    elif action.time_in_force == TIF_FOK:
        p = put(p, b',"time_in_force":"fill_or_kill"', 31)
    p = put_flags(p, action)
    return put(p, b'}}', 2)


cdef inline bint is_priced(const Action* action) noexcept nogil:
    """Whether an action says all an order consists of, within the sizes the buffer allows."""
    return (action.price_ticks > 0 and action.amount_contracts > 0
            and action.generation <= GENERATION_MAX
            and (action.time_in_force == TIF_GTC or not action.post_only))


cdef inline bint is_named(const Action* action) noexcept nogil:
    return 0 < action.order_id_size <= ORDER_ID_MAX


cdef inline char* put_side(char* p, const Action* action, const Instrument* spec) noexcept nogil:
    """Write one side as a quote of its own: only then does its set id say which order it is."""
    p = put(p, b'{"instrument_name":"', 20)
    p = put(p, spec.name, spec.name_size)
    p = put(p, b'","quote_set_id":"', 18)
    p += write_set_id(action.market, action.slot, action.generation, p)
    if action.side == SIDE_BID:
        p = put(p, b'","bid":{"amount":', 18)
    else:
        p = put(p, b'","ask":{"amount":', 18)
    p = put_amount_and_price(p, action, spec)
    if action.post_only:
        p = put(p, b',"post_only":true,"reject_post_only":true', 41)
    return put(p, b'}}', 2)


cdef int32_t write_mass(char* out, const ActionBatch* batch, int32_t first,
                        const Instrument* spec, const LabelScheme* scheme) noexcept nogil:
    """Write the mass quote that an action of a batch begins; returns its size or ENCODE_UNKNOWN.

    Its sides are the actions with the same request id, at most one of each side.
    """
    cdef const Action* action = &batch.items[first]
    cdef const Action* side
    cdef char* p = put_head(out, action.request_id)
    cdef int32_t i, sides = 0
    p = put(p, b',"method":"private/mass_quote","params":{"quote_id":"', 53)
    p += write_quote_id(scheme, p)
    p = put(p, b'","mmp_group":"', 15)
    p += write_group(scheme, request_slot(action.request_id), p)
    p = put(p, b'","detailed":true', 17)
    if action.valid_until_ms > 0:
        p = put(p, b',"valid_until":', 15)
        p = put_integer(p, action.valid_until_ms)
    p = put(p, b',"quotes":[', 11)
    for i in range(first, batch.count):
        if batch.items[i].request_id != action.request_id:
            continue
        side = &batch.items[i]
        if (not is_priced(side) or side.market != action.market
                or not (side.kind == ACTION_NEW or (side.kind == ACTION_EDIT and is_named(side)))
                or sides & (1 << side.side)):
            return ENCODE_UNKNOWN
        if sides:
            p = put(p, b',', 1)
        sides |= 1 << side.side
        p = put_side(p, side, spec)
    return <int32_t>(put(p, b']}}', 3) - out)


cdef inline bint is_written(const ActionBatch* batch, int32_t place) noexcept nogil:
    """Whether an action before this one began the mass quote it is a part of."""
    cdef int32_t i
    for i in range(place):
        if batch.items[i].request_id == batch.items[place].request_id:
            return True
    return False


cdef int32_t write_action(char* out, const Action* action, const Instrument* spec,
                          const LabelScheme* scheme) noexcept nogil:
    """Write one request; returns its size, at most TEXT_MAX, or ENCODE_UNKNOWN.

    The session is authenticated, so no request carries a token.
    """
    cdef char* p = put_head(out, action.request_id)
    if action.kind == ACTION_EDIT:
        if not (is_named(action) and is_priced(action)):
            return ENCODE_UNKNOWN
        p = put(p, b',"method":"private/edit","params":{"order_id":"', 47)
        p = put_order_id(p, action)
        p = put(p, b'","amount":', 11)
        p = put_amount_and_price(p, action, spec)
        p = put_flags(p, action)
        p = put(p, b'}}', 2)
    elif action.kind == ACTION_NEW:
        if not is_priced(action):
            return ENCODE_UNKNOWN
        p = put_new(p, action, spec, scheme)
    elif action.kind == ACTION_CANCEL:
        if not is_named(action):
            return ENCODE_UNKNOWN
        p = put(p, b',"method":"private/cancel","params":{"order_id":"', 49)
        p = put_order_id(p, action)
        p = put(p, b'"}}', 3)
    elif action.kind == ACTION_CANCEL_INSTRUMENT:
        p = put(p, b',"method":"private/cancel_all_by_instrument"', 44)
        p = put(p, b',"params":{"instrument_name":"', 30)
        p = put(p, spec.name, spec.name_size)
        p = put(p, b'"}}', 3)
    elif action.kind == ACTION_CANCEL_ALL:
        p = put(p, b',"method":"private/cancel_all","params":{}}', 43)
    else:
        return ENCODE_UNKNOWN
    return <int32_t>(p - out)


cdef Py_ssize_t frame_text(char* out, const char* text, Py_ssize_t size,
                           uint32_t mask) noexcept nogil:
    """Write one masked text frame; returns its size. Texts are below 64 KiB.

    Up to 31 bytes behind the text are read, and as many behind the frame written.
    """
    cdef uint8_t* p = <uint8_t*>out
    cdef uint64_t wide = (<uint64_t>mask << 32) | mask
    p[0] = 0x81
    if size < 126:
        p[1] = 0x80 | <uint8_t>size
        p += 2
    else:
        p[1] = 0x80 | 126
        p[2] = <uint8_t>(size >> 8)
        p[3] = <uint8_t>(size & 255)
        p += 4
    memcpy(p, &mask, 4)
    p += 4
    mm_mask(<char*>p, text, size, wide)
    return (<char*>p - out) + size


cdef class Encoder:
    """Writer of one connection's trading messages.

    specs: instruments by market. mask_seed: any number; frames are masked from it, which the
    protocol asks for and which no result depends on.
    """

    def __init__(self, list specs not None, Labels labels not None, *, mask_seed=1):
        cdef InstrumentSpec spec
        if not 0 < len(specs) <= MARKETS_MAX:
            raise ValueError(f"{len(specs)} instruments: from 1 to {MARKETS_MAX} fit")
        self.labels = labels
        self.market_count = <int32_t>len(specs)
        for i, spec in enumerate(specs):
            self.specs[<int>i] = spec.c
        self.mask_state = (mask_seed & 0xFFFFFFFFFFFFFFFF) or 1

    cdef uint32_t next_mask(self) noexcept nogil:
        self.mask_state ^= self.mask_state << 13
        self.mask_state ^= self.mask_state >> 7
        self.mask_state ^= self.mask_state << 17
        return <uint32_t>(self.mask_state >> 32)

    cdef int32_t encode(self, const ActionBatch* batch) noexcept nogil:
        """Write all texts and all frames of a batch; returns how many, or why not (< 0)."""
        cdef int32_t i, size
        cdef bint mass
        cdef const Action* action
        cdef char* text = self.text
        cdef char* frame = self.frames
        self.count = 0
        self.text_size = 0
        self.frames_size = 0
        if not 0 <= batch.count <= ACTIONS_MAX:
            return ENCODE_OVERFLOW
        for i in range(batch.count):
            action = &batch.items[i]
            if not 0 <= action.market < self.market_count:
                return ENCODE_UNKNOWN
            mass = request_kind(action.request_id) == ACTION_MASS_QUOTE
            if mass and is_written(batch, i):
                continue
            if mass:
                size = write_mass(text, batch, i, &self.specs[action.market], &self.labels.scheme)
            else:
                size = write_action(text, action, &self.specs[action.market], &self.labels.scheme)
            if size < 0:
                return size
            frame += frame_text(frame, text, size, self.next_mask())
            text[size] = c'\n'
            text += size + 1
            self.count += 1
        self.text_size = text - self.text
        self.frames_size = frame - self.frames
        return self.count

    # ------------------------------------------------------------ Python face
    def encode_actions(self, list actions not None):
        """Encode a list of dicts of Action fields; returns (texts, frames as one bytes).

        For tests and tools. Fields left out are 0; order_id is str. ValueError where an action
        is no message.
        """
        cdef ActionBatch batch
        cdef Action* c
        if len(actions) > ACTIONS_MAX:
            raise ValueError(f"{len(actions)} actions: at most {ACTIONS_MAX} fit a batch")
        batch.count = <int32_t>len(actions)
        for i, fields in enumerate(actions):
            c = &batch.items[<int>i]
            c.kind = fields.get("kind", 0)
            c.market = fields.get("market", 0)
            c.slot = fields.get("slot", 0)
            c.side = fields.get("side", 0)
            c.generation = fields.get("generation", 0)
            c.time_in_force = fields.get("time_in_force", 0)
            c.post_only = fields.get("post_only", False)
            c.reduce_only = fields.get("reduce_only", False)
            c.price_ticks = fields.get("price_ticks", 0)
            c.amount_contracts = fields.get("amount_contracts", 0)
            c.request_id = fields.get("request_id", 0)
            c.valid_until_ms = fields.get("valid_until_ms", 0)
            order_id = fields.get("order_id", "").encode("ascii")
            c.order_id_size = <int32_t>len(order_id)
            memcpy(c.order_id, <const char*>(<bytes>order_id),
                   <size_t>min(len(order_id), ORDER_ID_MAX))
        if self.encode(&batch) < 0:
            raise ValueError("an action of this batch cannot be written as a message")
        texts = (<bytes>self.text[:self.text_size]).splitlines()
        return texts, <bytes>self.frames[:self.frames_size]


def frame_of(bytes text not None, uint32_t mask):
    """Return a text as one masked WebSocket frame; at most 65,535 bytes."""
    if len(text) > 65535:
        raise ValueError(f"a text of {len(text)} bytes does not fit one request frame")
    cdef bytes padded = text + bytes(MASKED_AT_ONCE)
    cdef bytearray out = bytearray(len(padded) + FRAME_HEADER_MAX)
    size = frame_text(out, padded, len(text), mask)
    return bytes(out[:size])


def decimal_of(int64_t units, int64_t scale):
    """Return units / scale as exact decimal text; scale a power of ten."""
    cdef char out[32]
    if scale <= 0:
        raise ValueError(f"scale {scale} is no power of ten")
    size = write_decimal(out, units, scale)
    return (<bytes>out[:size]).decode("ascii")
