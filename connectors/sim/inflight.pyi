"""Python face of the queues of what is under way: none, they are for compiled code."""

from typing import final

@final
class RequestQueue: ...

@final
class DeliveryQueue: ...
