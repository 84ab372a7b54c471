"""Markouts: m_h = side (mid(t+h) - price) / price in bps (Huang and Stoll 1996)."""
from libc.stdint cimport int32_t, int64_t, uint64_t

cdef int64_t[HORIZONS] HORIZON_NS = [
    100_000_000, 1_000_000_000, 5_000_000_000, 30_000_000_000, 300_000_000_000]
cdef uint64_t RECENT_FILLS = 50
HORIZON_NAMES = ("0.1", "1", "5", "30", "300")


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
        self.recorded += 1
        self.fills += 1
        self.maker_fills += maker
        for h in range(HORIZONS):
            if self.recorded - self.next_due[h] > LEDGER_FILLS_MAX:
                self.next_due[h] += 1
                self.missed_markouts += 1

    cdef void mark_out(self, double mid_usd, int64_t now_ns) noexcept nogil:
        """Settle every markout that is due at this mid."""
        cdef OpenMarkout* entry
        cdef int32_t h, side
        cdef double markout
        cdef uint64_t share
        for h in range(HORIZONS):
            while self.next_due[h] < self.recorded:
                entry = &self.open_fills[self.next_due[h] % LEDGER_FILLS_MAX]
                if entry.now_ns + HORIZON_NS[h] > now_ns:
                    break
                side = 0 if entry.sign > 0.0 else 1
                markout = entry.sign * (mid_usd - entry.price_usd) / entry.price_usd * 1e4
                self.markout_sum_bps[side][h] += markout
                self.markout_count[side][h] += 1
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

    def settle(self, double mid, int64_t now_ns):
        """Settle due markouts at a mid, from Python."""
        self.mark_out(mid, now_ns)
