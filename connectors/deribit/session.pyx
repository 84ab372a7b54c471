"""See session.pxd. Apply every frame of a read, decide once at its end, write once."""
import logging
import re

from cpython.buffer cimport PyBUF_READ
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.string cimport memset
from picows.picows cimport WSMsgType

from connectors.clock cimport monotonic_ns
from connectors.deribit.feed cimport FEED_DISTRUST, FEED_TEST_REQUEST
from mmcore.faults cimport FAULT_ENCODE, FAULT_EXCEPTION
from mmcore.intake cimport FLAG_DEFERRED, STAGE_APPLY, STAGE_DECIDE, STAGE_SEND
from mmcore.journal cimport JOURNAL_FRAME_IN, JOURNAL_OUT, JOURNAL_SESSION
from mmcore.risk cimport release_cancels
from mmcore.stats cimport histogram_record
from mmcore.types cimport (
    ACTION_CANCEL_ALL, CONTROL_DISCONNECTED, CONTROL_KILL, ActionBatch, ApprovedBatch, Control,
    request_id_of)

import picows
from python_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError

if picows.__version__ != "2.3.1":
    raise ImportError(f"built against picows 2.3.1, found {picows.__version__}: install picows "
                      "2.3.1 or rebuild; its object layout is compiled in and not checked")

# python-socks, by which picows goes through a proxy, has errors of its own.
CONNECT_ERRORS = (OSError, picows.WSError, TimeoutError, ProxyError, ProxyConnectionError,
                  ProxyTimeoutError)
cdef bytes HEARTBEAT_ANSWER = b'{"jsonrpc":"2.0","id":1,"method":"public/test","params":{}}'
cdef object log = logging.getLogger("mm.deribit")
cdef object TOKEN = re.compile(rb'("(?:access|refresh)_token"\s*:\s*")((?:[^"\\]|\\.)*)')


cdef class DeribitSink(OrderSink):
    """Writer of decisions: journal, encode, one transport write for the whole batch."""

    def __init__(self, Engine engine not None, Encoder encoder not None):
        self.engine = engine
        self.encoder = encoder
        self.journal = engine.journal
        memset(&self.emergency, 0, sizeof(ActionBatch))
        self.emergency.count = 1
        self.emergency.items[0].kind = ACTION_CANCEL_ALL
        # Above what the engine's own cancel_all requests count up to.
        self.emergency_sequence = 1 << 31

    cdef bint connected(self) noexcept:
        return (self.transport is not None and not self.transport.is_disconnected
                and not self.transport.is_close_frame_sent)

    cdef int submit(self, const ApprovedBatch* approved, int64_t now_ns) except -1:
        cdef const ActionBatch* batch = &approved.actions
        cdef Encoder encoder = self.encoder
        cdef int64_t begun_ns, done_ns
        if not self.connected():
            self.refused += batch.count
            return 0
        begun_ns = monotonic_ns() if self.real_time else 0
        if encoder.encode(batch) < 0:
            # An action no message can say: nothing of the batch leaves, the fault kills.
            self.engine.faults.check(False, FAULT_ENCODE)
            self.refused += batch.count
            return 0
        self.journal.append(JOURNAL_OUT, 0, now_ns, encoder.text, <unsigned int>encoder.text_size)
        self.write(encoder.frames, encoder.frames_size)
        self.messages += encoder.count
        if self.real_time:
            done_ns = monotonic_ns()
            histogram_record(&self.engine.tick_to_order_ns, done_ns - now_ns)
            histogram_record(&self.engine.stage_ns[STAGE_APPLY], self.turn_ns - now_ns)
            histogram_record(&self.engine.stage_ns[STAGE_DECIDE], begun_ns - self.turn_ns)
            histogram_record(&self.engine.stage_ns[STAGE_SEND], done_ns - begun_ns)
        return batch.count

    cdef int write(self, const char* data, Py_ssize_t size) except -1:
        # aiofastnet copies what the socket does not take; other transports may keep a reference.
        if self.transport._is_aiofn_transport:
            self.transport.underlying_transport.write(
                PyMemoryView_FromMemory(<char*>data, size, PyBUF_READ))
        else:
            self.transport.underlying_transport.write(<bytes>data[:size])
        self.writes += 1
        return 0

    cdef int cancel_all(self, int64_t now_ns) except -1:
        """Write a cancel_all by itself, whatever state the engine is in."""
        self.emergency_sequence += 1
        self.turn_ns = now_ns
        self.emergency.items[0].request_id = request_id_of(
            ACTION_CANCEL_ALL, 0, 0, <unsigned int>self.emergency_sequence)
        if self.connected() and self.engine.budget is not None:
            self.engine.budget.spend(self.emergency.items[0].request_id, now_ns)
        return self.submit(release_cancels(&self.emergency), now_ns)

    @property
    def is_connected(self):
        """Whether a batch handed over now would be written."""
        return self.connected()


