"""Python face of request credits."""

from enum import IntEnum

class CreditClass(IntEnum):
    CREDIT_MATCHING = 0
    CREDIT_CANCEL_ALL = 1
    CREDIT_OTHER = 2
    CREDIT_SUBSCRIBE = 3
    CREDIT_INSTRUMENTS = 4
    CREDIT_QUOTES = 5
    CREDIT_LOG = 6
    CREDIT_MASS = 7
