"""Markouts: m_h = side (mid(t+h) - price) / price in bps (Huang and Stoll 1996)."""
from libc.math cimport fabs
from libc.stdint cimport int32_t, int64_t, uint64_t

from mmcore.statement cimport value_of

cdef int64_t[HORIZONS] HORIZON_NS = [
    100_000_000, 1_000_000_000, 5_000_000_000, 30_000_000_000, 300_000_000_000]
cdef uint64_t RECENT_FILLS = 50
cdef int64_t NEVER_NS = 0x7FFFFFFFFFFFFFFF
cdef int32_t EDGE_HORIZON = 2               # 5 s: long enough to tell, soon enough to act
HORIZON_NAMES = ("0.1", "1", "5", "30", "300")


cdef int32_t edge_bucket(double distance_bps) noexcept nogil:
    """Index of the bucket a distance from the mid falls into."""
    if distance_bps < 2.0:
        return 0
    if distance_bps < 4.0:
        return 1
    return 2 if distance_bps < 8.0 else 3


cdef bint edge_barred(const double* floors_bps) noexcept nogil:
    """Whether nothing adds at some distance for what fills there earned."""
    cdef int32_t bucket
    for bucket in range(EDGE_BUCKETS):
        if floors_bps[bucket] > 0.0:
            return True
    return False


cdef class Ledger:
    """Fills of one instrument, each booked once, and their markouts per side and horizon."""

    cdef bint is_duplicate(self, uint64_t trade_id) noexcept nogil:
        """Remember a trade id; True where it was there already."""
        cdef uint64_t count = self.trade_count
        cdef uint64_t i
        for i in range(count if count < TRADE_IDS_MAX else <uint64_t>TRADE_IDS_MAX):
            if self.trade_ids[i] == trade_id:
                return True
        self.trade_ids[count % TRADE_IDS_MAX] = trade_id
        self.trade_count = count + 1
        return False

    cdef void record(self, int32_t side, double price_usd, bint maker,
                     int64_t now_ns) noexcept nogil:
        cdef OpenMarkout* entry = &self.open_fills[self.recorded % LEDGER_FILLS_MAX]
        cdef int32_t h
        entry.now_ns = now_ns
        entry.price_usd = price_usd
        entry.sign = 1.0 if side == 0 else -1.0
        entry.amount = entry.mid_usd = entry.fee_bps = 0.0
        entry.quote = False
        self.recorded += 1
        self.fills += 1
        self.maker_fills += maker
        self.due_ns = 0                 # found anew with the next mid
        for h in range(HORIZONS):
            if self.recorded - self.next_due[h] > LEDGER_FILLS_MAX:
                self.next_due[h] += 1
                self.missed_markouts += 1

    cdef void qualify(self, double amount, double mid_usd, double fee_bps,
                      bint quote) noexcept nogil:
        """Say of the fill just recorded what its edge is judged by."""
        cdef OpenMarkout* entry
        if self.recorded == 0:
            return
        entry = &self.open_fills[(self.recorded - 1) % LEDGER_FILLS_MAX]
        entry.amount, entry.mid_usd, entry.fee_bps = amount, mid_usd, fee_bps
        entry.quote = quote

    cdef void learn_edge(self, const OpenMarkout* entry, double mid_usd,
                         double markout_bps) noexcept nogil:
        """Take one settled fill into the adverse part, its side's edge and the last two hundred."""
        cdef EdgeStat* stat
        cdef double move_bps, off, share, net
        cdef uint64_t place
        if entry.mid_usd <= 0.0 or mid_usd <= 0.0:
            return
        self.adverse += entry.sign * entry.amount * (
            value_of(&self.spec, mid_usd) - value_of(&self.spec, entry.mid_usd))
        if not entry.quote:
            return
        move_bps = entry.sign * (mid_usd - entry.mid_usd) / entry.mid_usd * 1e4
        stat = &self.edges[0 if entry.sign > 0.0 else 1][edge_bucket(
            fabs(entry.price_usd - entry.mid_usd) / entry.mid_usd * 1e4)]
        stat.fills += 1
        share = <double>(stat.fills if stat.fills < NET_FILLS else NET_FILLS)
        off = move_bps - stat.mean_bps
        stat.mean_bps += off / share
        stat.spread_bps += (off * (move_bps - stat.mean_bps) - stat.spread_bps) / share
        net = markout_bps - entry.fee_bps
        place = self.net_count % NET_FILLS
        if self.net_count >= NET_FILLS:
            self.net_sum_bps -= self.net_ring[place]
        self.net_ring[place] = net
        self.net_sum_bps += net
        self.net_count += 1

    cdef bint net_negative(self) noexcept nogil:
        """True where the last NET_FILLS quote fills together lost money; judged once."""
        if self.net_count < NET_FILLS or self.net_sum_bps >= 0.0:
            return False
        self.net_count = 0
        self.net_sum_bps = 0.0
        return True

    cdef void mark_out(self, double mid_usd, int64_t now_ns) noexcept nogil:
        """Settle every markout that is due at this mid."""
        cdef OpenMarkout* entry
        cdef int32_t h, side
        cdef double markout
        cdef uint64_t share
        if now_ns < self.due_ns:
            return
        self.due_ns = NEVER_NS
        for h in range(HORIZONS):
            while self.next_due[h] < self.recorded:
                entry = &self.open_fills[self.next_due[h] % LEDGER_FILLS_MAX]
                if entry.now_ns + HORIZON_NS[h] > now_ns:
                    self.due_ns = min(self.due_ns, entry.now_ns + HORIZON_NS[h])
                    break
                side = 0 if entry.sign > 0.0 else 1
                markout = entry.sign * (mid_usd - entry.price_usd) / entry.price_usd * 1e4
                self.markout_sum_bps[side][h] += markout
                self.markout_count[side][h] += 1
                if h == EDGE_HORIZON:
                    self.learn_edge(entry, mid_usd, markout)
                share = self.markout_count[side][h]
                self.markout_recent_bps[side][h] += (
                    markout - self.markout_recent_bps[side][h]) / <double>(
                    share if share < RECENT_FILLS else RECENT_FILLS)
                self.next_due[h] += 1

    def markouts(self):
        """Mean markout in bps by horizon in seconds, both sides; None where none is settled."""
        rows = {}
        for h, name in enumerate(HORIZON_NAMES):
            count = self.markout_count[0][<int>h] + self.markout_count[1][<int>h]
            total = self.markout_sum_bps[0][<int>h] + self.markout_sum_bps[1][<int>h]
            rows[name] = total / count if count else None
        return rows

    def book(self, int32_t side, double price, int64_t now_ns, uint64_t trade_id, bint maker=True):
        """Record a fill from Python; False where its trade id was booked before."""
        if self.is_duplicate(trade_id):
            return False
        self.record(side, price, maker, now_ns)
        return True

    def edge(self, int32_t side, double distance_bps):
        """(fills, mean move in bps 5 s after, its variance) of a side at a distance."""
        cdef EdgeStat* stat
        if side not in (0, 1):
            raise ValueError(f"side {side} is neither 0 (bid) nor 1 (ask)")
        stat = &self.edges[side][edge_bucket(distance_bps)]
        return stat.fills, stat.mean_bps, stat.spread_bps

    @property
    def adverse_total(self):
        """What the mid did to our fills within 5 s, in the settlement currency."""
        return self.adverse

    def settle(self, double mid, int64_t now_ns):
        """Settle due markouts at a mid, from Python."""
        self.mark_out(mid, now_ns)
