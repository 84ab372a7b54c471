"""What the exporter is told on its command line. Imported by the reactor, so it stays light."""

import os
from pathlib import Path

import msgspec
from msgspec import Struct

from runner.config import Config

GRACE_S = 60.0


class WebhookOptions(Struct, frozen=True, kw_only=True):
    """Where alerts go. url is a reference to the secret, resolved by the exporter itself."""

    url: str
    shape: str = "generic"
    chat: str = ""
    per_min: int = 6
    repeat_s: float = 3600.0


class ExporterOptions(Struct, frozen=True, kw_only=True):
    """Options of the exporter.

    page: of the maker. latch: folder of its latch, empty: not known. words: file in which it
    reports its port, empty: nowhere. parent: process id of the maker that started it; 0:
    started by hand, and stays.
    """

    page: str
    latch: str = ""
    host: str = "127.0.0.1"
    port: int = 9464
    words: str = ""
    parent: int = 0
    grace_s: float = GRACE_S
    webhook: WebhookOptions | None = None


def exporter_options(config: Config, page: Path, words: Path | None = None,
                     parent: int = 0, latch: Path | None = None) -> ExporterOptions:
    """Return the options a configuration asks for."""
    telemetry = config.telemetry
    webhook = WebhookOptions(
        url=telemetry.webhook_url, shape=telemetry.webhook_shape, chat=telemetry.webhook_chat,
        per_min=telemetry.webhook_per_min, repeat_s=telemetry.webhook_repeat_s)
    return ExporterOptions(
        page=str(page), latch=str(latch or ""),
        host=telemetry.prometheus_host, port=telemetry.prometheus_port,
        words=str(words or ""), parent=parent, webhook=webhook if webhook.url else None)


def exporter_arguments(config: Config, page: Path, words: Path, latch: Path) -> str:
    """Return the argument of a child exporter; a secret is only named in it."""
    return msgspec.json.encode(
        exporter_options(config, page, words, os.getpid(), latch)).decode()
