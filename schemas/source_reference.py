"""The page of sources: which tracker sends what, how each is recognised, what can be set. Made from the adapters."""

from typing import get_args

from msgspec.structs import fields as fields_of

from schemas import events as e
from schemas.adapters import ADAPTERS
from schemas.adapters.adapter import Adapter, Options
from schemas.reference import GENERATED, field_table, one_line

_ITSELF = "its own name"


def sources_page() -> str:
    """Every source, and every canonical event with the names under which they send it."""
    lines = [
        "# Sources",
        "",
        GENERATED,
        "",
        "Besides canonical events ([events.md](events.md)), a record may be what one of these trackers or shop systems sends,",
        "as it is. It is told by its fields; sources are asked in this order.",
        "",
        "| source | told by |",
        "|---|---|",
        *(f"| [{adapter.title}](#{_anchor(adapter.title)}) | {adapter.recognised_by} |" for adapter in ADAPTERS),
        "",
        "A record in Kafka is one event. A message that holds several (a batch, a body) goes through `regulars feed` or",
        "`regulars replay`, or in a producer of your own through `schemas.split`: they make one record of each event. In a",
        "topic it is set aside as `several_events`. Case, spaces and underscores in the names of track calls do not matter, nor",
        "whether what was done comes last or first (`Order Completed`, `completedOrder`).",
        "",
        "## Which tracker sends what",
        "",
        "| event | " + " | ".join(adapter.title for adapter in ADAPTERS) + " |",
        "|---" * (len(ADAPTERS) + 1) + "|",
        *(_row(kind) for kind in get_args(e.AnyEvent)),
        "",
    ]
    for adapter in ADAPTERS:
        lines += _section(adapter)
    return "\n".join(lines)


def _row(kind: type[e.Event]) -> str:
    tag = str(kind.__struct_config__.tag)
    cells = [", ".join(_names(adapter, kind, tag)) for adapter in ADAPTERS]
    return f"| {tag} | " + " | ".join(cells) + " |"


def _names(adapter: Adapter, kind: type[e.Event], tag: str) -> list[str]:
    names = [name for name, kinds in adapter.names.items() if kind in kinds]
    return [_ITSELF if name == tag else f"`{name}`" for name in names]


def _section(adapter: Adapter) -> list[str]:
    lines = [f"## {adapter.title}", "", f"Name in settings: `{adapter.name}`. Told by {adapter.recognised_by}."]
    lines += ["Written after:", "", *(f"- <{link}>" for link in adapter.documents), ""]
    options = type(adapter.options)
    if options is not Options:
        lines += [one_line(options), "", *field_table(options, [field.name for field in fields_of(options)]), ""]
    nothing = [f"`{name}`" for name, kinds in adapter.names.items() if not kinds]
    if nothing:
        lines += ["Known, and nothing in them for a profile: " + ", ".join(nothing) + ".", ""]
    return lines


def _anchor(title: str) -> str:
    """The anchor that a heading gets."""
    return "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c == "-")
