"""The functions that conditions have beside the standard ones of the language, as the type check and the reference know them.

What the window functions count is in `profiles.windows`.
"""

from typing import Final

from profiles.expressions.library import FILTER, Function

_COUNTS: Final = {
    "views": "product pages she viewed",
    "adds": "times she put something into a cart (Product Added; a Cart Updated is no addition here)",
    "orders": "orders placed that are not cancelled; with a filter those that still have such a line after refunds",
}


def _counting(name: str, what: str) -> tuple[Function, Function]:
    return (
        Function(
            name=name, takes=("string",), gives="int", note=f'How many {what}, in the time until now: `{name}("30d")`.'
        ),
        Function(
            name=name,
            takes=("string", FILTER),
            gives="int",
            note=f'The same for one category, brand or product: `{name}("30d", category("garden"))`.',
        ),
    )


WINDOW_FUNCTIONS: Final = (
    *_counting("views", _COUNTS["views"]),
    *_counting("adds", _COUNTS["adds"]),
    *_counting("orders", _COUNTS["orders"]),
    Function(
        name="spend_minor",
        takes=("string",),
        gives="int",
        note="Net value of the orders placed in the time until now, in minor units of the shop's currency: after discounts "
        "and refunds, cancelled ones not at all.",
    ),
    Function(
        name="searches",
        takes=("string",),
        gives="int",
        note="How many searches she made in the shop, in the time until now.",
    ),
    Function(
        name="sessions",
        takes=("string",),
        gives="int",
        note="How many visits by browser or app she began, in the time until now.",
    ),
    Function(
        name="events",
        takes=("string", "string"),
        gives="int",
        note='How many events of one name came, in the time until now: `events("7d", "Message Opened")`.',
    ),
)
"""They look at a span of time that ends now. Span and filter are written out as text, so that it is known what to keep."""

FILTER_FUNCTIONS: Final = (
    Function(
        name="category",
        takes=("string",),
        gives=FILTER,
        note='Only of this category or one below it: `category("garden")` has "garden" and "garden/tools".',
    ),
    Function(
        name="brand", takes=("string",), gives=FILTER, note="Only of this brand. Lines of orders have the catalogue's."
    ),
    Function(name="product", takes=("string",), gives=FILTER, note="Only of the product with this product id."),
)

TIME_FUNCTIONS: Final = (
    Function(
        name="ago",
        takes=("string",),
        gives="int",
        note='The instant so long before now, in epoch milliseconds: `profile.orders.last_ms < ago("60d")`.',
    ),
    Function(
        name="ahead",
        takes=("string",),
        gives="int",
        note='The instant so long after now: `profile.replenishment.exists(r, r.due_ms < ahead("3d"))`.',
    ),
)

FUNCTIONS: Final = (*WINDOW_FUNCTIONS, *FILTER_FUNCTIONS, *TIME_FUNCTIONS)
