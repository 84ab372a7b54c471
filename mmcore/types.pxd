"""Vocabulary of the core: limits, enums, structs, and the arithmetic of ticks and contracts.

Prices are integer ticks and amounts integer contracts everywhere inside; a float is made only for
pricing and only through the functions at the end of this file. Times are nanoseconds of the clock
the caller uses (`now_ns`); venue times keep the venue's unit (`_ms`).
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

# Everything bounded. A limit that is too small is a refused config, never a silent truncation.
cdef enum:
    MARKETS_MAX = 16            # instruments in one reactor
    LEVELS_MAX = 10             # rungs of one side of a ladder
    SLOTS_QUOTE = 20            # slot = side * LEVELS_MAX + level
    SLOTS_MAX = 24              # the last four are for aggressive orders (cut, hedge, stop)
    ACTIONS_MAX = 64            # actions of one decision
    ORDER_ID_MAX = 32           # bytes of a venue's order id
    NAME_MAX = 48               # bytes of an instrument name
    TICK_STEPS_MAX = 4          # price-dependent tick sizes
    HORIZONS = 5                # markouts at 0.1, 1, 5, 30 and 300 s
    ALPHA_TERMS_MAX = 7         # three of the core and four own ones
    SIDE_BID = 0
    SIDE_ASK = 1
    SLOT_FOREIGN = -1           # of a fill: somebody else's order on this account
    SLOT_EARLIER_RUN = -2       # ours, of a process that is gone

cpdef enum InstrumentKind:
    INSTRUMENT_INVERSE = 0      # amount in USD, profit in BTC
    INSTRUMENT_LINEAR = 1       # amount in BTC, profit in USD(C)

cpdef enum MarketState:
    MARKET_OPEN = 0
    MARKET_SETTLEMENT = 1
    MARKET_LOCKED = 2
    MARKET_HALTED = 3
    MARKET_INACTIVE = 4
    MARKET_DELIVERED = 5
    MARKET_ARCHIVIZED = 6
    MARKET_UNKNOWN = 7

cpdef enum ActionKind:
    ACTION_NEW = 1
    ACTION_EDIT = 2
    ACTION_CANCEL = 3
    ACTION_CANCEL_INSTRUMENT = 4    # cancel_all_by_instrument: the pull
    ACTION_CANCEL_ALL = 5           # cancel_all: the kill, its own credit pool
    ACTION_MASS_QUOTE = 8           # of request ids alone: creates and edits that are one message

cpdef enum TimeInForce:
    TIF_GTC = 0
    TIF_IOC = 1
    TIF_FOK = 2

cpdef enum VenueOrderState:
    VENUE_ORDER_OPEN = 0
    VENUE_ORDER_FILLED = 1
    VENUE_ORDER_CANCELLED = 2
    VENUE_ORDER_REJECTED = 3
    VENUE_ORDER_UNTRIGGERED = 4

cpdef enum OrderEventKind:
    ORDER_EVENT_ACCEPTED = 0    # the venue answered a request of ours with the order's state
    ORDER_EVENT_REFUSED = 1     # the venue answered a request of ours with an error
    ORDER_EVENT_UPDATE = 2      # a notification or a query result carrying the order's state
    ORDER_EVENT_ABSENT = 3      # the venue was asked and has no such order

cpdef enum Refusal:
    """What a venue's error means for the order its request was about."""
    REFUSAL_NO_EFFECT = 0       # nothing happened: a create never was, an edit left all as it was
    REFUSAL_UNSURE = 1          # the request may have had effect
    REFUSAL_GONE = 2            # the order is closed or not there; how it ended is not said
    REFUSAL_POST_ONLY = 3       # it would have taken: never created, or cancelled by its edit
    REFUSAL_CLOSED = 4          # the order is closed, and nothing more is to be learnt
    REFUSAL_TOO_MANY = 5        # nothing happened: the pool it is paid from was empty

