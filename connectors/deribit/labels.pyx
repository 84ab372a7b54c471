"""Labels of our orders; see labels.pxd."""
import re

from libc.string cimport memcmp, memcpy

from mmcore.types cimport LEVELS_MAX, MARKETS_MAX, SLOTS_MAX

cdef const char* HEX = b"0123456789abcdef"


cdef inline char* write_hex(char* out, uint32_t value, int32_t digits) noexcept nogil:
    cdef int32_t i
    for i in range(digits):
        out[digits - 1 - i] = HEX[(value >> (4 * i)) & 15]
    return out + digits


cdef inline int32_t digit_of(char c) noexcept nogil:
    if c'0' <= c <= c'9':
        return c - c'0'
    if c'a' <= c <= c'f':
        return c - c'a' + 10
    return -1


cdef inline bint read_hex(const char* text, int32_t digits, uint32_t* value) noexcept nogil:
    cdef int32_t i, digit
    value[0] = 0
    for i in range(digits):
        digit = digit_of(text[i])
        if digit < 0:
            return False
        value[0] = (value[0] << 4) | <uint32_t>digit
    return True


cdef int32_t write_label(const LabelScheme* scheme, int32_t market, int32_t slot,
                         uint32_t generation, char* out) noexcept nogil:
    """Write a label; returns its size, LABEL_MAX at most."""
    cdef char* p = out
    memcpy(p, scheme.prefix, scheme.prefix_size)
    p = write_hex(p + scheme.prefix_size, scheme.run, 8)
    p[0] = c'-'
    p = write_hex(p + 1, <uint32_t>market, 1)
    p = write_hex(p, <uint32_t>slot, 2)
    p[0] = c'-'
    p = write_hex(p + 1, generation, 6)
    p[0] = c'-'
    p = write_hex(p + 1, scheme.config, 8)
    return <int32_t>(p - out)


cdef int32_t write_quote_id(const LabelScheme* scheme, char* out) noexcept nogil:
    """Write the id of every mass quote of this run; returns its size."""
    cdef char* p = out
    memcpy(p, scheme.prefix, scheme.prefix_size)
    p = write_hex(p + scheme.prefix_size, scheme.run, 8)
    p[0] = c'-'
    return <int32_t>(write_hex(p + 1, scheme.config, 8) - out)


cdef int32_t write_set_id(int32_t market, int32_t slot, uint32_t generation,
                          char* out) noexcept nogil:
    """Write which order a side of a mass quote is; returns its size."""
    cdef char* p = write_hex(out, <uint32_t>market, 1)
    p = write_hex(p, <uint32_t>slot, 2)
    p[0] = c'-'
    return <int32_t>(write_hex(p + 1, generation, 6) - out)


cdef int32_t write_group(const LabelScheme* scheme, int32_t rung, char* out) noexcept nogil:
    """Write the name of a rung's group of quote protection; returns its size."""
    memcpy(out, scheme.prefix, scheme.prefix_size)
    return <int32_t>(write_hex(out + scheme.prefix_size, <uint32_t>rung, 1) - out)


cdef int32_t parse_quote(const LabelScheme* scheme, const char* quote_id, Py_ssize_t quote_size,
                         const char* set_id, Py_ssize_t set_size, Label* out) noexcept nogil:
    """Read both ids of a quote back, as parse_label does a label."""
    cdef char text[LABEL_MAX]
    cdef Py_ssize_t head = scheme.prefix_size + 8
    out.market = -1
    out.slot = -1
    out.generation = 0
    if quote_size != scheme.prefix_size + QUOTE_ID_TAIL or set_size != SET_ID_SIZE:
        return LABEL_FOREIGN
    memcpy(text, quote_id, head)
    text[head] = c'-'
    memcpy(text + head + 1, set_id, SET_ID_SIZE)
    memcpy(text + head + 1 + SET_ID_SIZE, quote_id + head, QUOTE_ID_TAIL - 8)
    return parse_label(scheme, text, scheme.prefix_size + LABEL_TAIL, out)


