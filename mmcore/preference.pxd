"""Preference: how much of its size each instrument keeps, by what it earns and what funding says.

An instrument's score is its expected edge after fee and markout times the rate of its fills. The
best keeps its whole size; the others their share of that score.
"""
from libc.stdint cimport int32_t, int64_t

from mmcore.market cimport Market

cdef void prefer(list markets, int64_t now_ns) noexcept
cdef void take_preference(Market market, Market lead) noexcept nogil
cdef double score_of(Market market, int64_t now_ns) noexcept nogil