cpdef enum ControlKind:
    """What reaches the engine besides market data and orders; every one is journalled."""
    CONTROL_CONNECTED = 1       # session authenticated, cancel-on-disconnect confirmed
    CONTROL_DISCONNECTED = 2    # every order of that connection counts as unknown
    CONTROL_SUBSCRIBED = 3      # market: a fresh snapshot may now be applied
    CONTROL_RECONCILED = 4      # venue's open orders and positions agree: quoting may begin
    CONTROL_POSITION = 5        # market, value = signed contracts, real = average price
    CONTROL_EQUITY = 6          # real = account equity in BTC
    CONTROL_WALL_OFFSET = 7     # value = wall clock minus now_ns, in ns
    CONTROL_MARKET_STATE = 8    # market, value = MarketState
    CONTROL_PAUSE = 9           # value = ns after which it ends, 0: by command; real = RiskReason
    CONTROL_RESUME = 10
    CONTROL_KILL = 11           # value = FaultCode
    CONTROL_STOP = 12           # no new order any more; cancel what is live
    CONTROL_ROUND_TRIP = 13     # value = p95 round trip in ns
    CONTROL_CREDITS = 14        # market = CreditPool, value = burst, real = requests per second
    CONTROL_FUNDING = 15        # market, real = the session's in BTC; value = 1: counts from there
    CONTROL_UNKNOWN_RESOLVED = 16   # market, value = slot: every query answered, order absent
    CONTROL_REDUCE = 30         # value = 1: nothing adds until value = 0
    CONTROL_MARGIN = 31         # value = initial margin in 1e-8 BTC, real = margin balance
    CONTROL_MARGIN_RATE = 32    # market, real = initial margin per BTC of exposure
    CONTROL_DAY = 33            # restart: value = day number, real = what the day made so far
    CONTROL_DAY_HIGH = 34       # restart: value = losses of the day that tripped, real = its best
    CONTROL_SETTLED = 35        # market, value = 1: delivered, real = price
    CONTROL_FEE = 42            # market, value = paid without a trade, in 1e-8 of its currency
    CONTROL_FLATTEN = 36        # value = 1: close every position, whatever the state; 0: no more
    CONTROL_CREDITS_LEFT = 39   # market = CreditPool, value = requests that are left at most
    CONTROL_PROTECTION = 40     # market, value = rungs under quote protection; 0: it is frozen
    CONTROL_HEDGE = 41          # value = 1: hedge what is open now; 0: no more

cdef struct TickStep:
    int64_t above_ticks         # prices above this many base ticks …
    int64_t step_ticks          # … are multiples of this many base ticks

cdef struct Instrument:
    int32_t index               # its place in the engine's array of markets
    int32_t kind                # InstrumentKind
    int64_t tick_units          # price = ticks * tick_units / price_scale
    int64_t price_scale         # a power of ten
    int64_t contract_units      # amount = contracts * contract_units / amount_scale
    int64_t amount_scale        # a power of ten
    int64_t lot_contracts       # order amounts are multiples of this many contracts
    int64_t maker_fee_e8        # fraction of notional, in 1e-8 (1.5 bps = 15000)
    int64_t taker_fee_e8
    int64_t expiry_ms           # 0: perpetual
    double tick_usd             # tick_units / price_scale
    double contract_size        # contract_units / amount_scale, USD or BTC
    int32_t price_decimals      # log10(price_scale)
    int32_t amount_decimals     # log10(amount_scale)
    int32_t tick_step_count
    TickStep tick_steps[TICK_STEPS_MAX]
    int32_t name_size
    char name[NAME_MAX]

# ---------------------------------------------------------------- what comes in
cdef struct LevelChange:
    int64_t price_ticks
    int64_t amount_contracts    # absolute amount of the level; 0 deletes it

cdef struct BookDelta:
    int64_t change_id
    int64_t prev_change_id      # ignored in a snapshot
    int64_t timestamp_ms
    bint snapshot
    int32_t bid_count
    int32_t ask_count
    const LevelChange* bids
    const LevelChange* asks

