"""Python face of the way out: a base class, nothing to call."""

from typing_extensions import disjoint_base

@disjoint_base
class OrderSink: ...
