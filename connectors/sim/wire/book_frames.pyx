"""Book frames; see book_frames.pxd."""
from connectors.sim.outputs cimport BookChange
from mmcore.types cimport INSTRUMENT_INVERSE, Instrument

cdef tuple ACTIONS = (b'["new",', b'["change",', b'["delete",')


cdef bytes change_frame(Writer out, bytes channel, MatchBook book, const BookUpdate* update):
    """What changed since the last frame."""
    cdef Instrument* spec = &book.spec
    cdef const BookChange* change
    cdef int32_t side, i
    cdef bint whole = spec.kind == INSTRUMENT_INVERSE
    out.begin(channel)
    out.text(b'{"timestamp":')
    out.integer(update.t_ns // 1000000)
    out.text(b',"type":"change","change_id":')
    out.integer(update.change_id)
    out.text(b',"instrument_name":"')
    out.raw(spec.name, spec.name_size)
    for side in range(2):
        out.text(b'","bids":[' if side == 0 else b'],"asks":[')
        for i in range(update.count[side]):
            change = &update.changes[side][i]
            if i > 0:
                out.raw(b",", 1)
            out.text(ACTIONS[change.action])
            out.price(spec, change.price_ticks)
            out.raw(b",", 1)
            out.amount(spec, change.amount_contracts, whole)
            out.raw(b"]", 1)
    out.text(b'],"prev_change_id":')
    out.integer(update.prev_change_id)
    out.raw(b"}", 1)
    return out.end()


cdef bytes snapshot_frame(Writer out, bytes channel, MatchBook book, int32_t interval,
                          int64_t t_ns):
    """Every level, best first."""
    cdef Instrument* spec = &book.spec
    cdef bint whole = spec.kind == INSTRUMENT_INVERSE
    cdef int64_t ticks = 0
    cdef int32_t side
    cdef bint first
    out.begin(channel)
    out.text(b'{"timestamp":')
    out.integer(t_ns // 1000000)
    out.text(b',"type":"snapshot","change_id":')
    out.integer(book.feed.dirty[interval].last_change_id)
    out.text(b',"instrument_name":"')
    out.raw(spec.name, spec.name_size)
    for side in range(2):
        out.text(b'","bids":[' if side == 0 else b'],"asks":[')
        first = True
        ticks = book.levels.best_ticks[side]
        while book.levels.count[side] > 0:
            if not first:
                out.raw(b",", 1)
            first = False
            out.text(b'["new",')
            out.price(spec, ticks)
            out.raw(b",", 1)
            out.amount(spec, book.levels.find(ticks).total_contracts, whole)
            out.raw(b"]", 1)
            if not book.levels.worse(side, &ticks):
                break
    out.text(b"]}")
    return out.end()