cdef struct TradePrint:
    int32_t side                # of the taker: SIDE_BID bought
    int64_t price_ticks
    int64_t amount_contracts
    int64_t timestamp_ms
    int64_t trade_seq
    bint excluded               # block or combo-leg print: not part of the flow

cdef struct TickerUpdate:
    int64_t timestamp_ms
    double mark_usd             # 0 where the message had none, like every field here
    double index_usd
    double last_usd
    double current_funding
    double funding_8h
    double min_price_usd
    double max_price_usd
    int32_t state               # MarketState

cdef struct OrderEvent:
    int32_t kind                # OrderEventKind
    int32_t market
    int32_t slot
    uint32_t generation         # of the create the label names
    int32_t request             # ActionKind the venue answers; 0 for a notification
    int64_t request_id          # 0 for a notification
    int32_t refusal             # Refusal: the meaning of an error
    int32_t error_code          # its number at the venue, for the record; the core reads none
    int32_t order_state         # VenueOrderState
    int32_t side
    int64_t price_ticks
    int64_t amount_contracts    # total, filled part included
    int64_t filled_contracts
    int64_t last_update_ms
    int32_t order_id_size
    char order_id[ORDER_ID_MAX]

cdef struct Fill:
    int32_t market
    int32_t slot                # SLOT_FOREIGN, SLOT_EARLIER_RUN, or of an order of this run
    uint32_t generation
    int32_t side                # of our order: SIDE_BID bought
    int64_t price_ticks
    int64_t amount_contracts
    int64_t fee_e8              # BTC (or USDC) in 1e-8; negative is a rebate
    int64_t trade_seq
    uint64_t trade_id
    int64_t timestamp_ms
    bint maker

cdef struct Control:
    int32_t kind                # ControlKind
    int32_t market
    int64_t value
    double real

# ---------------------------------------------------------------- what is decided
cpdef enum RemovedReason:
    """Why a side of a ladder is empty; the bits of Why.removed."""
    REMOVED_NOT_READY = 1           # not connected, or not reconciled
    REMOVED_BOOK_INVALID = 2
    REMOVED_STALE = 4
    REMOVED_STATE = 8               # instrument not open, or the engine paused
    REMOVED_INVENTORY = 16          # the adding side at its limit
    REMOVED_REFERENCE = 32          # reference too far from mark, or none
    REMOVED_WIDTH = 64              # half-spread above the cap: stand aside
    REMOVED_HOLD = 128              # after a fill
    REMOVED_MOMENTUM = 256
    REMOVED_COLLAR = 512            # price outside the collar or the venue's band
    REMOVED_SIZE = 1024             # nothing left after rounding to lots
    REMOVED_LAG = 2048              # feed lag over its limit
    REMOVED_KILLED = 4096           # killed, or leaving
    REMOVED_SIGNAL = 8192           # a strong signal against this side
    REMOVED_REGIME = 16384          # the regime does not allow this side
    REMOVED_WINDOW = 32768          # a time window that pulls
    REMOVED_TOP_RATE = 65536        # the touch moves too fast
    REMOVED_FILLS = 131072          # too many fills of this side in a row
    REMOVED_COVER = 262144          # covering an adverse fill: the other side only
    REMOVED_VOL = 524288            # stand aside: volatility
    REMOVED_SWEEP = 1048576         # a sweep, or a single trade too large
    REMOVED_CALENDAR = 2097152      # settlement, or a contract too near its expiry
    REMOVED_FROZEN = 4194304        # the venue's quote protection has tripped
    REMOVED_STANDBY = 8388608       # a contract that waits for the one before it to wind down
    REMOVED_FUNDING = 16777216      # funding would be paid on what is added
    REMOVED_PREFERENCE = 33554432   # another instrument is preferred
    REMOVED_THROTTLE = 67108864     # repeated execution of this side
    REMOVED_EDGE = 134217728        # fills at this distance and side lost money
    REMOVED_WARMUP = 268435456      # the book is too young to quote by; closing may go on

