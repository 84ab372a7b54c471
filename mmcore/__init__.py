"""The compiled core of a market maker: typed events in, order actions out."""

__version__ = "0.1.0"
