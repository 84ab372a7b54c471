"""The event's layout, once as a C struct (event.pxd) and once as a numpy dtype."""
import numpy as np

EVENT_DTYPE = np.dtype([
    ("exch_ns", "<i8"), ("local_ns", "<i8"), ("price_ticks", "<i8"), ("amount_contracts", "<i8"),
    ("sequence", "<i8"), ("extra", "<i8"), ("value", "<f8"), ("instrument", "<i4"),
    ("flags", "<u2"), ("kind", "u1"), ("side", "u1"),
])

if sizeof(Event) != 64 or EVENT_DTYPE.itemsize != 64:
    raise ImportError("an event is not 64 bytes on this machine")


def event_fields(const unsigned char[::1] raw not None):
    """Fields of the event in 64 bytes, as the compiled side sees them; for tests.

    raw: at least 64 bytes. Returns the fields in the order of EVENT_DTYPE.
    """
    if raw.shape[0] < <Py_ssize_t>sizeof(Event):
        raise ValueError(f"an event has 64 bytes, got {raw.shape[0]}")
    cdef const Event* e = <const Event*>&raw[0]
    return (e.exch_ns, e.local_ns, e.price_ticks, e.amount_contracts, e.sequence, e.extra,
            e.value, e.instrument, e.flags, e.kind, e.side)
