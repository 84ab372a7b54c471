"""Cold JSON-RPC: a request, its id, its future, its timeout. Never used for orders."""

import asyncio
import itertools
import logging
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import msgspec

from connectors.deribit.messages import AnswerHead

T = TypeVar("T")
log = logging.getLogger("mm.deribit")

# Ids below 2**44 are ours (kind 0, mmcore.types); 1 answers heartbeats.
FIRST_ID = 2
ID_LIMIT = 1 << 44
MAINTENANCE = 11051


class RpcError(Exception):
    """The venue refused a request: its code, its message, its data."""

    def __init__(self, method: str, code: int, message: str, data: Any = None) -> None:
        detail = f" ({data})" if data else ""
        super().__init__(f"{method}: error {code} {message}{detail}")
        self.method = method
        self.code = code
        self.message = message
        self.data = data


class RpcTimeoutError(TimeoutError):
    """No answer in time; whether the request took effect is unknown."""


class RpcClosedError(ConnectionError):
    """The connection is gone, or went while a request was outstanding."""


class Answer(msgspec.Struct, Generic[T]):
    """The result of an answer, typed by the caller."""

    result: T


class Rpc:
    """Requests over one connection; send(text, record) writes a text or says False.

    Feed every cold answer to on_answer(), and call close() when the connection goes. beside: the
    Rpc of another connection whose answers come by the same way; ids are then never the same.
    """

    def __init__(self, send: Callable[[bytes, bytes | None], bool],
                 beside: "Rpc | None" = None) -> None:
        self._send = send
        self.ids: Iterator[int] = itertools.count(FIRST_ID) if beside is None else beside.ids
        self.waiting: dict[int, asyncio.Future[bytes]] = {} if beside is None else beside.waiting
        self._head = msgspec.json.Decoder(AnswerHead)
        self.late = 0  # answers nobody waits for any more
        self.nameless = 0  # errors without an id: maintenance, or a request the venue cannot read

    async def call(
        self,
        method: str,
        params: dict[str, Any],
        result_type: type[T],
        *,
        timeout_s: float = 5.0,
        secret: bool = False,
    ) -> T:
        """Ask and return the result decoded as result_type.

        Raises RpcError, RpcTimeoutError, RpcClosedError, or msgspec.DecodeError where the answer
        is not what it should be. secret keeps the parameters out of the journal.
        """
        request_id = next(self.ids)
        assert request_id < ID_LIMIT
        text = encode(request_id, method, params)
        record = encode(request_id, method, {"redacted": True}) if secret else None
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.waiting[request_id] = future
        try:
            if not self._send(text, record):
                raise RpcClosedError(f"{method}: not connected")
            async with asyncio.timeout(timeout_s):
                raw = await future
        except TimeoutError:
            raise RpcTimeoutError(f"{method}: no answer within {timeout_s} s") from None
        finally:
            self.waiting.pop(request_id, None)
        head = self._head.decode(raw)
        if not isinstance(head.error, msgspec.UnsetType):
            raise RpcError(method, head.error.code, head.error.message, head.error.data)
        return msgspec.json.decode(raw, type=Answer[result_type]).result  # type: ignore[valid-type]

    def on_answer(self, raw: bytes) -> None:
        """Take one cold answer as it came; unknown and late ones are counted."""
        try:
            head = self._head.decode(raw)
        except msgspec.DecodeError as error:
            log.warning("unreadable answer of %d bytes: %s", len(raw), error)
            self.late += 1
            return
        if head.id is None:
            self.nameless += 1
            log.warning("the venue answered without an id: %s", raw[:200])
            if not isinstance(head.error, msgspec.UnsetType) and (
                    head.error.code == MAINTENANCE):
                self.close()    # whatever waits will not be answered either
            return
        future = self.waiting.get(head.id) if isinstance(head.id, int) else None
        if future is None or future.done():
            self.late += 1
            return
        future.set_result(raw)

    def close(self) -> None:
        """Fail whatever still waits."""
        for future in self.waiting.values():
            if not future.done():
                future.set_exception(RpcClosedError("the connection was lost"))

    @property
    def outstanding(self) -> int:
        """How many requests wait for an answer."""
        return len(self.waiting)


def encode(request_id: int, method: str, params: dict[str, Any]) -> bytes:
    """Return the text of one request."""
    return msgspec.json.encode(
        {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
    )