cdef class DeribitSession(WSListener):
    """Listener of one connection at a time; outlives reconnects.

    clock: None for CLOCK_MONOTONIC, or a callable returning ns (virtual time). orders: False for
    a second connection that carries market data alone; its loss is nobody's order's end.
    """

    def __init__(self, DeribitFeed feed not None, DeribitSink sink not None, clock=None, *,
                 bint orders=True):
        self.orders = orders
        self.feed = feed
        self.engine = feed.engine
        self.sink = sink
        self.journal = feed.engine.journal
        self.clock = clock
        sink.real_time = clock is None

    cdef int64_t clock_ns(self) except? -1:
        return monotonic_ns() if self.clock is None else self.clock()

    # ------------------------------------------------------------ listener
    cpdef on_ws_connected(self, WSTransport transport):
        self.transport = transport
        self.partial = None
        self.read_ns = 0
        if self.orders:
            self.sink.transport = transport
            self.feed.connected()
            self.note(b"connected")

    cpdef on_ws_frame(self, WSTransport transport, WSFrame frame):
        # The one try of the hot path: whatever escapes costs the quotes, not the connection.
        try:
            self.take_frame(transport, frame)
        except Exception:
            log.exception("exception while taking a frame of %d bytes", frame.payload_size)
            self.fail(self.read_ns)
        if frame.last_in_buffer:
            self.read_ns = 0

    cpdef on_ws_disconnected(self, WSTransport transport):
        self.transport = None
        self.redact = False
        self.partial = None
        self.read_ns = 0
        if self.orders:
            self.sink.transport = None
            self.note(b"disconnected")
            self.lose()
        if self.on_closed is not None:
            self.on_closed()

    # ------------------------------------------------------------ hot path
    cdef int take_frame(self, WSTransport transport, WSFrame frame) except -1:
        self.frames += 1
        if self.read_ns == 0:
            self.read_ns = self.clock_ns()
            self.reads += 1
        if frame.msg_type == WSMsgType.TEXT and frame.fin and self.partial is None:
            self.take_message(frame.payload_ptr, frame.payload_size)
        elif frame.msg_type == WSMsgType.TEXT or frame.msg_type == WSMsgType.CONTINUATION:
            self.take_part(frame)
        elif frame.msg_type == WSMsgType.PING:
            if transport is not None:
                transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type == WSMsgType.CLOSE and transport is not None:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
            self.lose()
        if frame.last_in_buffer:
            if self.sink.real_time:
                self.sink.turn_ns = monotonic_ns()
            self.engine.turn(self.read_ns)
        return 0

    cdef int take_message(self, const char* ptr, Py_ssize_t size) except -1:
        cdef bytes kept
        cdef int ask
        if self.redact:
            kept = redacted(<bytes>ptr[:size])
            self.journal.append(JOURNAL_FRAME_IN, 0, self.read_ns, <const char*>kept,
                                <unsigned int>len(kept))
        else:
            self.journal.append(JOURNAL_FRAME_IN, 0, self.read_ns, ptr, <unsigned int>size)
        ask = self.feed.on_payload(ptr, size, self.read_ns)
        if ask == FEED_TEST_REQUEST:
            self.send_text(HEARTBEAT_ANSWER)
        elif ask == FEED_DISTRUST:
            log.error("unreadable message about own orders, %d bytes: connecting again", size)
            self.close()
        return 0

    cdef int take_part(self, WSFrame frame) except -1:
        """Collect a message that comes in several frames (cold: the venue sends whole ones)."""
        cdef bytes message
        if frame.msg_type == WSMsgType.TEXT:
            self.partial = bytearray()
        elif self.partial is None:
            self.engine.on_malformed(-1, self.read_ns)      # a continuation of nothing
            return 0
        if len(self.partial) + frame.payload_size > MESSAGE_MAX:
            self.partial = None
            self.engine.on_malformed(-1, self.read_ns)
            return 0
        self.partial += frame.get_payload_as_bytes()
        if frame.fin:
            message = bytes(self.partial)
            self.partial = None
            self.take_message(message, len(message))
        return 0

    cdef int lose(self) except -1:
        """Tell the engine that nothing can be written any more, before it decides again.

        Closing takes a while; what is decided meanwhile would be in flight and never leave.
        """
        cdef Control control
        memset(&control, 0, sizeof(Control))
        control.kind = CONTROL_DISCONNECTED
        if self.orders:
            self.engine.on_control(&control, self.clock_ns())
        return 0

    cdef int fail(self, int64_t now_ns) except -1:
        """Kill the engine and cancel everything by the shortest path; keep the connection."""
        cdef Control control
        memset(&control, 0, sizeof(Control))
        control.kind = CONTROL_KILL
        control.value = FAULT_EXCEPTION
        self.exceptions += 1
        self.engine.on_control(&control, now_ns)
        self.sink.cancel_all(now_ns)
        return 0

    # ------------------------------------------------------------ cold face
    def now_ns(self):
        """Return the time of the seam: what the engine would be told now."""
        return self.clock_ns()

    def on_timer(self):
        """Run the engine's periodic work, guarded as a frame is; True: it asks for cold work."""
        cdef int64_t now_ns = self.clock_ns()
        self.sink.turn_ns = now_ns
        try:
            self.engine.on_timer(now_ns)
        except Exception:
            log.exception("exception in the engine's periodic work")
            self.fail(now_ns)
        return (self.engine.flags & ~FLAG_DEFERRED) != 0 or self.engine.resync_mask != 0

    def control(self, int32_t kind, int32_t market=0, value=0, double real=0.0):
        """Tell the engine one ControlKind, stamped now."""
        cdef int64_t now_ns = self.clock_ns()
        self.engine.control(kind, now_ns, market, value, real)
        if kind == CONTROL_KILL:
            # cancels leave in this iteration of the loop, not at the next timer
            try:
                self.engine.turn(now_ns)
            except Exception:
                log.exception("exception while killing")
                self.sink.cancel_all(now_ns)

    def send_text(self, bytes text not None, bytes record=None):
        """Send one cold request; False while disconnected.

        record is what the journal keeps instead of a text with a secret in it.
        """
        cdef bytes kept = text if record is None else record
        if self.transport is None or self.transport.is_disconnected or (
                self.transport.is_close_frame_sent):
            return False
        self.journal.append(JOURNAL_SESSION, 0, self.clock_ns(), <const char*>kept,
                            <unsigned int>len(kept))
        self.transport.send(WSMsgType.TEXT, text)
        return True

    def send_cancel_all(self):
        """Write a cancel_all at once; the number of messages written, 0 while disconnected."""
        return self.sink.cancel_all(self.clock_ns())

    def abort(self):
        """End the connection without a word: on a dead line a close frame would never leave."""
        if self.transport is not None:
            self.transport.disconnect(False)
            self.lose()

    def close(self):
        """Close the connection gracefully; nothing happens where there is none."""
        if self.transport is not None:
            self.transport.send_close(picows.WSCloseCode.OK)
            self.transport.disconnect()
            self.lose()

    def note(self, bytes what not None):
        """Journal an event of the connection."""
        self.journal.append(JOURNAL_SESSION, 0, self.clock_ns(), <const char*>what,
                            <unsigned int>len(what))


