"""What must be written out as text in an expression: spans, filters and names of events, so that it is known what to keep."""

from typing import Final

from profiles.durations import span_ms
from profiles.expressions.calendar import named_zone
from profiles.expressions.counting import Count, Spend, count_of
from profiles.expressions.errors import Failed, Problem
from profiles.expressions.messages import near, word_at
from profiles.expressions.syntax import Call, Constant, Node
from profiles.rates import DAY_MS
from profiles.windows import EVENT_NAMES, EVENTS, SPAN_MAX_MS
from profiles.zones import COUNTRY_ZONES
from schemas.nearest import nearest

_REACHES: Final = {"_>=_": 0, "_<_": 0, "_>_": 1, "_<=_": 1, "_==_": 1, "_!=_": 1}
"""How far above a number a count has to be known to answer."""


def span_of(text: str, node: Node, longest_ms: int) -> int:
    """The milliseconds of a span that is written out. Raises Problem."""
    if not isinstance(node, Constant) or not isinstance(node.value, str):
        raise Problem('a span is written out, such as "30m" or "7d"', word_at(text, node.at))
    found = span_ms(node.value)
    if found is None:
        raise Problem(
            f'"{node.value}" is no span; write a number with ms, s, m, h or d, such as "90d"', word_at(text, node.at)
        )
    if found > longest_ms:
        raise Problem(
            f'"{node.value}" is too long; at most {longest_ms // DAY_MS} days are kept', word_at(text, node.at)
        )
    return found


def window_of(text: str, node: Call) -> Count | Spend:
    """What a call of a window function counts. Raises Problem."""
    span = span_of(text, node.args[0], SPAN_MAX_MS)
    if len(node.args) == 1:
        return count_of(node.name, span, "", "")
    filtered = node.args[1]
    if node.name == EVENTS:
        name = _written(text, filtered, "the name of an event")
        if name not in EVENT_NAMES:
            raise Problem(f'there is no event "{name}"; {near(name, EVENT_NAMES)}', word_at(text, filtered.at))
        return count_of(EVENTS, span, "", name)
    if not isinstance(filtered, Call) or filtered.name not in ("category", "brand", "product"):
        raise Problem("a filter is category(...), brand(...) or product(...)", word_at(text, filtered.at))
    return count_of(node.name, span, filtered.name, _written(text, filtered.args[0], f"the value of a {filtered.name}"))


def number_for(text: str, sign: str, node: Node, count: Count | Spend) -> None:
    """Refuse a comparison of a count with a number beyond where it stops counting. Raises Problem."""
    if isinstance(node, Constant) and count.most is not None and node.value + _REACHES[sign] > count.most:
        raise Problem(f"{count.counter.family} are counted up to {count.most}", word_at(text, node.at))


def zone_of(text: str, node: Node) -> None:
    """Refuse a time zone that is written out and does not exist. Raises Problem."""
    if isinstance(node, Constant):
        try:
            named_zone(node.value)
        except Failed:
            meant = nearest(node.value, COUNTRY_ZONES.values())
            remedy = f'did you mean "{meant}"?' if meant else 'write one such as "Europe/Berlin" or "+02:00"'
            raise Problem(f'there is no time zone "{node.value}"; {remedy}', word_at(text, node.at)) from None


def _written(text: str, node: Node, what: str) -> str:
    if not isinstance(node, Constant) or not isinstance(node.value, str) or not node.value:
        raise Problem(f"{what} is written out as text", word_at(text, node.at))
    return node.value
