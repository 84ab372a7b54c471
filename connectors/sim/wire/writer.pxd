"""JSON text of notifications, written once into one buffer with its WebSocket header before it."""
cimport cython
from libc.stdint cimport int64_t

from mmcore.types cimport Instrument


@cython.final
cdef class Writer:
    cdef char* buffer
    cdef Py_ssize_t size
    cdef Py_ssize_t capacity

    cdef int begin(self, bytes channel) except -1
    cdef bytes end(self)
    cdef int raw(self, const char* text, Py_ssize_t count) except -1
    cdef int text(self, bytes literal) except -1
    cdef int integer(self, int64_t value) except -1
    cdef int price(self, const Instrument* spec, int64_t ticks) except -1
    cdef int amount(self, const Instrument* spec, int64_t contracts, bint whole) except -1
    cdef int real(self, double value) except -1
    cdef int decimal(self, int64_t units, int64_t scale, bint whole) except -1
    cdef int reserve(self, Py_ssize_t more) except -1
