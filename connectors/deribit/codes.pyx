"""Meaning of the venue's error codes; see codes.pxd."""
from mmcore.types cimport (
    REFUSAL_GONE, REFUSAL_NO_EFFECT, REFUSAL_POST_ONLY, REFUSAL_TOO_MANY, REFUSAL_UNSURE)

import msgspec

# the Python class: a cimported enum has no name at run time
from mmcore.types import Refusal


cdef int32_t refusal_of_code(int64_t code) noexcept nogil:
    """What an error of the venue means for the order its request was about, as a Refusal."""
    if code in (10001, 10040, 10050, 11051, 11094, 13028, 13888):
        return REFUSAL_UNSURE       # failed, retry, queued too long, maintenance, timed out
    if code in (10004, 10010, 11008, 11044):
        return REFUSAL_GONE         # not found, already closed, already filled, not open
    if code == 11054:
        return REFUSAL_POST_ONLY    # of an edit: the order is cancelled
    if code == 10028 or code == 13903:
        return REFUSAL_TOO_MANY     # requests, or quotes in mass, in a second
    return REFUSAL_NO_EFFECT


cdef bint not_logged_in(object answer) except -1:
    """Whether an answer is a refusal for want of a login."""
    return answer.error is not msgspec.UNSET and answer.error.code == UNAUTHORIZED


def refusal_of(int64_t code):
    """Return what an error code of the venue means for an order: a Refusal."""
    return Refusal(refusal_of_code(code))
