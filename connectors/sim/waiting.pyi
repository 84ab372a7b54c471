"""Python face of requests under way: nothing but the class."""

from typing import final

@final
class WaitList: ...
