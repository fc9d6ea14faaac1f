"""What the page's sections share: colours, money as it is drawn, and what stands where there is nothing to show."""

from html import escape
from typing import Final

from typing_extensions import TypeIs

from schemas.money import exponent
from streams.page import Page
from streams.reporting.missing import Missing

GREY: Final = "#8a9495"
SCALE: Final = [[0, "#f3f1ea"], [0.5, "#8fbab5"], [1, "#1f5a5e"]]


NAME_MAX: Final = 26
"""Letters of a name beside a plot: a longer one takes the room of what is drawn."""


def beside(name: str) -> str:
    """A name as it stands beside a plot: cut where it is long, and with nothing in it that is taken for a tag.

    >>> beside("google / cpc"), beside("<b>"), beside("partner-of-the-spring-campaign / affiliate")
    ('google / cpc', '&lt;b&gt;', 'partner-of-the-spring-cam…')
    """
    return escape(name if len(name) <= NAME_MAX else f"{name[: NAME_MAX - 1]}…", quote=False)


def nothing_to_show(found: object, page: Page) -> TypeIs[Missing]:
    """Whether a section is missing; the page then says why, and what to do."""
    if isinstance(found, Missing):
        page.note(f"Nothing to show ({found.reason}): {found.remedy}.")
        return True
    return False


def decimals(currency: str) -> str:
    """How plots write amounts of a currency under the pointer.

    >>> decimals("EUR"), decimals("JPY"), decimals("KWD")
    (',.2f', ',.0f', ',.3f')
    """
    return f",.{exponent(currency)}f"


def units(values: list[float], currency: str) -> list[float]:
    """Minor units as the numbers that are drawn."""
    return [value / 10 ** exponent(currency) for value in values]
