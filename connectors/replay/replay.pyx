"""JournalReplay: a recorded session through the same decoder and engine, bytes compared.

Everything that reached the engine is in the journal: frames, controls, timer ticks and the
places where it decided. So the orders it would send must come out byte for byte.
"""
import hashlib

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t
from libc.string cimport memcpy

from connectors.deribit.feed cimport DeribitFeed
from connectors.replay.drive cimport PayloadSink
from mmcore.engine cimport Engine
from mmcore.journal cimport (
    JOURNAL_CONTROL, JOURNAL_FRAME_IN, JOURNAL_GAP, JOURNAL_OUT, JOURNAL_SESSION, JOURNAL_TIMER,
    JOURNAL_TURN)
from mmcore.types cimport Control

from connectors.replay.changes import apply_change, is_change, read_change


class ReplayStoppedError(Exception):
    """The journal cannot be replayed beyond this point."""


cdef class JournalReplay:
    """Feeds records in order; `expected` and `made` are the outbound payloads of both.

    The engine must be built from the journal's header, without a journal of its own.
    """
    cdef readonly Engine engine
    cdef readonly DeribitFeed feed
    cdef readonly PayloadSink sink
    cdef readonly int64_t records
    cdef readonly int64_t frames
    cdef readonly int64_t expected
    cdef readonly int64_t equal
    cdef readonly object first_difference   # (record number, journal's bytes, ours) or None
    cdef object told                # hash of the journal's payloads so far
    cdef object made                # of ours

    def __init__(self, DeribitFeed feed not None, PayloadSink sink not None):
        self.feed = feed
        self.engine = feed.engine
        self.sink = sink
        sink.keep = True
        self.told = hashlib.sha256()
        self.made = hashlib.sha256()
        self.engine.attach(sink)

    def take(self, int kind, int64_t now_ns, bytes payload not None):
        """Apply one record; ReplayStoppedError at a gap."""
        cdef Control control
        self.records += 1
        if kind == JOURNAL_FRAME_IN:
            self.frames += 1
            self.feed.on_payload(PyBytes_AS_STRING(payload), PyBytes_GET_SIZE(payload), now_ns)
        elif kind == JOURNAL_TURN:
            self.engine.turn(now_ns)
        elif kind == JOURNAL_TIMER:
            self.engine.tick(now_ns)
        elif kind == JOURNAL_CONTROL:
            if PyBytes_GET_SIZE(payload) != sizeof(Control):
                raise ReplayStoppedError(f"record {self.records}: a control record of "
                                         f"{len(payload)} bytes belongs to another version")
            memcpy(&control, PyBytes_AS_STRING(payload), sizeof(Control))
            self.engine.on_control(&control, now_ns)
        elif kind == JOURNAL_OUT:
            self.compare(payload)
        elif kind == JOURNAL_SESSION:
            if payload == b"connected":
                self.sink.connected = True
                self.feed.connected()
            elif payload == b"disconnected":
                self.sink.connected = False
            elif is_change(payload):
                apply_change(self.engine, read_change(payload))
        elif kind == JOURNAL_GAP:
            raise ReplayStoppedError(f"record {self.records}: the journal lost records here, so "
                                     "what follows cannot be compared")

    cdef int compare(self, bytes payload) except -1:
        self.expected += 1
        made = self.sink.payloads.pop(0) if self.sink.payloads else b""
        self.told.update(payload)
        self.made.update(made)
        if made == payload:
            self.equal += 1
        elif self.first_difference is None:
            self.first_difference = (self.records, payload, made)
        return 0

    @property
    def journal_sha256(self):
        """Hash of every payload the journal has, in order."""
        return self.told.hexdigest()

    @property
    def outbound_sha256(self):
        """Hash of every payload made here, in order."""
        made = self.made.copy()
        for payload in self.sink.payloads:
            made.update(payload)
        return made.hexdigest()

    @property
    def surplus(self):
        """Payloads made here that the journal does not have."""
        return len(self.sink.payloads)

    @property
    def identical(self):
        """Whether every payload so far came out byte for byte."""
        return self.expected == self.equal and not self.sink.payloads
