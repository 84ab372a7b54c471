"""Posts alerts to a webhook: generic JSON, Telegram or Slack. Rate-limited, and never waits.

The address may hold a token, so it is never printed: errors name the host alone.
"""

import http.client
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from connectors.deribit.endpoints import is_loopback
from runner.alert_check import AlertState
from runner.alert_rules import PAGE, WARN, Alert, Condition
from runner.credentials import SecretError, read_secret
from runner.exporter_options import WebhookOptions

TIMEOUT_S = 5.0
ATTEMPTS = 3
RETRY_S = 2.0
WAITING_MAX = 64
MINUTE_S = 60.0
RUNBOOK = "runbook.md"
TEST_ALERT = Alert("MmTest", WARN, Condition("mm_up", "==", 1), 0, "A test of this webhook",
                   "Nothing is wrong.", "Nothing is to be done.")


class WebhookError(Exception):
    """A webhook that cannot be used, or did not take a message."""


def address_of(options: WebhookOptions) -> str:
    """Resolve the reference to the address. Raises WebhookError."""
    try:
        url = read_secret(options.url, literal_allowed=loopback_http(options.url))
    except SecretError as error:
        raise WebhookError(f"telemetry.webhook_url: {error}") from None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise WebhookError("telemetry.webhook_url is no http:// or https:// address")
    if options.shape == "telegram" and not options.chat:
        raise WebhookError("telemetry.webhook_chat: the telegram shape needs a chat id")
    return url


def loopback_http(url: str) -> bool:
    """Return whether a literal address stays on this machine, and so holds no secret."""
    return url.startswith(("http://", "https://")) and is_loopback(
        "ws" + url.removeprefix("http"))


def text_of(state: AlertState, info: Mapping[str, str]) -> str:
    """Return an alert as a person reads it."""
    word = {PAGE: "ALERT", WARN: "warning"}[state.alert.severity] if state.firing else "over"
    where = " ".join(filter(None, (info.get("instance"), info.get("venue"))))
    series = ", ".join(f"{name} {value}" for name, value in state.labels)
    return (f"[{word}] {state.alert.name}: {state.alert.summary}"
            f"{f' ({series})' if series else ''}; value {state.value:g}"
            f"{f'; {where}' if where else ''}; {RUNBOOK}#{state.alert.name.lower()}")


def body_of(options: WebhookOptions, state: AlertState, info: Mapping[str, str]) -> bytes:
    """Return the message in the receiver's shape."""
    text = text_of(state, info)
    fields: dict[str, Any]
    if options.shape == "telegram":
        fields = {"chat_id": options.chat, "text": text, "disable_web_page_preview": True}
    elif options.shape == "slack":
        fields = {"text": text}
    else:
        fields = {
            "alert": state.alert.name, "status": "firing" if state.firing else "resolved",
            "severity": state.alert.severity, "summary": state.alert.summary,
            "labels": dict(state.labels), "value": state.value, "text": text,
            "condition": state.alert.condition.promql(),
            "runbook": f"{RUNBOOK}#{state.alert.name.lower()}", "source": dict(info)}
    return msgspec.json.encode(fields)


def post(url: str, body: bytes) -> None:
    """Post a message. Raises WebhookError, which names the host and never the address."""
    parts = urlsplit(url)
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = make(str(parts.hostname), parts.port, timeout=TIMEOUT_S)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read(4096)
        if not 200 <= answer.status < 300:
            raise WebhookError(f"{parts.hostname} answered {answer.status} {answer.reason}")
    except (OSError, http.client.HTTPException) as error:
        raise WebhookError(f"{parts.hostname}: {str(error) or type(error).__name__}") from None
    finally:
        connection.close()


class Sender:
    """Sends from a thread of its own. Raises WebhookError at the start where it cannot work.

    At most per_min messages a minute; what is over that is counted and, where the alert goes on,
    told by its next repetition.
    """

    def __init__(self, options: WebhookOptions,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self.options = options
        self.url = address_of(options)
        self.clock = clock
        self.counts = {"sent": 0, "failed": 0, "held_back": 0}
        self.sent_s: deque[float] = deque()
        self.told: dict[str, float] = {}                # firing alerts by name: when told last
        self.waiting: queue.Queue[bytes | None] = queue.Queue(WAITING_MAX)
        self.thread = threading.Thread(target=self.run, name="webhook", daemon=True)
        self.thread.start()

    def send(self, state: AlertState, info: Mapping[str, str]) -> bool:
        """Queue a message; False where it is held back."""
        now_s = self.clock()
        if not state.firing and state.alert.name not in self.told:
            return False                # its beginning was held back, so its end is no news
        while self.sent_s and now_s - self.sent_s[0] >= MINUTE_S:
            self.sent_s.popleft()
        if len(self.sent_s) >= self.options.per_min:
            self.counts["held_back"] += 1
            return False
        try:
            self.waiting.put_nowait(body_of(self.options, state, info))
        except queue.Full:
            self.counts["held_back"] += 1
            return False
        self.sent_s.append(now_s)
        if state.firing:
            self.told[state.alert.name] = now_s
        else:
            del self.told[state.alert.name]
        return True

    def due(self, name: str) -> bool:
        """Return whether an alert that goes on should be told (again) now."""
        told_s = self.told.get(name)
        return told_s is None or self.clock() - told_s >= self.options.repeat_s

    def run(self) -> None:
        while (body := self.waiting.get()) is not None:
            for attempt in range(ATTEMPTS):
                try:
                    post(self.url, body)
                    self.counts["sent"] += 1
                    break
                except WebhookError as error:
                    if attempt == ATTEMPTS - 1:
                        self.counts["failed"] += 1
                        sys.stderr.write(f"mm metrics: alert not delivered: {error}\n")
                    else:
                        time.sleep(RETRY_S)

    def close(self) -> None:
        """Let what waits be sent, for a moment at most."""
        try:
            self.waiting.put_nowait(None)
        except queue.Full:
            return
        self.thread.join(TIMEOUT_S)


def post_test(options: WebhookOptions) -> str:
    """Post one test message; return what happened, empty where it was taken."""
    try:
        post(address_of(options), body_of(options, AlertState(TEST_ALERT, True, (), 1.0), {}))
    except WebhookError as error:
        return str(error)
    return ""
