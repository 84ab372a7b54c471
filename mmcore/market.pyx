"""See market.pxd."""
from libc.math cimport exp2
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy

from mmcore.alpha cimport timed_terms, update_terms
from mmcore.alpha import TERM_NAMES  # no-cython-lint; found where it is registered
from mmcore.funding cimport accrue_funding
from mmcore.params cimport FUNDING_INTERVAL, MODE_MASS_QUOTE, pairs_on
from mmcore.priority cimport queue_update
from mmcore.reaction cimport react_to_fill, react_to_mid, reaction_rests, stance_of
from mmcore.reduction cimport count_moves, moves_rest, reduce_stance, reduction_taken
from mmcore.regime cimport regime_update
from mmcore.risk cimport gross_of
from mmcore.standing cimport same_grounds
from mmcore.types cimport (
    CONTROL_FEE, CONTROL_FUNDING, CONTROL_MARGIN_RATE, CONTROL_MARKET_STATE, CONTROL_POSITION,
    CONTROL_PROTECTION, CONTROL_SETTLED, CONTROL_UNKNOWN_RESOLVED, INSTRUMENT_INVERSE, LEVELS_MAX,
    MARKET_ARCHIVIZED, MARKET_DELIVERED, MARKET_OPEN, MARKET_SETTLEMENT, REMOVED_CALENDAR,
    REMOVED_FROZEN, REMOVED_NOT_READY, REMOVED_STANDBY, SIDE_ASK, SIDE_BID, SLOTS_MAX,
    SLOTS_QUOTE, TAKE_NONE, Why, amount_of, delta_btc, price_usd)
# the Python class: a cimported enum has no name at run time
from mmcore.regime import Regime
from mmcore.types import Overlay, TakeReason


cdef enum:
    LAG_SHARE = 8               # feed lag is averaged over about this many book messages
    MARKOUT_5_S = 2             # place of the 5 s horizon in the ledger
    TAKER_PRIOR = 20            # maker fills the measured taker share starts from

cdef int64_t SECOND_NS = 1_000_000_000
cdef double REFRESH_MOST = 1.2  # of orders.refresh_s: the longest a lot can make it
cdef double FILL_RATE_HALF_LIFE_S = 300.0
cdef double LN_2 = 0.6931471805599453


cdef dict explain(const Why* why):
    """The why record as a dict."""
    terms = {name: why.alpha_term_usd[<int>i] for i, name in enumerate(TERM_NAMES)}
    return {"reference_usd": why.reference_usd, "carry_usd": why.carry_usd,
            "alpha_usd": why.alpha_usd, "alpha_terms_usd": terms, "skew_usd": why.skew_usd,
            "half_floor_usd": why.half_floor_usd, "half_base_usd": why.half_base_usd,
            "half_vol_usd": why.half_vol_usd, "half_market_usd": why.half_market_usd,
            "drought_usd": why.drought_usd, "pad_usd": why.pad_usd,
            "markout_usd": (why.markout_usd[0], why.markout_usd[1]),
            "signal_usd": (why.signal_usd[0], why.signal_usd[1]),
            "half_usd": why.half_usd, "spread_factor": why.spread_factor,
            "size_factor": why.size_factor, "position_btc": why.position_btc,
            "sigma_usd": why.sigma_usd, "vol_year": why.vol_year,
            "reference_source": why.reference_source, "model": why.model,
            "regime": Regime(why.regime).name,
            "removed": (why.removed[0], why.removed[1]),
            "overlay": (Overlay(why.overlay[0]).name, Overlay(why.overlay[1]).name),
            "take": TakeReason(why.take).name, "take_contracts": why.take_contracts}


def explain_record(bytes record not None):
    """A JOURNAL_WHY record as the dict Market.why() gave; ValueError where it is no such one."""
    cdef Why why
    if len(record) != sizeof(Why):
        raise ValueError(f"a why record has {sizeof(Why)} bytes here, not {len(record)}; read the "
                         "journal with the version that wrote it")
    memcpy(&why, <const char*>record, sizeof(Why))
    return explain(&why)


