"""Errors as JSON-RPC objects: the venue's codes, messages and data."""

from __future__ import annotations

from connectors.sim.wire.codes import CODES

MESSAGES = {
    10004: "order_not_found",
    10005: "price_too_low",
    10007: "price_too_high",
    10009: "not_enough_funds",
    10012: "book_closed",
    10021: "invalid_amount",
    10028: "too_many_requests",
    10029: "not_owner_of_order",
    10030: "must_be_websocket_request",
    10034: "trigger_price_too_high",
    10035: "trigger_price_too_low",
    10041: "settlement_in_progress",
    10043: "price_wrong_tick",
    10044: "trigger_price_wrong_tick",
    10047: "matching_engine_queue_full",
    10050: "lock_time_exceeded",
    11008: "already_filled",
    11021: "post_only_price_modification_not_possible",
    11030: "other_reject reduce_only",
    11044: "not_open_order",
    11050: "bad_request",
    11054: "post_only_reject",
    11055: "post_only_not_allowed",
    13004: "invalid_credentials",
    13009: "unauthorized",
    13021: "forbidden",
    13030: "mmp_trigger",
    13032: "non_unique_order_label",
    13040: "mmp_required",
    13042: "cod_not_enabled",
    13043: "quotes_frozen",
    13666: "request_cancelled_by_user",
    13777: "replaced",
    13778: "raw_subscriptions_not_available_for_unauthorized",
    13888: "timed_out",
    13902: "mass_quotes_disabled",
    13903: "too_many_quotes",
    -32600: "request entity too large",
    -32601: "Method not found",
    -32602: "Invalid params",
}


class RpcError(Exception):
    """A request the venue answers with an error."""

    def __init__(self, code: int, message: str | None = None, data: object = None) -> None:
        super().__init__(code)
        self.code = code
        self.message = message or MESSAGES.get(code) or CODES[code]
        self.data = data

    def view(self) -> dict[str, object]:
        """Return the `error` object, keys as on the wire."""
        if self.data is None:
            return {"code": self.code, "message": self.message}
        return {"code": self.code, "data": self.data, "message": self.message}


def invalid(param: str, reason: str) -> RpcError:
    """Return the error of one bad parameter."""
    return RpcError(-32602, data={"reason": reason, "param": param})


def bad_amount() -> RpcError:
    """Return the error of an amount that is no multiple of the lot."""
    return invalid("amount", "must be a multiple of the minimum order size")


def refused(code: int, limit: float | None = None) -> RpcError:
    """Return the error of an order the exchange refused; a price limit is part of the message."""
    message = MESSAGES[code]
    return RpcError(code, message if limit is None else f"{message} {limit}")
