"""Reduction: out of a position that waiting would make dearer, by covers and by cuts.

A cover brings one adverse fill back, passively and then by taking; a cut takes a clip of a large
position while the price runs against it.
"""
from libc.stdint cimport int64_t

from mmcore.book cimport OrderBook
from mmcore.params cimport InventoryParams, ParamValues
from mmcore.reaction cimport Reaction, Stance
from mmcore.signals cimport SignalState
from mmcore.types cimport Instrument, Take

cdef void count_moves(Reaction* state, double mid_usd, const InventoryParams* params,
                      int64_t now_ns) noexcept nogil
cdef bint moves_rest(const Reaction* state, const InventoryParams* params,
                     int64_t now_ns) noexcept nogil
cdef void reduce_stance(Reaction* state, const Instrument* spec, const SignalState* signal,
                        const ParamValues* params, int64_t contracts, int64_t now_ns,
                        Stance* out) noexcept nogil
cdef void reduction_taken(Reaction* state, const Take* take, int64_t now_ns) noexcept nogil
cdef void set_take(const Instrument* spec, const SignalState* signal, const Stance* stance,
                   double limit_bps, Take* out) noexcept nogil
cdef double exit_usd(const Instrument* spec, OrderBook book, int64_t contracts) noexcept nogil
