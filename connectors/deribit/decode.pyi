from typing import final

@final
class FrameView: ...