class TextListener(picows.WSListener):
    """A connection for a few questions before there is an engine: texts in, texts out."""

    def __init__(self, on_text):
        self.on_text = on_text
        self.on_closed = None
        self.transport = None

    def on_ws_connected(self, transport):
        self.transport = transport

    def on_ws_frame(self, transport, frame):
        if frame.msg_type == picows.WSMsgType.TEXT and frame.fin:
            self.on_text(frame.get_payload_as_bytes())
        elif frame.msg_type == picows.WSMsgType.CLOSE:
            transport.disconnect()

    def on_ws_disconnected(self, transport):
        self.transport = None
        if self.on_closed is not None:
            self.on_closed()

    def send_text(self, text, record=None):
        """Send one request; False while disconnected."""
        if self.transport is None or self.transport.is_disconnected:
            return False
        self.transport.send(picows.WSMsgType.TEXT, text)
        return True

    def close(self):
        """Close the connection; nothing happens where there is none."""
        if self.transport is not None:
            self.transport.disconnect()


def redacted(bytes payload not None):
    """Return a payload with the values of its tokens replaced by as many x."""
    return TOKEN.sub(lambda m: m.group(1) + b"x" * len(m.group(2)), payload)


async def open_connection(listener, str url not None, *, ssl_context=None, use_aiofastnet=None,
                          timeout_s=5.0, auto_pong=False, proxy=None):
    """Connect a listener, through a proxy's URL where there is one; raises CONNECT_ERRORS.

    Pings reach the listener: picows would swallow them, and with them the end of a read.
    """
    await picows.ws_connect(
        lambda: listener, url, ssl_context=ssl_context, websocket_handshake_timeout=timeout_s,
        enable_auto_ping=False, enable_auto_pong=auto_pong, disconnect_on_exception=True,
        max_frame_size=MESSAGE_MAX, read_buffer_init_size=262144, use_aiofastnet=use_aiofastnet,
        proxy=proxy)
