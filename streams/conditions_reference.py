"""docs/reference/conditions.md, made from the code: every field and function that a condition can use, and its bounds."""

from profiles.expressions.calendar import GETTERS
from profiles.expressions.expression import LENGTH_MAX, OF_EPISODE, OF_PROFILE
from profiles.expressions.functions import FILTER_FUNCTIONS, TIME_FUNCTIONS, WINDOW_FUNCTIONS
from profiles.expressions.library import Function
from profiles.expressions.scope import STEPS_MAX
from profiles.expressions.shapes import Shape, every_shape
from profiles.rates import DAY_MS
from profiles.segments import COALESCE_MS, SEGMENTS_MAX
from profiles.windows import COUNT_MAX, ORDERS_MAX, SPAN_MAX_MS

_CALENDAR = (
    "What a calendar and a clock show, in UTC where no zone is given; from 0 on but for getDate, a week from Sunday on."
)
STANDARD = (
    ("`==` `!=`", "The same or not. null is the same as null alone; lists and maps compare by what they hold."),
    ("`<` `<=` `>` `>=`", "Order of numbers, texts (by code point), instants, spans; false before true."),
    ("`&&` `\\|\\|` `!`", "And, or, not. A side that fails does not matter where the other one decides."),
    ("`a ? b : c`", "b where a is true, else c; both of one type."),
    (
        "`+` `-` `*` `/` `%`",
        "Whole numbers have 64 bits, fail beyond, and divide towards zero; `+` also joins texts and lists.",
    ),
    ("`x in list`, `key in map`", "Whether a list has the element, or a map the key."),
    ('`list[0]`, `map["key"]`, `map.key`', "An element from 0 on, the value of a key; fails where there is none."),
    ("`has(x.field)`", "Whether a field has a value, a map the key, a list or map of the profile anything in it."),
    ("`size(x)`", "Characters of a text, elements of a list, entries of a map."),
    ("`list.exists(x, test)`", "Whether the test holds for an element; of a map, for a key."),
    ("`list.all(x, test)`", "Whether it holds for every element."),
    ("`list.exists_one(x, test)`", "Whether it holds for exactly one."),
    ("`list.filter(x, test)`", "The elements for which it holds."),
    ("`list.map(x, value)`", "The value for each element."),
    (
        "`text.contains(t)` `.startsWith(t)` `.endsWith(t)`",
        "Whether a text has another one in it, in front, at its end.",
    ),
    ("`text.matches(regex)`", "Whether a regular expression (RE2) is found in it."),
    ("`int(x)` `double(x)` `string(x)` `bool(x)` `bytes(x)` `uint(x)`", "A value as another type."),
    ("`dyn(x)` `type(x)`", "The value without its type being checked in advance; the type of a value."),
    ("`timestamp(text)` `duration(text)`", 'An instant such as "2026-03-01T00:00:00Z", a span such as "36h".'),
    (f"`now.getHours(zone)`, and so {', '.join(f'`{name}`' for name in GETTERS)}", _CALENDAR),
)
"""What the language brings along: what is written, and what it means."""


def conditions_page() -> str:
    """docs/reference/conditions.md."""
    lines = [
        "# Conditions: fields and functions",
        "",
        "Generated from the code. What conditions mean, and what null does: [conditions](../explanation/conditions.md).",
        "Types are those of the Common Expression Language: int (whole, 64 bits), double, string, bool, list, map; `dyn` is",
        "looked at when it is read. Instants are ints, epoch milliseconds UTC; amounts are ints in minor units.",
        "",
        "## What there is",
        "",
        "| name | segments | a trigger, when it is due |",
        "|---|---|---|",
    ]
    seen = OF_EPISODE
    for name in sorted(seen):
        there = ["yes" if name in place else "" for place in (OF_PROFILE, OF_EPISODE)]
        lines.append(f"| `{name}` | {' | '.join(there)} |")
    lines += [
        "",
        "`now_ms` is the instant as an int, `now` as a timestamp. In a segment `now_ms`, `ago`, `ahead`, interest scores and",
        "`profile.orders.per_year` change by themselves, so they can only be compared, by `<` `<=` `>` `>=`, with something",
        "that does not; `now` can't be used there, nor `profile.segments`.",
        "",
        "## Functions of ours",
        "",
        "| function | gives | meaning |",
        "|---|---|---|",
    ]
    lines += [_function(function) for function in (*WINDOW_FUNCTIONS, *FILTER_FUNCTIONS, *TIME_FUNCTIONS)]
    lines += [
        "",
        "A span is a number with `ms`, `s`, `m` (or `min`), `h` or `d`. Spans, filters and names of events are written out.",
        "",
        "## What the language has",
        "",
        "| written | meaning |",
        "|---|---|",
        *(f"| {written} | {meaning} |" for written, meaning in STANDARD),
        "",
        "## Fields",
    ]
    roots = {name: shape for name, shape in seen.items() if isinstance(shape, Shape)}
    ordered = [*roots.values(), *(shape for shape in every_shape(*roots.values()) if shape not in roots.values())]
    names = {shape.name: f"`{name}`" for name, shape in roots.items()}
    for shape in ordered:
        lines += ["", f"### {names.get(shape.name, shape.name)}", "", " ".join(shape.note.split()), ""]
        lines += ["| field | type | may be null |", "|---|---|---|"]
        lines += [
            f"| `{field.name}` | {field.told} | {'yes' if field.nullable else ''} |" for field in shape.fields.values()
        ]
    lines += [
        "",
        "## Bounds",
        "",
        "| what | at most |",
        "|---|---|",
        f"| segments | {SEGMENTS_MAX} |",
        f"| characters of a condition | {LENGTH_MAX} |",
        "| levels of nesting, operators in a row included (but not `&&` and `\\|\\|`) | 32 |",
        f"| elements that all loops of one evaluation pass together | {STEPS_MAX} |",
        f"| span of a window | {SPAN_MAX_MS // DAY_MS} d |",
        f"| `views`, `adds`, `searches`, `sessions`, `events` count up to | {COUNT_MAX} |",
        f"| orders kept for `orders` and `spend_minor`, the newest | {ORDERS_MAX} |",
        f"| changes of one segment in {COALESCE_MS // 1000} s | 1 |",
    ]
    return "\n".join(lines) + "\n"


def _function(function: Function) -> str:
    return f"| `{function.name}({', '.join(function.takes)})` | {function.gives} | {function.note} |"
