"""The 64-byte event: what a recording is once read, and what the exchange plays.

Prices are ticks and amounts contracts of the instrument the event names, as in mmcore.types.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t

cpdef enum EventKind:
    EVENT_LEVEL = 1             # absolute amount of one price level; 0 deletes it
    EVENT_EMPTY = 2             # a book message without any level
    EVENT_TRADE = 3             # a print; side is the taker's, sequence the trade id
    EVENT_TOP = 4               # best price and amount of one side
    EVENT_INDEX = 5             # value = index price in USD
    EVENT_MARK = 6              # value = mark price in USD
    EVENT_FUNDING = 7           # value = funding rate per 8 hours
    EVENT_STATE = 8             # extra = mmcore.types.MarketState

cpdef enum EventFlag:
    FLAG_FIRST = 1              # first event of its message
    FLAG_LAST = 2               # last event of its message
    FLAG_SNAPSHOT = 4           # of a full book: the first one clears the book before it applies
    FLAG_GAP = 8                # messages are missing before this one
    FLAG_EXCLUDED = 16          # block or combo-leg print: not part of the flow

cdef struct Event:
    int64_t exch_ns             # the venue's clock
    int64_t local_ns            # the recorder's clock
    int64_t price_ticks
    int64_t amount_contracts
    int64_t sequence            # change id of a book message, trade id of a print
    int64_t extra               # previous change id of a book message; see the kinds
    double value                # see the kinds
    int32_t instrument          # place in the recording's list of instruments; -1: all
    uint16_t flags              # EventFlag bits
    uint8_t kind                # EventKind
    uint8_t side                # SIDE_BID or SIDE_ASK
