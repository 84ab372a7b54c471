"""What a request came to, as Desk tells it: (error, limit price or None, result)."""
from connectors.sim.exchange cimport Exchange
from connectors.sim.orders cimport Outcome

cdef tuple outcome_reply(Exchange exchange, const Outcome* outcome)
