"""What the page's sections share: colours, money as it is drawn, and what stands where there is nothing to show."""

from typing import Final

from typing_extensions import TypeIs

from schemas.money import exponent
from streams.page import Page
from streams.reporting.missing import Missing

GREY: Final = "#8a9495"
SCALE: Final = [[0, "#f3f1ea"], [0.5, "#8fbab5"], [1, "#1f5a5e"]]


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
