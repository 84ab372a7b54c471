"""`mm run --paper`: a venue's market, or a recorded one, with fills on this machine.

The maker is the one of a live session, byte for byte, on the embedded exchange; that exchange plays
the venue's public data. So no order can reach the venue: nothing that holds orders is connected to
it, and no key is read.
"""

from msgspec.structs import replace

from runner.config import Config, ConfigError
from runner.options import RunOptions


def paper_config(config: Config, options: RunOptions) -> Config:
    """Return the configuration of the session: the values stay, the venue is the exchange here.

    Raises ConfigError where there is nothing to play.
    """
    if not options.paper:
        if options.data:
            raise ConfigError(["--data belongs to --paper: mm run --paper --data FILE"])
        return config
    if config.embedded and not options.data:
        raise ConfigError(["--paper needs a market: --venue testnet, --venue prod, or --data FILE"])
    venue = replace(config.venue, url="sim", client_id="", client_secret="", ca_file="",
                    proxy="", rest_url="")
    return replace(config, venue=venue, embedded=True, profile="sim")


def market_options(config: Config, options: RunOptions) -> list[str]:
    """Return what `mm sim` is told to play; config is the one that names the venue."""
    if options.data:
        return [part for path in options.data for part in ("--data", path)]
    told = ["--relay", config.venue.url]
    told += [part for entry in config.instrument for part in ("--relay-instrument", entry.name)]
    return told + (["--relay-config", options.config] if options.config else [])


def paper_title(config: Config, options: RunOptions) -> str:
    """Return what is traded on; config is the one that names the venue."""
    return f"PAPER on {', '.join(options.data) if options.data else config.venue.url}"


def paper_words(config: Config, options: RunOptions) -> str:
    """Say on the screen what a paper session is."""
    return (f"{paper_title(config, options)}: orders rest and fill on this machine only, nothing "
            f"private is sent to any venue; {config.profile} defaults\n")
