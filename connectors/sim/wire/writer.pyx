"""JSON writer of notifications; see writer.pxd."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, strlen

cdef extern from "Python.h":
    char* PyOS_double_to_string(double, char, int, int, int*) except NULL
    int Py_DTSF_ADD_DOT_0

cdef enum:
    HEADER_MAX = 10             # of a server's frame: no mask


cdef class Writer:
    def __cinit__(self):
        self.capacity = 4096
        self.buffer = <char*>malloc(self.capacity)
        if self.buffer == NULL:
            raise MemoryError("writer")

    def __dealloc__(self):
        free(self.buffer)

    cdef int reserve(self, Py_ssize_t more) except -1:
        cdef char* grown
        if self.size + more <= self.capacity:
            return 0
        grown = <char*>realloc(self.buffer, 2 * (self.size + more))
        if grown == NULL:
            raise MemoryError("writer")
        self.buffer = grown
        self.capacity = 2 * (self.size + more)
        return 0

    cdef int begin(self, bytes channel) except -1:
        """Start a subscription notification; its `data` is written next."""
        self.size = HEADER_MAX
        self.text(b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"')
        self.text(channel)
        return self.text(b'","data":')

    cdef bytes end(self):
        """Close the notification; return the whole frame."""
        cdef Py_ssize_t payload, start
        cdef int i
        self.text(b'}}')
        payload = self.size - HEADER_MAX
        if payload < 126:
            start = HEADER_MAX - 2
            self.buffer[start + 1] = <char>payload
        elif payload < 65536:
            start = HEADER_MAX - 4
            self.buffer[start + 1] = 126
            self.buffer[start + 2] = <char>(payload >> 8)
            self.buffer[start + 3] = <char>(payload & 255)
        else:
            start = 0
            self.buffer[1] = 127
            for i in range(8):
                self.buffer[2 + i] = <char>((payload >> (56 - 8 * i)) & 255)
        self.buffer[start] = <char>0x81
        return PyBytes_FromStringAndSize(self.buffer + start, self.size - start)

    cdef int raw(self, const char* text, Py_ssize_t count) except -1:
        self.reserve(count)
        memcpy(self.buffer + self.size, text, count)
        self.size += count
        return 0

    cdef int text(self, bytes literal) except -1:
        return self.raw(PyBytes_AS_STRING(literal), PyBytes_GET_SIZE(literal))

    cdef int integer(self, int64_t value) except -1:
        cdef char digits[24]
        cdef int at = 24
        cdef bint negative = value < 0
        if negative:
            value = -value
        while True:
            at -= 1
            digits[at] = <char>(48 + value % 10)
            value //= 10
            if value == 0:
                break
        if negative:
            at -= 1
            digits[at] = 45
        return self.raw(&digits[at], 24 - at)

    cdef int decimal(self, int64_t units, int64_t scale, bint whole) except -1:
        """units / scale without zeros at the end; `.0` on integers unless `whole`."""
        cdef int64_t rest
        if units < 0:
            self.raw(b"-", 1)
            units = -units
        self.integer(units // scale)
        rest = units % scale
        if rest == 0:
            return 0 if whole else self.raw(b".0", 2)
        self.raw(b".", 1)
        while rest > 0:
            scale //= 10
            self.reserve(1)
            self.buffer[self.size] = <char>(48 + rest // scale)
            self.size += 1
            rest %= scale
        return 0

    cdef int price(self, const Instrument* spec, int64_t ticks) except -1:
        return self.decimal(ticks * spec.tick_units, spec.price_scale, False)

    cdef int amount(self, const Instrument* spec, int64_t contracts, bint whole) except -1:
        return self.decimal(contracts * spec.contract_units, spec.amount_scale, whole)

    cdef int real(self, double value) except -1:
        """The shortest text that reads back the same."""
        cdef char* text = PyOS_double_to_string(value, b"r", 0, Py_DTSF_ADD_DOT_0, NULL)
        try:
            self.raw(text, strlen(text))
        finally:
            PyMem_Free(text)
        return 0


def frame(bytes payload not None):
    """One text message of a server as a WebSocket frame."""
    cdef Py_ssize_t n = len(payload)
    if n < 126:
        return bytes((0x81, n)) + payload
    if n < 65536:
        return bytes((0x81, 126, n >> 8, n & 255)) + payload
    return bytes((0x81, 127)) + n.to_bytes(8, "big") + payload
