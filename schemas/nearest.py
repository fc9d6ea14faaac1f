"""What was probably meant by a name that there is not."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is most like this one; "" where none is like it. Small letters are tried too.

    >>> nearest("cart.abandonned", ["welcome", "cart.abandoned"]), nearest("Welcome", ["welcome"]), nearest("x", ["welcome"])
    ('cart.abandoned', 'welcome', '')
    """
    names = list(known)
    close = get_close_matches(name, names, n=1) or get_close_matches(name.lower(), names, n=1)
    return close[0] if close else ""