cpdef enum TakeReason:
    """Why liquidity is to be taken; the kind of a Take."""
    TAKE_NONE = 0
    TAKE_COVER = 1                  # an adverse fill that passive quotes did not bring back
    TAKE_CUT = 2                    # inventory beyond a bound and the price running against it
    TAKE_HEDGE = 3                  # the net exposure is brought back on another instrument
    TAKE_PAIR = 4                   # the other leg of a pair whose one leg was filled
    TAKE_EXPIRY = 5                 # what is left when a contract should be out before its end
    TAKE_UNPAIR = 6                 # that one leg again, where the other cannot be had
    TAKE_STOP = 8                   # the loss or the move since the entry is too large
    TAKE_FLATTEN = 9                # the position is closed: killed, leaving, or told to

cpdef enum Overlay:
    """What took the place of a side's ladder: one rung at the touch."""
    OVERLAY_NONE = 0
    OVERLAY_HEDGE = 1               # to bring the net exposure back, before liquidity is taken
    OVERLAY_OPEN = 2                # a leg of a pair that opens
    OVERLAY_CLOSE = 3               # a leg of a pair that closes

# A request to take liquidity now: one order that never rests (IOC or FOK), never post-only. The
# planner sends it from one of the slots above SLOTS_QUOTE once no take of this market is in
# flight, cancels own quotes it could meet before it, and says so in PlanResult.taken. It is
# asked for again at each decision until it was sent.
cdef struct Take:
    int32_t why                 # TakeReason; TAKE_NONE: nothing to take
    int32_t side                # SIDE_BID buys
    int32_t time_in_force       # TIF_IOC or TIF_FOK
    bint reduce_only
    bint lowers_net             # the gate holds it to that: |net| falls, whatever it opens
    int64_t price_ticks         # worst price accepted
    int64_t amount_contracts    # whole lots

# How a pair of quotes came to be. USD unless the name says otherwise.
cdef struct Why:
    double reference_usd
    double carry_usd            # funding or basis
    double alpha_usd            # imbalance, flow and order-flow imbalance together, capped
    double alpha_term_usd[ALPHA_TERMS_MAX]  # each term before the cap, as alpha.TERM_NAMES
    double skew_usd             # reservation minus fair value
    double half_floor_usd       # fee floor of the adding side
    double half_vol_usd         # what volatility (or the model's risk term) adds
    double half_base_usd        # what the model asks without it
    double half_market_usd      # share of the prevailing half-spread
    double drought_usd          # added for a thin book
    double pad_usd              # added for the round trip
    double markout_usd[2]       # added to a side whose fills turned out bad
    double signal_usd[2]        # added to the side that signals speak against
    double half_usd             # what was used, without pad and markout
    double spread_factor        # regime, time window and touch rate, multiplied
    double size_factor
    double position_btc         # net delta the skew saw
    double sigma_usd            # per sqrt(s)
    double vol_year             # one-minute volatility, annualised
    int32_t reference_source    # ReferenceSource
    int32_t model               # WidthModel
    int32_t regime              # Regime
    int32_t removed[2]          # RemovedReason bits per side
    int32_t overlay[2]          # Overlay: what a side is quoted for, if not for its spread
    int32_t take                # TakeReason of the liquidity wanted
    int64_t take_contracts      # signed: bought above 0

cdef struct Rung:
    int64_t price_ticks
    int64_t amount_contracts

cdef struct TargetQuotes:
    int32_t count[2]
    int32_t first[2]            # rungs before it are not wanted now: their slots stay empty
    bint reducing[2]            # that side reduces the position: floor and width do not bind it
    bint closing                # nothing but the closing of a position
    Rung rungs[2][LEVELS_MAX]
    Take take
    Why why

