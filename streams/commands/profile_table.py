"""Profiles as tables for people."""

from datetime import UTC, datetime
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from profiles.book import Book
from profiles.profile import Profile
from schemas.money import format_minor
from schemas.profile_document import ProfileDocument
from streams import explanations
from streams.commands.display import Words, listing, page, plain


def at(at_ms: int | None) -> str:
    """An instant as people read it, in UTC."""
    return "-" if at_ms is None else datetime.fromtimestamp(at_ms / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def money(minor: int | None, currency: str) -> str:
    """An amount as people read it.

    >>> money(1234567, "USD"), money(1234567, "JPY"), money(-5, "KWD"), money(None, "USD")
    ('USD 12,345.67', 'JPY 1,234,567', 'KWD -0.005', '-')
    """
    return "-" if minor is None else format_minor(minor, currency)


def print_profile(shown: ProfileDocument) -> None:
    """Print a profile document as a readable page."""
    import msgspec

    # The document's own names are the headings, so a field added to it shows up here.
    fields: dict[str, Any] = msgspec.to_builtins(shown)
    currency = fields.get("ltv", {}).get("currency", "")
    console = Words()
    console.print(Text(str(fields.pop("id", "")), style="bold"))
    table = listing()
    table.add_column(style="cyan", overflow="fold")
    table.add_column(overflow="fold")
    for name, value in fields.items():
        if value not in (None, {}, [], (), ""):
            table.add_row(name, _cell(name, value, currency))
    console.print(table)


def print_explanation(
    profile: Profile, book: Book, now_ms: int, name: str | None = None, *, tried: bool = False
) -> None:
    """Print what a customer's triggers (or one of them) are doing: waiting, sent, last decided and why, and what stands in the
    way of marketing to her now. Times are on her clock. By rules that are only `tried` nobody was sent anything.
    """
    zone, said = explanations.her_clock(profile, book.shop_timezone)
    parts = [Text(profile.id, style="bold"), Text(said, style="dim")]
    was = explanations.became("emitted", None, tried=tried)
    for title, sentences, nothing in (
        ("waiting", explanations.waiting(profile, book, zone, name), "nothing happened that would bring a message"),
        (was.removeprefix("was "), explanations.sent(profile, zone, name, tried=tried), f"no trigger {was} lately"),
        ("decided", explanations.decided(profile, zone, name, tried=tried), "nothing was decided lately"),
        ("in the way of marketing now", explanations.standing(profile, book, now_ms), "nothing"),
    ):
        parts += [Text(), Text(title, style="cyan")]
        found = [Text(plain(f"  {sentence}")) for sentence in sentences]
        parts += found or [Text(f"  {nothing}", style="dim")]
    page().print(Group(*parts))


def _cell(name: str, value: Any, currency: str) -> Any:
    if isinstance(value, dict):
        inner = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        inner.add_column(overflow="fold")
        inner.add_column(overflow="fold")
        for key, item in value.items():
            if item not in (None, {}, [], ()):
                inner.add_row(Text(plain(str(key)), style="dim"), _cell(str(key), item, currency))
        return inner
    if isinstance(value, list | tuple):
        if all(not isinstance(item, dict | list | tuple) for item in value):
            return Text(plain(", ".join(map(str, value))))
        rows = listing()
        rows.add_column(overflow="fold")
        for item in value:
            rows.add_row(_cell(name, item, currency))
        return rows
    if name.endswith("_ms") and isinstance(value, int):
        return Text(at(value))
    if name.endswith("_minor") and isinstance(value, int):
        return Text(money(value, currency))
    return Text(f"{value:.3f}" if isinstance(value, float) else plain(str(value)))
