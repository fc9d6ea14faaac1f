"""Where a buyer comes from, as far as the value models tell customers apart: the channel that won her, and her country.

An origin is one short text, "<channel>|<country>", since it is part of the name of a counter. Won without a source is the rule
and is left out, as is a country nobody told: a shop that knows of neither pays nothing.
"""

from typing import Final, Literal

Dimension = Literal["channel", "country"]

DIMENSIONS: Final[tuple[Dimension, ...]] = ("channel", "country")
DIRECT: Final = "direct"
"""The channel of customers whose visits before the first order had no source."""
OTHER: Final = "other"
"""All values of a dimension together that too few customers have to be looked at one by one."""


def origin(channel: str, country: str) -> str:
    """The origin of a channel and a country, "" where the country is not known.

    >>> origin("mail", "DE"), origin("mail", ""), origin("direct", "DE"), origin("direct", "")
    ('mail|DE', 'mail|', '|DE', '')
    """
    channel = "" if channel == DIRECT else channel
    return f"{channel}|{country}" if channel or country else ""


def with_country(of: str, country: str) -> str:
    """The same origin in another country.

    >>> with_country("mail|DE", "AT"), with_country("", "AT"), with_country("|DE", "")
    ('mail|AT', '|AT', '')
    """
    return origin(of.partition("|")[0], country)


def value_of(of: str, dimension: Dimension) -> str | None:
    """Channel or country of an origin; None where the country is not known.

    >>> value_of("mail|DE", "country"), value_of("mail|", "country"), value_of("", "channel")
    ('DE', None, 'direct')
    """
    channel, _, country = of.partition("|")
    return channel or DIRECT if dimension == "channel" else country or None
