"""Python face of checks and bookings: the codes of refusals."""

from enum import IntEnum

from connectors.sim.registry import Registry

class SimError(IntEnum):
    SIM_OK = 0
    SIM_ORDER_NOT_FOUND = 10004
    SIM_PRICE_TOO_LOW = 10005
    SIM_PRICE_TOO_HIGH = 10007
    SIM_NOT_ENOUGH_FUNDS = 10009
    SIM_BOOK_CLOSED = 10012
    SIM_INVALID_AMOUNT = 10021
    SIM_TOO_MANY_REQUESTS = 10028
    SIM_NOT_OWNER = 10029
    SIM_SETTLEMENT = 10041
    SIM_PRICE_WRONG_TICK = 10043
    SIM_ALREADY_FILLED = 11008
    SIM_POST_ONLY_IMPOSSIBLE = 11021
    SIM_REDUCE_ONLY = 11030
    SIM_NOT_OPEN = 11044
    SIM_POST_ONLY_REJECT = 11054
    SIM_POST_ONLY_NOT_ALLOWED = 11055
    SIM_LABEL_NOT_UNIQUE = 13032
    SIM_TIMED_OUT = 13888

class Clearing(Registry): ...
