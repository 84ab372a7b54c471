"""Labels: which order of which run a venue's order object is.

`<prefix><run>-<market><slot>-<generation>-<config>`, hexadecimal: run 8, market 1, slot 2,
generation 6, config 8 digits. The config hash says which settings made the order.
A quote has no label: its quote id is `<prefix><run>-<config>`, its set id
`<market><slot>-<generation>`.
"""
cimport cython
from libc.stdint cimport int32_t, uint32_t

cdef enum:
    LABEL_PREFIX_MAX = 12
    LABEL_TAIL = 28             # everything behind the prefix
    LABEL_MAX = 40
    QUOTE_ID_TAIL = 17          # of a quote id, behind the prefix
    SET_ID_SIZE = 10
    GENERATION_MAX = 0xFFFFFF

cdef struct LabelScheme:
    int32_t prefix_size
    char prefix[LABEL_PREFIX_MAX]
    uint32_t run
    uint32_t config

cpdef enum LabelOwner:
    LABEL_FOREIGN = 0           # not written by this program with this prefix
    LABEL_OTHER_RUN = 1         # ours, of an earlier or another run
    LABEL_OURS = 2

cdef struct Label:
    int32_t market
    int32_t slot
    uint32_t generation

cdef int32_t write_label(const LabelScheme* scheme, int32_t market, int32_t slot,
                         uint32_t generation, char* out) noexcept nogil
cdef int32_t write_quote_id(const LabelScheme* scheme, char* out) noexcept nogil
cdef int32_t write_set_id(int32_t market, int32_t slot, uint32_t generation,
                          char* out) noexcept nogil
cdef int32_t write_group(const LabelScheme* scheme, int32_t rung, char* out) noexcept nogil
cdef int32_t parse_quote(const LabelScheme* scheme, const char* quote_id, Py_ssize_t quote_size,
                         const char* set_id, Py_ssize_t set_size, Label* out) noexcept nogil
cdef int32_t parse_label(const LabelScheme* scheme, const char* text, Py_ssize_t size,
                         Label* out) noexcept nogil


@cython.final
cdef class Labels:
    cdef LabelScheme scheme
