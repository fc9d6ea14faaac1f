"""Profiles as tables for people."""

from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from profiles import episodes, gates
from profiles.profile import Profile
from schemas.money import exponent
from schemas.profile_document import ProfileDocument

WAITS_FOR: Final = {
    gates.UNREACHABLE: "can't be reached",
    gates.QUIET: "quiet hours",
    episodes.TURN: "another goes first",
}


def at(at_ms: int | None) -> str:
    """An instant as people read it, in UTC."""
    return "-" if at_ms is None else datetime.fromtimestamp(at_ms / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")


def money(minor: int | None, currency: str) -> str:
    """An amount as people read it.

    >>> money(1234567, "USD"), money(1234567, "JPY"), money(-5, "KWD"), money(None, "USD")
    ('USD 12,345.67', 'JPY 1,234,567', 'KWD -0.005', '-')
    """
    if minor is None:
        return "-"
    decimals = exponent(currency)
    whole, rest = divmod(abs(minor), 10**decimals)
    sign = "-" if minor < 0 else ""
    return f"{currency} {sign}{whole:,}" + (f".{rest:0{decimals}d}" if decimals else "")


def print_profile(shown: ProfileDocument) -> None:
    """Print a profile document as a readable page."""
    import msgspec

    # The document's own names are the headings, so a field added to it shows up here.
    fields: dict[str, Any] = msgspec.to_builtins(shown)
    currency = fields.get("ltv", {}).get("currency", "")
    console = Console(highlight=False)
    console.print(Text(str(fields.pop("id", "")), style="bold"))
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column()
    for name, value in fields.items():
        if value not in (None, {}, [], (), ""):
            table.add_row(name, _cell(name, value, currency))
    console.print(table)


def print_explanation(profile: Profile) -> None:
    """Print what a customer's triggers are doing: waiting ones, emitted ones, and the last decisions with their reasons."""
    waiting = Table("waiting", "about", "due", title=None, box=None, pad_edge=False, header_style="bold")
    for episode in sorted(profile.episodes.values(), key=lambda e: (e.due_ms, e.name, e.key)):
        wait_ms = episode.wait_ms
        held = "" if wait_ms is None else f"  ({WAITS_FOR[episode.wait or '']}; waits until {at(wait_ms)})"
        waiting.add_row(episode.name, Text(episode.key), at(episode.due_ms) + held)
    emitted = Table("emitted", "about", "at", "became", "trigger id", box=None, pad_edge=False, header_style="bold")
    for trigger in profile.emitted:
        emitted.add_row(
            trigger.name, Text(trigger.key), at(trigger.emitted_ms), trigger.outcome or "-", trigger.trigger_id
        )
    decided = Table("decided", "trigger", "about", "state", "reason", box=None, pad_edge=False, header_style="bold")
    for decision in profile.last_decisions():
        decided.add_row(at(decision.at_ms), decision.name, Text(decision.key), decision.state, decision.reason or "-")
    parts: list[Any] = [Text(profile.id, style="bold")]
    for table, nothing in (
        (waiting, "no trigger is waiting"),
        (emitted, "no trigger was emitted lately"),
        (decided, "nothing was decided lately"),
    ):
        parts += [Text(), table if table.row_count else Text(nothing, style="dim")]
    Console(highlight=False).print(Group(*parts))


def _cell(name: str, value: Any, currency: str) -> Any:
    if isinstance(value, dict):
        inner = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        for key, item in value.items():
            if item not in (None, {}, [], ()):
                inner.add_row(Text(str(key), style="dim"), _cell(str(key), item, currency))
        return inner
    if isinstance(value, list | tuple):
        if all(not isinstance(item, dict | list | tuple) for item in value):
            return Text(", ".join(map(str, value)))
        rows = Table(box=None, show_header=False, pad_edge=False)
        for item in value:
            rows.add_row(_cell(name, item, currency))
        return rows
    if name.endswith("_ms") and isinstance(value, int):
        return Text(at(value))
    if name.endswith("_minor") and isinstance(value, int):
        return Text(money(value, currency))
    return Text(f"{value:.3f}" if isinstance(value, float) else str(value))
