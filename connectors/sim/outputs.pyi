"""Python face of the exchange's outputs: nothing but the base class."""

from enum import IntEnum

from typing_extensions import disjoint_base

class ChangeAction(IntEnum):
    CHANGE_NEW = 0
    CHANGE_CHANGE = 1
    CHANGE_DELETE = 2

@disjoint_base
class Outputs: ...
