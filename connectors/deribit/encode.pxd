"""From a batch of actions to JSON-RPC texts, and from texts to masked WebSocket frames.

No Python object: integers become decimals, an action becomes literals around them.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from connectors.deribit.labels cimport GENERATION_MAX, Labels, LabelScheme, write_label
from mmcore.types cimport ACTIONS_MAX, MARKETS_MAX, Action, ActionBatch, Instrument

cdef enum:
    TEXT_MAX = 640              # bytes of the longest request; checked while instruments are set
    FRAME_HEADER_MAX = 8        # 2, 2 more from 126 bytes on, 4 of mask
    MASKED_AT_ONCE = 32         # bytes; a frame is masked, and a number written, in wholes
    ENCODE_OVERFLOW = -1
    ENCODE_UNKNOWN = -2         # an action that is no message: kind, market or order id

cdef int32_t write_decimal(char* out, int64_t units, int64_t scale) noexcept nogil
cdef int32_t write_action(char* out, const Action* action, const Instrument* spec,
                          const LabelScheme* scheme) noexcept nogil
cdef Py_ssize_t frame_text(char* out, const char* text, Py_ssize_t size,
                           uint32_t mask) noexcept nogil


@cython.final
cdef class Encoder:
    cdef Labels labels
    cdef Instrument specs[MARKETS_MAX]
    cdef int32_t market_count
    cdef uint64_t mask_state
    cdef int32_t count                      # messages of the last batch
    cdef Py_ssize_t text_size               # all texts, each followed by a newline
    cdef Py_ssize_t frames_size
    cdef char text[ACTIONS_MAX * (TEXT_MAX + 1) + MASKED_AT_ONCE]
    cdef char frames[ACTIONS_MAX * (TEXT_MAX + FRAME_HEADER_MAX) + MASKED_AT_ONCE]

    cdef int32_t encode(self, const ActionBatch* batch) noexcept nogil
    cdef uint32_t next_mask(self) noexcept nogil
