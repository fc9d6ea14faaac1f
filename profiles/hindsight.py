"""What was foretold of the next purchase, held against what came: "foretold:<counter>" of the population.

With each purchase of a supply stands the window that was foretold for the next one, and how sure that was (`Purchase.told`).
What came is the next purchase on another of the shop's days: early (before the window), hit (in it) or late; open while
there is none. Counters stand by the week in which the window ends, so a report can leave out windows that are not over: of
those, the purchases that came are known and the ones that stay away are not.

- `<early|hit|late|open>|<class>|<week>`: purchases. The class is the tenth of the foretold probability, 0 to 9, or "word"
  where the forecast was the arithmetic of `profiles.supply`, which names none. A week is days since 1970 // 7.
- `sure|<class>|<week>`: the sum of the foretold probabilities, in per cent.

A piece depends on a purchase and the one after it, so an order in its time changes two.
"""

from bisect import bisect_left
from typing import Final

from profiles.book import Book
from profiles.insight.tallies import Tally, add, difference
from profiles.profile import Profile
from profiles.state import Purchase

WORD: Final = "word"
WEEK: Final = 7
Place = tuple[int, str]
"""Where a purchase stands: its time and its order."""


def place_of(purchase: Purchase) -> Place:
    """By which purchases are sorted."""
    return purchase.at_ms, purchase.order_id


def counters(profile: Profile, book: Book) -> Tally:
    """The customer's part, from the profile as it stands."""
    total: Tally = {}
    for supply in profile.supply.values():
        add(total, contribution(supply.purchases, book))
    return {f"foretold:{name}": count for name, count in total.items()}


def contribution(purchases: list[Purchase], book: Book, start: int = 0) -> Tally:
    """What the purchases of one supply add, those from a place on."""
    total: Tally = {}
    for place in range(start, len(purchases)):
        following = purchases[place + 1] if place + 1 < len(purchases) else None
        add(total, _piece(purchases[place], following, book))
    return total


def change(before: list[Purchase], after: list[Purchase], since: Place, book: Book) -> Tally:
    """What differs where the purchases of a supply are the same up to `since`, but for the oldest, which may have gone."""
    kept = {purchase.order_id for purchase in after}
    gone = 0
    while gone < len(before) and before[gone].order_id not in kept and place_of(before[gone]) < since:
        gone += 1
    old: Tally = {}
    for place in range(gone):
        add(old, _piece(before[place], before[place + 1] if place + 1 < len(before) else None, book))
    add(old, contribution(before, book, max(gone, bisect_left(before, since, key=place_of) - 1)))
    return difference(contribution(after, book, max(0, bisect_left(after, since, key=place_of) - 1)), old)


def change_by_next(last: Purchase | None, newest: Purchase, book: Book) -> Tally:
    """The same as `change` where one purchase was added after all others, of which `last` was the last."""
    opened = _piece(newest, None, book)
    if last is None:
        return opened
    closed = difference(_piece(last, newest, book), _piece(last, None, book))
    add(closed, opened)
    return closed


def _piece(purchase: Purchase, following: Purchase | None, book: Book) -> Tally:
    if purchase.told is None:
        return {}
    start, end, sure = purchase.told
    day = book.shop_day(purchase.at_ms)
    outcome = "open"
    if following is not None:
        gap = book.shop_day(following.at_ms) - day
        if gap == 0:
            return {}  # one occasion: the last of the day stands for it
        outcome = "early" if gap < start else "hit" if gap <= end else "late"
    week = (day + end) // WEEK
    if sure is None:
        return {f"{outcome}|{WORD}|{week}": 1}
    place = f"{min(sure // 10, 9)}|{week}"
    return {f"{outcome}|{place}": 1, f"sure|{place}": sure} if sure else {f"{outcome}|{place}": 1}
