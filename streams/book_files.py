"""The shop's documents, read once at start: rules (TOML), catalogue and exchange rates make the book, and options of sources
(TOML) the adapters of the decoder.

A catalogue or a table of rates is CSV (lines that begin with # are comments) or JSON lines (`.jsonl`, `.ndjson`).
The rules document may hold a table [costs] beside the triggers (see `profiles.costs`), and tables of segments
([segments.big_spenders], see `profiles.segments`).
"""

import csv
import logging
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from profiles.book import Book
from profiles.catalogue import COLUMNS, Catalogue, CatalogueError, build_catalogue
from profiles.conditions import Conditions, compile_conditions, visitors_kept
from profiles.costs import Costs, CostsError, build_costs
from profiles.expressions.errors import ExpressionError
from profiles.expressions.source import Source
from profiles.models import Models, decode_models
from profiles.rates import Rates, RatesError, build_rates
from profiles.rules import Rules, RulesError, read_rules, table_of
from profiles.segments import Segments
from profiles.value.model import ModelError
from schemas.adapters import ADAPTERS, OptionsError, configured
from schemas.adapters.adapter import Adapter
from schemas.decode import Decoder
from schemas.money import exponent
from schemas.nearest import nearest
from schemas.times import INSTANT_MAX_MS
from streams.blame import is_built_in
from streams.model_source import in_currency
from streams.protection import load_protection
from streams.settings import Settings
from streams.tracking_plan import load_plan
from streams.trigger_registry import all_triggers

_log = logging.getLogger(__name__)


class BookError(ValueError):
    """A document of the shop can't be used. The message names file, place and remedy; nothing was started.

    `line` is where in the file it is, None where that can't be told. Operator action: mend the file at the place named.
    """

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class RulesRead(Struct, frozen=True, kw_only=True):
    """What stands in a rules document."""

    rules: Rules = Rules()
    costs: Costs = msgspec.field(default_factory=Costs)
    conditions: Conditions = {}
    segments: Segments | None = None


def load_book(settings: Settings) -> Book:
    """The book of an installation. Raises BookError."""
    files, shop = settings.files, settings.shop
    read = read_rules_file(Path(files.rules)) if files.rules else RulesRead()
    book = Book(
        shop_id=shop.id,
        shop_currency=shop.currency,
        shop_timezone=shop.timezone,
        rules=read.rules,
        costs=read.costs,
        conditions=read.conditions,
        segments=read.segments,
        rates=read_rates_file(Path(files.rates), shop.currency) if files.rates else Rates(),
        catalogue=read_catalogue_file(Path(files.catalogue), shop.currency) if files.catalogue else Catalogue(),
        models=in_currency(read_models_file(Path(files.models)), shop.currency) if files.models else Models(),
    )
    check_applies(book, files.rules)
    return book


def check_applies(book: Book, rules: str) -> None:
    """Ask the triggers of packages whether they can do anything under a book whose rules stand in this file.

    Raises BookError for one that fails on it: no worker could start, or go on, by these rules.
    """
    for trigger in all_triggers():
        if not is_built_in(trigger):
            try:
                trigger.applies(book)
            except Exception as error:
                where = f"the rules file {rules}" if rules else "the rules as they are by default"
                raise BookError(
                    f"{trigger.name}.applies raises {type(error).__name__} ({error}) under {where}: "
                    f"mend the trigger, or what stands in [{table_of(trigger.name)}]"
                ) from error


def load_adapters(settings: Settings) -> tuple[Adapter, ...]:
    """The sources an installation takes, with the options of its document. Raises BookError."""
    if not settings.files.sources:
        return ADAPTERS
    path = Path(settings.files.sources)
    try:
        return configured(tomllib.loads(_text(path)))
    except (tomllib.TOMLDecodeError, OptionsError) as error:
        raise BookError(f"sources file {path}: {error}") from None


