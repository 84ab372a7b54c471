"""`mm metrics`: the exporter by hand, beside a maker that runs or will run."""

import sys
from pathlib import Path

from prometheus_client.exposition import generate_latest

from runner.config import Config, ConfigError, credentials, load
from runner.exporter import Exporter, serve
from runner.exporter_options import exporter_options
from runner.metric_source import PageSource
from runner.options import EXIT_CLEAN, EXIT_FAILURE, EXIT_USAGE
from runner.state import SHARED_MEMORY, shared_path, shared_pattern, state_path
from runner.webhook import WebhookError, post_test


def main(path: Path | None, venue: str | None, sets: tuple[str, ...], page: Path | None, *,
         once: bool, test_alert: bool) -> int:
    """Do as told; return the exit code."""
    try:
        config = load(path, sets, venue, connects=False)     # it reaches no venue
        if test_alert:
            return send_test(config)
        latch = state_folder(config)
        found = page or find_page(latch)
    except ConfigError as error:
        return refuse(error.lines)
    try:
        options = exporter_options(config, found, latch=None if page else latch)
        if once:
            exporter = Exporter(options)
            sys.stdout.write(generate_latest(exporter).decode())
            return EXIT_CLEAN if exporter.engine_is_up() else EXIT_FAILURE
        return serve(options)
    except WebhookError as error:
        return refuse([str(error)])


def state_folder(config: Config) -> Path | None:
    """Return the state folder of the maker of a configuration; a temporary one is not known."""
    if config.runtime.state_dir:
        return Path(config.runtime.state_dir).expanduser()
    if config.embedded:
        return None
    return state_path(config, credentials(config).client_id)


def find_page(state: Path | None) -> Path:
    """Return the page of the maker of a state folder. Raises ConfigError.

    The embedded exchange's state folder is temporary; its page is found where one maker only
    publishes. What a killed one left behind is not asked about.
    """
    if state is not None:
        return shared_path(state) / "page"
    found = [page for page in sorted(SHARED_MEMORY.glob(f"{shared_pattern()}/page"))
             if publishes(page)]
    if len(found) != 1:
        names = ", ".join(map(str, found)) or "no maker runs"
        fault = ("which maker? name its page with --page, or its configuration with -c and "
                 f"--venue; pages: {names}")
        raise ConfigError([fault])
    return found[0]


def publishes(page: Path) -> bool:
    """Return whether a running maker writes this page."""
    source = PageSource(page)
    return source.is_up(source.read())


def send_test(config: Config) -> int:
    options = exporter_options(config, Path())
    if options.webhook is None:
        return refuse(["telemetry.webhook_url is empty; state it as env:NAME or file:PATH"])
    fault = post_test(options.webhook)
    if fault:
        sys.stderr.write(f"mm: test alert not delivered: {fault}\n")
        return EXIT_FAILURE
    sys.stdout.write("test alert delivered\n")
    return EXIT_CLEAN


def refuse(lines: list[str]) -> int:
    for line in lines:
        sys.stderr.write(f"mm: {line}\n")
    return EXIT_USAGE