# Only risk.RiskGate fills one of these.
cdef struct ApprovedQuotes:
    int32_t count[2]
    int32_t first[2]
    bint reducing[2]
    Rung rungs[2][LEVELS_MAX]
    Take take
    Why why

cdef struct Action:
    int32_t kind                # ActionKind
    int32_t market
    int32_t slot
    int32_t side
    uint32_t generation
    int32_t time_in_force
    bint post_only
    bint reduce_only
    bint lowers_net
    int64_t price_ticks
    int64_t amount_contracts    # total, filled part included
    int64_t request_id
    int64_t valid_until_ms
    int32_t order_id_size
    char order_id[ORDER_ID_MAX]

cdef struct ActionBatch:
    int32_t count
    Action items[ACTIONS_MAX]

# What a sink takes: a batch whose every create and edit passed the gate as it stands there.
# Only RiskGate.release() makes one.
cdef struct ApprovedBatch:
    ActionBatch actions

# ---------------------------------------------------------------- request ids
# id = kind << 44 | market << 40 | slot << 32 | sequence, below 2^53; kind 0: the cold RPCs.
# Of a mass quote the slot is its rung, and every order it creates or edits carries its id.
cdef inline int64_t request_id_of(int32_t kind, int32_t market, int32_t slot,
                                  uint32_t sequence) noexcept nogil:
    return ((<int64_t>kind) << 44) | ((<int64_t>market) << 40) | ((<int64_t>slot) << 32) | sequence

cdef inline int32_t request_kind(int64_t request_id) noexcept nogil:
    return <int32_t>(request_id >> 44)

cdef inline int32_t request_market(int64_t request_id) noexcept nogil:
    return <int32_t>((request_id >> 40) & 15)

cdef inline int32_t request_slot(int64_t request_id) noexcept nogil:
    return <int32_t>((request_id >> 32) & 255)

# ---------------------------------------------------------------- ticks and contracts
cdef inline double price_usd(const Instrument* spec, int64_t price_ticks) noexcept nogil:
    """Nearest double of the decimal price: one exact product, one rounded division."""
    return <double>(price_ticks * spec.tick_units) / <double>spec.price_scale

cdef inline double amount_of(const Instrument* spec, int64_t amount_contracts) noexcept nogil:
    """Amount as the venue counts it: USD when inverse, BTC when linear."""
    return <double>(amount_contracts * spec.contract_units) / <double>spec.amount_scale

cdef inline double delta_btc(const Instrument* spec, int64_t amount_contracts,
                             double at_price_usd) noexcept nogil:
    """BTC worth of contracts at a price; 0 where there is no price."""
    if spec.kind == INSTRUMENT_LINEAR:
        return amount_of(spec, amount_contracts)
    if at_price_usd <= 0.0:
        return 0.0
    return amount_of(spec, amount_contracts) / at_price_usd

cdef inline double contracts_of_btc(const Instrument* spec, double btc,
                                    double at_price_usd) noexcept nogil:
    """Contracts worth that many BTC, not rounded."""
    if spec.kind == INSTRUMENT_LINEAR:
        return btc / spec.contract_size
    return btc * at_price_usd / spec.contract_size

cdef inline int32_t sign_of(int32_t side) noexcept nogil:
    return 1 - 2 * side

cdef bint ticks_of_price(const Instrument* spec, double price, int64_t* ticks) noexcept nogil
cdef bint contracts_of_amount(const Instrument* spec, double amount,
                              int64_t* contracts) noexcept nogil
cdef int64_t ticks_down(const Instrument* spec, double price) noexcept nogil
cdef int64_t ticks_up(const Instrument* spec, double price) noexcept nogil
cdef int64_t lots_down(const Instrument* spec, double contracts) noexcept nogil


cdef class InstrumentSpec:
    """One instrument, checked; the Python face of `Instrument`."""
    cdef Instrument c
