"""A scanner of the one message that matters most: book changes as the venue writes them.

It takes what it knows to the last byte and leaves everything else to the decoder: what it takes
has the same result there, field by field.
"""
from mmcore.types cimport BookDelta, Instrument, LevelChange

cdef bint scan_book(const char* p, Py_ssize_t size, const Instrument* spec, LevelChange* bids,
                    LevelChange* asks, BookDelta* out) noexcept nogil
