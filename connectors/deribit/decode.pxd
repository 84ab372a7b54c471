"""From decoded wire objects to the core's structs: the checks that make bytes into events.

Every function returns 1, or 0 where the object cannot be trusted; nothing is applied then.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t

from connectors.deribit.labels cimport LabelScheme
from mmcore.types cimport (
    BookDelta, Fill, Instrument, LevelChange, OrderEvent, TickerUpdate, TradePrint)

cdef enum:
    BOOK_LEVELS_MAX = 20000     # of one side of one message; more is malformed


@cython.final
cdef class FrameView:
    """A buffer exporter that is pointed at one frame after another.

    DANGER: what a decoder keeps of it (msgspec.Raw) shows the next frame. No Raw over this.
    """
    cdef const char* ptr
    cdef Py_ssize_t size

    cdef object decoded(self, object decoder)

cdef bint ascii_of(object text, const char** chars, Py_ssize_t* size) noexcept
cdef bint same_name(object text, const Instrument* spec) noexcept
cdef int32_t market_state_of(object text) noexcept
cdef int book_delta_of(object data, const Instrument* spec, LevelChange* bids,
                       LevelChange* asks, BookDelta* out) except -1
cdef int trade_print_of(object data, const Instrument* spec, TradePrint* out) except -1
cdef int ticker_update_of(object data, const Instrument* spec, TickerUpdate* out) except -1
cdef int order_event_of(object data, const Instrument* spec, int32_t market,
                        const LabelScheme* scheme, OrderEvent* out) except -1
cdef int fill_of(object data, const Instrument* spec, int32_t market,
                 const LabelScheme* scheme, Fill* out) except -1