cdef class Market:
    """Book, signals, orders, position and ledger of one instrument."""

    def __init__(self, InstrumentSpec spec not None, Params params not None, int32_t index):
        self.spec_object = spec
        self.spec = spec.c
        self.spec.index = index
        self.params = params.copy()
        self.book = OrderBook()
        self.signals = Signals()
        self.orders = OrderTable()
        self.position = Position()
        self.ledger = Ledger()
        self.ledger.spec = self.spec
        self.statement = Statement()
        self.calendar.size_factor = self.calendar.delta_share = 1.0
        self.calendar.state = MARKET_OPEN
        self.predecessor = -1
        self.turn_share = 1.0
        self.risk_spread_factor = self.risk_size_factor = self.preference = 1.0
        self.refresh_lot = <uint64_t>index
        self.dirty = True

    cdef double price_for_limits(self) noexcept nogil:
        """The lower of reference and mark: contracts are worth most BTC there."""
        cdef double price = self.signals.s.reference_usd
        cdef double mark = self.signals.s.mark_usd
        if mark > 0.0 and (price <= 0.0 or mark < price):
            return mark
        return price

    cdef double position_btc(self) noexcept nogil:
        """What the position moves like, in BTC, at the price limits are counted at."""
        return self.calendar.delta_share * delta_btc(
            &self.spec, self.position.contracts, self.price_for_limits())

    cdef void measure(self, double scale, int64_t now_ns) noexcept nogil:
        """Bring exposure and inventory up to date with orders and position."""
        cdef double price = self.price_for_limits()
        self.exposure.at_price_usd = price
        self.exposure.position_btc = self.calendar.delta_share * delta_btc(
            &self.spec, self.position.contracts, price)
        self.exposure.unmatched_btc = self.exposure.position_btc
        self.inventory.contracts = self.position.contracts
        if self.matched_contracts != 0 and pairs_on(&self.params.v):
            self.inventory.contracts -= self.matched_contracts
            self.exposure.unmatched_btc = self.calendar.delta_share * delta_btc(
                &self.spec, self.inventory.contracts, price)
        self.orders.worst_btc(&self.spec, price, self.exposure.worst_btc)
        self.exposure.limit_btc = scale * self.params.v.inventory.limit_btc
        self.inventory.limit_btc = self.exposure.limit_btc
        self.exposure.gross_btc = gross_of(&self.exposure, SIDE_BID, 0.0)
        self.measured = True
        self.exposure.barred[SIDE_BID] = now_ns < self.barred_ns[SIDE_BID]
        self.exposure.barred[SIDE_ASK] = now_ns < self.barred_ns[SIDE_ASK]

    cdef void on_book_applied(self, const BookDelta* delta, int64_t now_ns,
                              int64_t wall_offset_ns) noexcept nogil:
        """Keep age and lag of the feed; a snapshot starts the warm-up anew."""
        cdef int64_t lag_ns
        self.health.book_ns = now_ns
        if delta.snapshot:
            self.health.synced_ns = now_ns
            self.health.lag_ns = self.health.newest_lag_ns = 0
            self.signals.restart()
            self.reaction.moved_mid_usd = 0.0
            return
        self.book_updates += 1
        if wall_offset_ns != 0 and delta.timestamp_ms > 0:
            lag_ns = now_ns + wall_offset_ns - delta.timestamp_ms * 1_000_000
            self.health.newest_lag_ns = lag_ns
            self.health.lag_ns += (lag_ns - self.health.lag_ns) // LAG_SHARE

    cdef void observe(self, int64_t now_ns) noexcept nogil:
        """Bring signals, regime and reactions up to the book and the tape."""
        queue_update(self.orders, self.book)
        self.signals.update(&self.spec, self.book, self.orders, &self.params.v, now_ns)
        if self.book.valid:
            react_to_mid(&self.reaction, self.signals.s.mid_usd, &self.params.v.orders, now_ns)
            count_moves(&self.reaction, self.signals.s.mid_usd, &self.params.v.inventory, now_ns)
        update_terms(&self.signals.s, self.signals.memory, &self.params.v.quote, now_ns)
        regime_update(&self.regime, &self.signals.windows, &self.params.v)

    cdef void take_stance(self, const WindowTable* windows, int64_t now_ns) noexcept nogil:
        """Say what may be quoted at this decision, and what our own fills teach."""
        cdef int32_t side
        stance_of(&self.reaction, &self.signals.s, &self.regime, windows, &self.params.v,
                  now_ns, &self.stance)
        reduce_stance(&self.reaction, &self.spec, &self.signals.s, &self.params.v,
                      self.position.contracts, now_ns, &self.stance)
        self.keep_hours(now_ns)
        if <int32_t>self.params.v.orders.mode == MODE_MASS_QUOTE and (
                self.orders.protected_rungs == 0):
            self.stance.removed[SIDE_BID] |= REMOVED_FROZEN
            self.stance.removed[SIDE_ASK] |= REMOVED_FROZEN
        if self.orders.unknown_count > 0:       # what we do not know may be a position already
            self.stance.removed_adding[SIDE_BID] |= REMOVED_NOT_READY
            self.stance.removed_adding[SIDE_ASK] |= REMOVED_NOT_READY
        self.stance.spread_factor *= self.risk_spread_factor
        self.stance.size_factor *= self.risk_size_factor
        self.inventory.taker_share = <double>(self.ledger.fills - self.ledger.maker_fills) / (
            <double>(self.ledger.fills + TAKER_PRIOR))
        for side in range(2):
            self.inventory.markout_bps[side] = self.ledger.markout_recent_bps[side][MARKOUT_5_S]
            self.inventory.markout_fills[side] = <int64_t>(
                self.ledger.markout_count[side][MARKOUT_5_S])

    cdef void book_trade(self, const Fill* fill, int64_t now_ns) noexcept nogil:
        """Book one trade into position, statement and ledger."""
        cdef double price = price_usd(&self.spec, fill.price_ticks)
        cdef double amount = amount_of(&self.spec, fill.amount_contracts)
        cdef double mid = self.signals.s.mid_usd if self.book.valid else 0.0
        cdef double worth = delta_btc(&self.spec, fill.amount_contracts, price)
        cdef bint quote = 0 <= fill.slot < SLOTS_QUOTE
        self.position.apply(&self.spec, fill.side, fill.price_ticks, fill.amount_contracts,
                            fill.fee_e8)
        self.statement.on_fill(&self.spec, fill.side, fill.price_ticks, fill.amount_contracts,
                               fill.fee_e8, mid, fill.maker, not quote)
        self.ledger.record(fill.side, price, fill.maker, now_ns)
        if self.spec.kind != INSTRUMENT_INVERSE:
            worth *= price
        self.ledger.qualify(amount, mid, <double>fill.fee_e8 * 1e-4 / worth if worth > 0.0
                            else 0.0, quote)

    cdef void accrue(self, int64_t wall_offset_ns, int64_t now_ns) noexcept nogil:
        """Count the funding paid until now; before rate, mark or position change."""
        accrue_funding(&self.funding, &self.spec, &self.signals.s, self.position.contracts,
                       <int32_t>self.params.v.funding.model, wall_offset_ns, now_ns)

    cdef void on_funding(self, double session) noexcept nogil:
        """Take the venue's realised funding of the session; a new session counts from 0."""
        if self.settled:
            self.settled = False
            self.funding_session = 0.0
        self.statement.add_funding(session - self.funding_session)
        self.funding_session = session
        self.position.funding = self.statement.funding()

    cdef void on_state(self, int32_t state) noexcept nogil:
        """Take the venue's state of the instrument; a settlement ends the session's funding."""
        if state == MARKET_SETTLEMENT and self.health.state != MARKET_SETTLEMENT:
            self.settled = True
        self.health.state = state

    cdef void keep_hours(self, int64_t now_ns) noexcept nogil:
        """Take settlement and expiry into the stance."""
        cdef int32_t side
        cdef int64_t wake_ns = now_ns + self.calendar.next_ns
        for side in range(2):
            if self.calendar.settling:
                self.stance.removed[side] |= REMOVED_CALENDAR
            if self.calendar.leaving:
                self.stance.removed_adding[side] |= REMOVED_CALENDAR
            if self.turn_share <= 0.0:
                self.stance.removed_adding[side] |= REMOVED_STANDBY
        self.stance.size_factor *= self.calendar.size_factor * self.turn_share
        if wake_ns > now_ns and (self.stance.wake_ns == 0 or wake_ns < self.stance.wake_ns):
            self.stance.wake_ns = wake_ns

    cdef bint ladder_stands(self, int32_t blocked, RiskGate gate) noexcept nogil:
        """Whether the ladder as it was approved holds for this decision too."""
        self.stands = same_grounds(
            &self.grounds, self.params.revision, &self.signals.s, &self.stance, &self.inventory,
            &self.exposure, &self.placement, blocked, gate)
        return self.stands

    cdef bint is_still(self, int64_t wall_ns, int64_t now_ns) noexcept nogil:
        """Whether observing now would find what it found last: only levels moved that nobody
        reads, and no moment has passed at which time alone changes anything."""
        cdef int32_t side
        if (self.dirty != DUE_BOOK or not self.signals.is_near_same(self.book)
                or not self.grounds.known or not self.measured
                or not self.book.valid or self.grounds.revision != self.params.revision
                or wall_ns // SECOND_NS != self.calendar.second or self.calendar.reopening):
            return False
        # a wake that comes before the next refresh could is counted from each decision anew
        if self.stance.wake_ns <= now_ns + <int64_t>(
                REFRESH_MOST * 1e9 * self.params.v.orders.refresh_s):
            return False
        if self.spec.expiry_ms == 0 and (
                <int32_t>self.params.v.funding.model == FUNDING_INTERVAL):
            return False                # how long it is to the payment is in the ladder
        for side in range(2):
            if (self.exposure.barred[side] != (now_ns < self.barred_ns[side])
                    or self.inventory.markout_fills[side] != <int64_t>(
                        self.ledger.markout_count[side][MARKOUT_5_S])):
                return False
        return (reaction_rests(&self.reaction, now_ns) and not timed_terms(&self.params.v.quote)
                and moves_rest(&self.reaction, &self.params.v.inventory, now_ns)
                and self.signals.is_still(&self.params.v, now_ns))

    cdef bint out_of_time(self) noexcept nogil:
        """Whether what is left of a position should be closed before the contract is delivered."""
        return (self.calendar.ending and self.params.v.expiry.flatten > 0.5
                and not self.calendar.settling)

    cdef bint is_unquoted(self) noexcept nogil:
        """Whether no order rests where some should: a standby waits, and what ends only reduces."""
        return (self.orders.open_count == 0 and self.turn_share > 0.0
                and not self.calendar.leaving and self.health.state != MARKET_DELIVERED
                and self.health.state != MARKET_ARCHIVIZED)

    cdef void on_quote_filled(self, const Fill* fill, int64_t now_ns) noexcept nogil:
        """React to a fill of one of our own slots; call it once the fill is booked there."""
        cdef double share = 1.0
        cdef Fill shown
        self.fill_rate = self.fills_per_min(now_ns) + 60.0 * LN_2 / FILL_RATE_HALF_LIFE_S
        self.fill_rate_ns = now_ns
        if not 0 <= fill.slot < SLOTS_MAX or (
                fill.slot < SLOTS_QUOTE and self.overlaid[fill.side]):
            return                      # a hedge is not what holds and covers are for
        if self.orders.orders[fill.slot].amount_contracts > 0:
            share = (<double>self.orders.orders[fill.slot].booked_contracts
                     / <double>self.orders.orders[fill.slot].amount_contracts)
        shown = fill[0]                 # by its rung: an order may sit in any slot of its side
        if fill.slot < SLOTS_QUOTE:
            shown.slot = fill.side * LEVELS_MAX + self.orders.orders[fill.slot].level
            shown.generation = fill.generation * SLOTS_MAX + <uint32_t>fill.slot
        react_to_fill(&self.reaction, &shown, share, price_usd(&self.spec, fill.price_ticks),
                      self.signals.s.mid_usd, &self.params.v, now_ns)

    cdef void on_taken(self, int64_t now_ns) noexcept nogil:
        """The take of this decision has left."""
        self.taking = self.approved.take.why
        reduction_taken(&self.reaction, &self.approved.take, now_ns)

    cdef void decided(self, int64_t now_ns) noexcept nogil:
        """Nothing is new any more; look again at the next deadline or refresh."""
        # a fifth sooner or later, drawn by lot: nobody can tell when we will look again
        self.refresh_lot = self.refresh_lot * <uint64_t>6364136223846793005 + (
            <uint64_t>1442695040888963407)
        self.dirty = False
        self.refresh_ns = now_ns + <int64_t>(self.params.v.orders.refresh_s * 1e9 * (
            0.8 + 0.4 * <double>(self.refresh_lot >> 33) / 2147483648.0))
        if 0 < self.stance.wake_ns < self.refresh_ns:
            self.refresh_ns = self.stance.wake_ns

    cdef void on_control(self, const Control* control) noexcept nogil:
        """What the venue or the operator says of this instrument."""
        if control.kind == CONTROL_POSITION:
            self.position.set_position(&self.spec, control.value, control.real)
            self.statement.adopt(&self.spec, control.value, control.real)
            self.orders.all_booked()
        elif control.kind == CONTROL_MARKET_STATE:
            self.on_state(<int32_t>control.value)
        elif control.kind == CONTROL_PROTECTION:
            self.orders.protected_rungs = <int32_t>max(0, min(LEVELS_MAX, control.value))
        elif control.kind == CONTROL_FUNDING:
            if control.value != 0:
                self.funding_session = control.real
            else:
                self.on_funding(control.real)
        elif control.kind == CONTROL_MARGIN_RATE:
            self.exposure.margin_rate = control.real
        elif control.kind == CONTROL_SETTLED:
            self.position.settle(&self.spec, control.real, control.value != 0)
            if control.value != 0:          # a daily settlement moves money, it earns nothing
                self.statement.settle(&self.spec, control.real, True)
        elif control.kind == CONTROL_FEE:
            self.position.fees_e8 += control.value
            self.statement.fees_e8 += control.value
        elif control.kind == CONTROL_UNKNOWN_RESOLVED:
            self.orders.absent(<int32_t>control.value)

    cdef double fills_per_min(self, int64_t now_ns) noexcept nogil:
        """Own fills a minute, each fading with a half-life of five."""
        return self.fill_rate * exp2(
            -<double>(now_ns - self.fill_rate_ns) * 1e-9 / FILL_RATE_HALF_LIFE_S)

    def roll(self, int32_t predecessor=-1, int64_t rolls_ms=0):
        """Say whose place this market takes (-1: nobody's), and when its own is taken (0: never).

        Before the session begins; ValueError for a predecessor that is not before it in the list.
        """
        if not -1 <= predecessor < self.spec.index:
            raise ValueError(f"{self.name}: market {predecessor} cannot be its predecessor")
        self.predecessor, self.rolls_ms = predecessor, rolls_ms
        self.turn_share = 1.0 if predecessor < 0 else 0.0
        self.dirty = True

    @property
    def standby(self):
        """Whether it waits, warm, for the contract before it to wind down."""
        return self.turn_share <= 0.0

    @property
    def state(self):
        """What the venue last said of it, as a MarketState."""
        return self.health.state

    @property
    def settling(self):
        """Whether the daily settlement, or a reopening after a halt, keeps the book empty."""
        return bool(self.calendar.settling)

    @property
    def funding_model(self):
        """Funding received by our own count, in the settlement currency."""
        return self.funding.accrued

    @property
    def name(self):
        """The venue's name of the instrument."""
        return self.spec_object.name

    def why(self):
        """How the last decision came to be, as a dict."""
        return explain(&self.approved.why)

    def take(self):
        """What the last decision was allowed to take: (side, price_ticks, contracts), or None."""
        if self.approved.take.why == TAKE_NONE:
            return None
        return (self.approved.take.side, self.approved.take.price_ticks,
                self.approved.take.amount_contracts)

    def quotes(self):
        """The approved ladder of the last decision: ([(price_ticks, contracts)], asks)."""
        sides = []
        for side in range(2):
            sides.append([(self.approved.rungs[<int>side][<int>i].price_ticks,
                           self.approved.rungs[<int>side][<int>i].amount_contracts)
                          for i in range(self.approved.count[<int>side])])
        return tuple(sides)
