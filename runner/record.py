"""`mm record`: a venue's public market data into files that mm backtest and mm sim play.

One line a message: `{"recv_ns": n, "frame": {...}}`, gzip, a new file every so often. A file being
written ends in .part; it gets its name when it is whole.
"""

import asyncio
import gzip
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from connectors.deribit.connection import ClientConfig
from connectors.deribit.public import PublicFeed, definitions_json
from connectors.deribit.rpc import RpcError
from connectors.deribit.session import CONNECT_ERRORS
from connectors.replay.reader import DEFINITIONS
from runner.children import Child
from runner.config import Config, ConfigError, credentials, load
from runner.options import EXIT_CLEAN, EXIT_FAILURE, EXIT_USAGE
from runner.processes import EXCHANGE_START_S, HelperError, exchange_address
from runner.proxy import proxy_url
from runner.reactor import Signals

FLUSH_S = 1.0
TELL_S = 1.0
SUFFIX = ".frames.gz"


class RecordOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of `mm record`."""

    out: Path
    config: Path | None = None
    venue: str | None = None
    sets: tuple[str, ...] = ()
    instruments: tuple[str, ...] = ()
    duration_s: float | None = None
    rotate_s: float = 3600.0
    rotate_mib: int = 256
    as_json: bool = False


class Writer:
    """Writes frames into files of a folder, each whole when it has its name."""

    def __init__(self, folder: Path, rotate_s: float, rotate_bytes: int) -> None:
        self.folder = folder
        self.rotate_ns = round(rotate_s * 1e9)
        self.rotate_bytes = rotate_bytes
        self.files: list[Path] = []
        self.file: gzip.GzipFile | None = None
        self.part = Path()
        self.began_ns = 0
        self.size = 0

    def write(self, payload: bytes, recv_ns: int) -> None:
        """Append one message."""
        if self.file is None:
            self.begin(recv_ns)
        line = b'{"recv_ns":%d,"frame":%b}\n' % (recv_ns, payload)
        assert self.file is not None
        self.file.write(line)
        self.size += len(line)

    def due(self, now_ns: int) -> bool:
        """Tell whether the file at hand is full or old enough."""
        return self.file is not None and (
            now_ns - self.began_ns >= self.rotate_ns or self.size >= self.rotate_bytes)

    def begin(self, recv_ns: int) -> None:
        stamp = datetime.fromtimestamp(recv_ns / 1e9, UTC).strftime("%Y%m%d-%H%M%S")
        path = self.folder / f"{stamp}-{recv_ns % 10**9:09d}{SUFFIX}"
        self.part = path.with_name(path.name + ".part")
        self.file = gzip.open(self.part, "wb", compresslevel=6)   # noqa: SIM115 over many calls
        self.files.append(path)
        self.began_ns = recv_ns
        self.size = 0

    def flush(self) -> None:
        """Put on disk what is held back: what a crash may lose is a second."""
        if self.file is not None:
            self.file.flush()

    def end(self) -> None:
        """Close the file at hand and give it its name."""
        if self.file is not None:
            self.file.close()
            self.file = None
            self.part.replace(self.files[-1])


def main(options: RecordOptions) -> int:
    """Record until told to stop; the exit code."""
    try:
        config = load(options.config, options.sets, options.venue, connects=False)
        settings = feed_settings(config)
        options.out.mkdir(parents=True, exist_ok=True)
    except ConfigError as error:
        return refuse(error.lines, EXIT_USAGE)
    except OSError as error:
        return refuse([f"{error.filename}: {error.strerror}; check -o"], EXIT_USAGE)
    exchange = None
    try:
        if config.embedded:
            exchange = Child("runner", "sim", "--port", "0", "--child", capture=True)
            url, _ = exchange_address(exchange.read_line(EXCHANGE_START_S))
            settings = msgspec.structs.replace(settings, url=url)
        names = options.instruments or tuple(i.name for i in config.instrument)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(record(settings, names, options))
    except HelperError as error:
        return refuse([str(error)], EXIT_FAILURE)
    finally:
        if exchange is not None:
            exchange.leave(1.0)
            exchange.output.close()


def feed_settings(config: Config) -> ClientConfig:
    """Return how the venue is reached; a key is used only where one is configured."""
    known = credentials(config) if config.venue.client_id and config.profile == "live" else None
    return ClientConfig(
        url=config.venue.url, client_id=known.client_id if known else "",
        client_secret=known.client_secret if known else "",
        ca_file=config.venue.ca_file or None, proxy=proxy_url(config))


def refuse(lines: list[str], code: int) -> int:
    """Say what is wrong, one line each."""
    for line in lines:
        sys.stderr.write(f"mm record: {line}\n")
    return code


async def record(settings: ClientConfig, names: tuple[str, ...], options: RecordOptions) -> int:
    """Follow the feed and write it down, until a signal, the duration or a first failure."""
    signals = Signals(asyncio.get_running_loop())
    signals.install()
    writer = Writer(options.out, options.rotate_s, options.rotate_mib << 20)
    feed = PublicFeed(settings, names, writer.write)
    began_s = time.monotonic()
    following = asyncio.ensure_future(feed.run())
    leaving = asyncio.ensure_future(signals.leave.wait())
    fault = ""
    told = False
    try:
        while not leaving.done():
            await asyncio.wait({following, leaving}, timeout=min(FLUSH_S, TELL_S),
                               return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                fault = failure(settings.url, following.exception())
                break
            if feed.ready.is_set() and not told:
                told = True
                (options.out / DEFINITIONS).write_bytes(definitions_json(feed))
            writer.flush()
            if writer.due(time.time_ns()):
                writer.end()
                feed.refresh()          # so that the next file can be played by itself
            if not options.as_json:
                tell(progress(feed, writer, time.monotonic() - began_s))
            if options.duration_s is not None and time.monotonic() - began_s >= options.duration_s:
                break
    except OSError as error:
        where = error.filename or options.out
        fault = f"{where}: {error.strerror}; free space or choose another -o"
    finally:
        following.cancel()
        leaving.cancel()
        await asyncio.wait({following, leaving})
        feed.close()
        writer.end()
    lasted_s = time.monotonic() - began_s
    if options.as_json:
        sys.stdout.write(msgspec.json.encode(figures(feed, writer, lasted_s)).decode() + "\n")
    else:
        tell("\n" + "".join(f"{path}\n" for path in writer.files))
    return refuse([fault], EXIT_FAILURE) if fault else EXIT_CLEAN


def failure(url: str, error: BaseException | None) -> str:
    """Say why the first connection could not be."""
    if isinstance(error, (*CONNECT_ERRORS, RpcError, ValueError)):
        return f"{url}: {str(error) or type(error).__name__}"
    raise error if error is not None else RuntimeError("the feed ended by itself")


def figures(feed: PublicFeed, writer: Writer, lasted_s: float) -> dict[str, Any]:
    """Return what was recorded."""
    return {"files": [str(path) for path in writer.files], "frames": feed.frames,
            "bytes": feed.bytes, "gaps": feed.gaps, "connections": feed.connections,
            "interval": feed.interval, "lasted_s": lasted_s,
            "instruments": [data.instrument_name for data in feed.chosen]}


def progress(feed: PublicFeed, writer: Writer, lasted_s: float) -> str:
    """Return one line that replaces the last."""
    names = ", ".join(data.instrument_name for data in feed.chosen) or "connecting"
    return (f"\r{names} ({feed.interval}): {lasted_s:,.0f} s, {feed.frames:,} messages, "
            f"{feed.bytes / 1e6:,.1f} MB, {len(writer.files)} files, {feed.gaps} gaps ")


def tell(text: str) -> None:
    """Write to the screen at once; a bar only where somebody looks."""
    if text.startswith("\r") and not sys.stdout.isatty():
        return
    sys.stdout.write(text)
    sys.stdout.flush()
