"""Error codes of the venue, and what each means for the order its request was about."""
from libc.stdint cimport int32_t, int64_t

cdef enum:                      # those that mean more than that
    FAILED = 10001
    ORDER_NOT_FOUND = 10004
    UNAUTHORIZED = 13009        # the token expired, or was taken back
    TIMED_OUT = 13888           # past its valid_until when the venue came to it
    MMP_TRIGGER = 13030
    MMP_REQUIRED = 13040

cdef bint not_logged_in(object answer) except -1
cdef int32_t refusal_of_code(int64_t code) noexcept nogil
