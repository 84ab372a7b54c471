"""Frames of the incremental book channels."""
from connectors.sim.matching cimport MatchBook
from connectors.sim.outputs cimport BookUpdate
from connectors.sim.wire.writer cimport Writer
from libc.stdint cimport int32_t, int64_t

cdef bytes change_frame(Writer out, bytes channel, MatchBook book, const BookUpdate* update)
cdef bytes snapshot_frame(Writer out, bytes channel, MatchBook book, int32_t interval,
                          int64_t t_ns)