def make_decoder(settings: Settings, latest_ms: int = INSTANT_MAX_MS) -> Decoder:
    """The decoder of an installation: its sources, its limits, its tracking plan. Events after `latest_ms` are set aside. Raises
    BookError, PlanError, SettingsError for a key file that is none.
    """
    plan = load_plan(settings.files.tracking_plan)
    return Decoder(
        settings.shop.currency,
        settings.limits.record_bytes,
        adapters=load_adapters(settings),
        plan=None if plan is None else plan.check,
        phone_region=settings.shop.phone_region,
        protector=load_protection(settings),
        fold_emails=settings.shop.fold_emails,
        latest_ms=latest_ms,
    )


def read_rules_file(path: Path) -> RulesRead:
    """Rules, costs and segments of a rules document. Raises BookError."""
    text = _text(path)
    document = _toml(path, text)
    try:
        costs = document.pop("costs", {})
        if not isinstance(costs, dict):
            raise RulesError("costs", f"expected a table [costs], got {costs!r}")
        tables = document.pop("segments", {})
        rules = read_rules(document, (trigger.rule_type for trigger in all_triggers()))
        if "visitors" not in document:
            rules = visitors_kept(rules)
        conditions, segments = compile_conditions(rules, tables, Source(text, str(path)))
        return RulesRead(rules=rules, costs=build_costs(costs), conditions=conditions, segments=segments)
    except RulesError as error:
        raise _in_rules(path, error, line_of(text, error.path)) from None
    except CostsError as error:
        raise _in_rules(path, f"costs.{error}", line_of(text, f"costs.{str(error).partition(':')[0]}")) from None
    except ExpressionError as error:
        if error.line is not None:  # it names file and line itself
            raise BookError(f"rules file {error}", error.line) from None
        raise _in_rules(path, error, line_of(text, error.path)) from None


