"""What channels cost, from a file: the records of the topic `spend` (.jsonl), or CSV with the columns day, channel and spend.

In CSV `day` is 2026-03-31, `spend` is major units of the shop's currency ("12.50"), the channel's name is the one customers have
(see `profiles.acquisition`). Lines that begin with # are comments; several lines of a day and channel are added up. Of several
records of a day and channel the last counts, as on the topic.
"""

import csv
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from schemas.money import MINOR_MAX, exponent
from schemas.reasons import Problem
from schemas.spend import ChannelSpend, read_record

SPEND_FILE: Final = "spend.jsonl"
"""What a simulation leaves beside its counters."""
COLUMNS: Final = ("day", "channel", "spend")


class SpendError(ValueError):
    """A file of spend can't be used. The message names file, line and column; nothing was reported.

    Operator action: mend the line named.
    """


def read_spend(path: Path, currency: str) -> dict[tuple[str, int], int]:
    """Minor units by channel and month (year * 12 + month - 1). Raises SpendError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SpendError(f"{path} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SpendError(f"{path}: this is not UTF-8 text; save the file as UTF-8") from None
    return _of_records(path, text, currency) if path.suffix == ".jsonl" else _of_table(path, text, currency)


def _of_records(path: Path, text: str, currency: str) -> dict[tuple[str, int], int]:
    newest: dict[str, ChannelSpend] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        found = read_record(line.encode())
        if isinstance(found, Problem):
            raise SpendError(f"{path}, line {number}: {found.reason}, {found.detail}")
        if found.currency not in {None, currency}:
            raise SpendError(f"{path}, line {number}: in {found.currency}; a file of spend is in {currency}")
        newest[found.key] = found
    months: dict[tuple[str, int], int] = {}
    for spend in newest.values():
        place = (spend.channel, spend.day.year * 12 + spend.day.month - 1)
        months[place] = months.get(place, 0) + spend.amount_minor
    return months


def _of_table(path: Path, text: str, currency: str) -> dict[tuple[str, int], int]:
    found: dict[tuple[str, int], int] = {}
    rows = csv.reader(line for line in text.splitlines() if not line.startswith("#"))
    header = [name.strip().lower() for name in next(rows, [])]
    missing = [name for name in COLUMNS if name not in header]
    if missing and ";" in ",".join(header):
        raise SpendError(f"{path}: columns are separated by commas, not by semicolons; save it as CSV with commas")
    if missing:
        raise SpendError(f"{path}: the first line names no column {missing[0]!r}; it must name {', '.join(COLUMNS)}")
    places = [header.index(name) for name in COLUMNS]
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        where = f"{path}, line {rows.line_num}"
        if len(row) <= max(places):
            raise SpendError(f"{where}: {len(row)} columns, the first line names {len(header)}")
        day, channel, spend = (row[place].strip() for place in places)
        if not channel:
            raise SpendError(f"{where}, column channel: it is empty")
        place = (channel, _month(day, where))
        found[place] = found.get(place, 0) + _minor(spend, currency, where)
    return found


def _month(text: str, where: str) -> int:
    try:
        on = date.fromisoformat(text)
    except ValueError:
        raise SpendError(f"{where}, column day: {text!r} is no day such as 2026-03-31") from None
    return on.year * 12 + on.month - 1


def _minor(text: str, currency: str, where: str) -> int:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise SpendError(f"{where}, column spend: {text!r} is no amount such as 12.50") from None
    # Bounded before anything is made of it: 1e999999999 is a number too.
    if not amount.is_finite() or not 0 <= amount <= MINOR_MAX:
        raise SpendError(f"{where}, column spend: {text!r} is no amount of {currency} from zero on")
    minor = amount.scaleb(exponent(currency))
    if minor > MINOR_MAX or minor != minor.to_integral_value():
        raise SpendError(f"{where}, column spend: {text!r} is no amount of {currency} from zero on")
    return int(minor)
