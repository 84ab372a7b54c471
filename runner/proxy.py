"""The proxy between us and the venue, as configured."""

import re

from runner.config import Config, ConfigError
from runner.credentials import SecretError, read_secret

SHAPE = re.compile(r"http://([^@/\s]+@)?[^@/:\s]+:\d+/?")


def proxy_url(config: Config) -> str | None:
    """Resolve the proxy's URL, None where there is none. Raises ConfigError."""
    stated = config.venue.proxy
    if not stated:
        return None
    where = config.origin.get("venue.proxy", "")
    try:
        # Without a password there is no secret in it, and it may stand in the file.
        url = read_secret(stated, literal_allowed="@" not in stated or config.profile == "sim")
    except SecretError as error:
        raise ConfigError([f"{where}: venue.proxy: {error}"]) from None
    if not SHAPE.fullmatch(url):
        raise ConfigError([f"{where}: venue.proxy: expected http://host:port"])
    return url