def _toml(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _no_toml(path, text, error) from None
    except ValueError:  # of Python's own: a number of more than 4,300 digits
        line = next((number for number, line in enumerate(text.split("\n"), 1) if _ENDLESS.search(line)), None)
        raise _in_rules(path, "a number of thousands of digits", line) from None
    except RecursionError:
        raise BookError(f"rules file {path}: brackets are nested more deeply than any rule needs") from None


def _in_rules(path: Path, error: object, line: int | None) -> BookError:
    return BookError(f"rules file {path}{f', line {line}' if line else ''}: {error}", line)


def line_of(text: str, path: str) -> int | None:
    """The line of a TOML document at which a key stands, named by its path ("cart_abandoned.delay"); None if not found.

    >>> line_of('[cart_abandoned]' + chr(10) + 'delay = "x"', "cart_abandoned.delay")
    2
    """
    nearest = below = None
    for number, place in _places(text):
        if place == path:
            return number
        if path.startswith(f"{place}."):  # it stands in an inline table or below this header
            nearest = number
        elif below is None and place.startswith(f"{path}."):  # no header of its own, only one below it
            below = number
    return below if nearest is None else nearest


def _places(text: str) -> Iterator[tuple[int, str]]:
    """Each line that begins a table or a key, with its path. What stands in a text over several lines is neither."""
    table = closing = ""
    for number, line in enumerate(text.split("\n"), 1):
        if closing:
            closing = "" if closing in line else closing
        elif header := _HEADER.match(line):
            table = _plain(header[1]) + "."
            yield number, table[:-1]
        elif pair := _KEY.match(line):
            yield number, table + _plain(pair[1])
            opened = line[pair.end() : pair.end() + 3]
            if opened in _LONG and opened not in line[pair.end() + 3 :]:
                closing = opened


def _plain(written: str) -> str:
    """A key as errors name it: without its quotation marks and what is between its parts.

    >>> _plain("repurchase . by_key.'tea/green leaf'")
    'repurchase.by_key.tea/green leaf'
    """
    return ".".join(part.strip("\"'") for part in _PART.findall(written))


def _no_toml(path: Path, text: str, error: tomllib.TOMLDecodeError) -> BookError:
    """What is wrong with a document that is not even TOML; that a name stands twice is said with both its lines."""
    at = _TOML_PLACE.search(str(error))
    if at is None:  # at the end of the document
        return _in_rules(path, error, text.count("\n") + 1)
    line = int(at[1])
    if str(error).startswith(_TWICE):
        # What is found twice is complained of at the end of its value, which may be lines below.
        until = [(number, place) for number, place in _places(text) if number <= line]
        second, here = until[-1] if until else (line, "")
        for first, place in until[:-1]:
            if place == here or place.startswith(f"{here}."):
                twice = f"{here}: stands twice, on line {first} and here; give it one place or two names"
                return _in_rules(path, twice, second)
    shown = text.split("\n")[line - 1].strip()
    return BookError(f"rules file {path}: {error}\n    {shown[:_SHOWN]}\n  {_QUOTED}", line)


_SHOWN: Final = 100
_QUOTED: Final = (
    'Durations, times of day and all other texts stand in quotation marks ("4h"), numbers and true and false do not'
)
_TOML_PLACE: Final = re.compile(r"at line (\d+), column")
_ENDLESS: Final = re.compile(r"[\d_]{4000}")
_TWICE: Final = ("Cannot", "Duplicate")
_HEADER: Final = re.compile(r"\s*\[{1,2}((?:\"[^\"]*\"|'[^']*'|[^\]\"'])+)\]")
_KEY: Final = re.compile(r"\s*((?:\"[^\"]*\"|'[^']*'|[\w\-. ])+?)\s*=\s*")
_PART: Final = re.compile(r"\"[^\"]*\"|'[^']*'|[\w\-]+")
_LONG: Final = ('"""', "'''")


def read_catalogue_file(path: Path, shop_currency: str) -> Catalogue:
    """A catalogue from CSV or JSON lines. Raises BookError. What looks like a misspelt column is a warning in the log: an export
    may hold columns of its own.
    """
    columns: set[str] = set()
    try:
        catalogue = build_catalogue(_noting(columns, _rows(path)), exponent(shop_currency))
    except CatalogueError as error:
        raise BookError(f"catalogue {path}: {error}") from None
    for column in sorted(columns.difference(COLUMNS)):
        if meant := nearest(column, set(COLUMNS) - columns, _MISSPELT):
            _log.warning("catalogue %s: column %r is not read; did you mean %r?", path, column, meant)
    return catalogue


_MISSPELT: Final = 0.8


def _noting(columns: set[str], rows: Iterator[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for row in rows:
        columns.update(row)
        yield row


def read_rates_file(path: Path, shop_currency: str) -> Rates:
    """Exchange rates into the shop currency from CSV or JSON lines. Raises BookError."""
    try:
        return build_rates(_rows(path), shop_currency, exponent)
    except RatesError as error:
        raise BookError(f"rates {path}: {error}") from None


def read_models_file(path: Path) -> Models:
    """Models from the document of a fit. Raises BookError."""
    try:
        return decode_models(_text(path).encode())
    except ModelError as error:
        raise BookError(f"models {path}: {error}") from None


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    lines = [line for line in _text(path).splitlines() if line.strip() and not line.startswith("#")]
    if path.suffix not in {".jsonl", ".ndjson", ".json"}:
        if lines and ";" in lines[0] and "," not in lines[0]:
            raise BookError(f"{path}: columns are separated by commas, not by semicolons; save it as CSV with commas")
        for number, row in enumerate(csv.DictReader(lines, restkey=_SURPLUS), 1):
            if any(row.pop(_SURPLUS, ())):
                raise BookError(
                    f"{path}, row {number}: more cells than columns; a text with a comma stands in quotation marks"
                )
            yield row
        return
    for number, line in enumerate(lines, 1):
        try:
            yield msgspec.json.decode(line, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise BookError(f"{path}, line {number}: {error}") from None


_SURPLUS: Final = "~surplus"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BookError(f"{path} can't be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise BookError(f"{path}, line {line}: this is not UTF-8 text; save the file as UTF-8", line) from None