cdef int32_t parse_label(const LabelScheme* scheme, const char* text, Py_ssize_t size,
                         Label* out) noexcept nogil:
    """Read a label back; returns whose it is and fills `out` unless it is foreign."""
    cdef uint32_t run = 0, market = 0, slot = 0, generation = 0, config = 0
    cdef const char* p = text + scheme.prefix_size
    out.market = -1
    out.slot = -1
    out.generation = 0
    if size != scheme.prefix_size + LABEL_TAIL or memcmp(text, scheme.prefix, scheme.prefix_size):
        return LABEL_FOREIGN
    if p[8] != c'-' or p[12] != c'-' or p[19] != c'-':
        return LABEL_FOREIGN
    if not (read_hex(p, 8, &run) and read_hex(p + 9, 1, &market) and read_hex(p + 10, 2, &slot)
            and read_hex(p + 13, 6, &generation) and read_hex(p + 20, 8, &config)):
        return LABEL_FOREIGN
    if market >= MARKETS_MAX or slot >= SLOTS_MAX:
        return LABEL_FOREIGN
    out.market = <int32_t>market
    out.slot = <int32_t>slot
    out.generation = generation
    return LABEL_OURS if run == scheme.run else LABEL_OTHER_RUN


cdef class Labels:
    """The label scheme of one run.

    prefix: 1 to 12 of A-Z a-z 0-9 _ and -; run and config: 32-bit numbers. ValueError otherwise.
    """

    def __init__(self, str prefix not None, *, run, config=0):
        raw = prefix.encode("ascii", "replace")
        if not re.fullmatch(b"[A-Za-z0-9_-]{1,%d}" % LABEL_PREFIX_MAX, raw):
            raise ValueError(f"label prefix {prefix!r}: use 1 to {LABEL_PREFIX_MAX} of "
                             "letters, digits, _ and -")
        for name, value in (("run", run), ("config", config)):
            if not 0 <= value < 2**32:
                raise ValueError(f"label {name} {value} does not fit 32 bits")
        self.scheme.prefix_size = <int32_t>len(raw)
        memcpy(self.scheme.prefix, <const char*>(<bytes>raw), len(raw))
        self.scheme.run = run
        self.scheme.config = config

    def write(self, int market, int slot, generation):
        """Return the label of one create; ValueError where a part does not fit."""
        cdef char out[LABEL_MAX]
        if not (0 <= market < MARKETS_MAX and 0 <= slot < SLOTS_MAX
                and 0 <= generation <= GENERATION_MAX):
            raise ValueError(f"no label for market {market}, slot {slot}, "
                             f"generation {generation}")
        size = write_label(&self.scheme, market, slot, generation, out)
        return (<bytes>out[:size]).decode("ascii")

    def parse_quote(self, str quote_id not None, str set_id not None):
        """Return what parse() does, of a quote's ids."""
        cdef Label label
        cdef bytes quote = quote_id.encode(), made = set_id.encode()
        owner = parse_quote(&self.scheme, quote, len(quote), made, len(made), &label)
        return LabelOwner(owner), label.market, label.slot, label.generation

    def group(self, int rung):
        """Return the name of a rung's group of quote protection."""
        cdef char out[LABEL_MAX]
        if not 0 <= rung < LEVELS_MAX:
            raise ValueError(f"no rung {rung}")
        size = write_group(&self.scheme, rung, out)
        return (<bytes>out[:size]).decode("ascii")

    def parse(self, str text not None):
        """Return (LabelOwner, market, slot, generation); slot -1 where the label is foreign."""
        cdef Label label
        cdef bytes raw = text.encode()
        owner = parse_label(&self.scheme, raw, len(raw), &label)
        return LabelOwner(owner), label.market, label.slot, label.generation
