"""The rules file under a running worker: read when it has settled, taken when good, shown with its place when bad."""

from pathlib import Path
from typing import ClassVar

import pytest
from typing_extensions import override

from profiles.book import Book
from profiles.definition import TriggerDefinition
from profiles.rules import TriggerRule
from profiles.triggers import BUILT_IN, CartAbandonedRule
from streams.book_files import BookError, load_book
from streams.health import RulesHealth, Watch
from streams.metrics import Metrics
from streams.rules_reload import RulesFile
from streams.setting_sections import Health
from streams.settings import build_settings

READ, REFUSED = "regulars_rules_read_total", "regulars_rules_refused"


class Shop:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "rules.toml"
        self.path.write_text('version = "one"\n')
        self.metrics = Metrics()
        settings = build_settings({"files": {"rules": str(self.path)}, "shop": {"currency": "EUR"}})
        self.subject = RulesFile(self.path, load_book(settings), self.metrics)

    def write(self, text: str) -> None:
        """Put another file in its place, as an editor or a mounted configuration does."""
        other = self.path.with_suffix(".new")
        other.write_text(text)
        other.replace(self.path)

    def look(self) -> bool:
        return self.subject.changed()

    def read(self) -> Book | None:
        assert not self.look()
        assert self.look()
        return self.subject.read()

    @property
    def refused(self) -> BookError | None:
        return self.subject.refused

    def shown(self, line: str) -> float:
        return self.metrics.value(REFUSED, file=str(self.path), line=line)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_nothing_is_read_while_nothing_changes(shop: Shop) -> None:
    assert [shop.look() for _ in range(3)] == [False, False, False]


def test_a_good_file_is_taken_and_all_else_of_the_book_stays(shop: Shop) -> None:
    shop.write('version = "two"\n[cart_abandoned]\ndelay = "4h"\n[segments.big]\nwhen = "profile.orders.count > 5"\n')
    book = shop.read()
    assert book is not None
    assert book.segments is not None

    assert (book.rules.version, book.shop_currency) == ("two", "EUR")
    assert book.rule(CartAbandonedRule).delay_ms == 4 * 3_600_000
    assert [segment.key for segment in book.segments.segments] == ["big"]
    assert shop.metrics.value(READ, result="taken") == 1
    assert not shop.look()


def test_a_file_that_is_still_being_written_is_left_alone(shop: Shop) -> None:
    with shop.path.open("a") as file:
        for part in ("[welcome]\n", "enabled = ", "false\n"):
            file.write(part)
            file.flush()
            assert not shop.look()

    assert shop.look()


def test_a_signal_needs_no_second_look(shop: Shop) -> None:
    assert not shop.subject.changed(at_once=True)
    shop.write('version = "two"\n')

    assert shop.subject.changed(at_once=True)


@pytest.mark.parametrize(
    "text, line, said",
    [
        ("# ours\n[welcom]\n", 2, "welcom: unknown key; did you mean 'welcome'?"),
        (
            '[segments.big]\nwhen = "profile.order.count > 1"\n',
            2,
            "there is no field `order` in `profile`; did you mean `orders`?",
        ),
        ("[segments.big]\nversion = 0\nwhen = 'true'\n", 2, "segments.big.version: expected a whole number from 1 on"),
        ("[costs]\nshiping = 1\n", 2, "costs.shiping: no such cost setting"),
        ("\n[[costs]]\nshipping_cost_minor = 1\n", 2, "costs: expected a table [costs]"),
        ("[welcome]\n[welcome]\n", 2, "welcome: stands twice, on line 1 and here"),
    ],
)
def test_a_bad_file_changes_nothing_and_is_shown_with_its_line(shop: Shop, text: str, line: int, said: str) -> None:
    shop.write(text)

    assert shop.read() is None
    assert shop.subject.book.rules.version == "one"
    assert shop.subject.refused is not None
    assert said in str(shop.subject.refused)
    assert shop.subject.refused.line == line
    assert shop.shown(str(line)) == 1
    assert shop.metrics.value(READ, result="refused") == 1

    shop.write('version = "three"\n')
    book = shop.read()

    assert book is not None
    assert book.rules.version == "three"
    assert shop.refused is None
    assert shop.shown(str(line)) == 0


def test_a_file_that_is_gone_is_bad_too(shop: Shop) -> None:
    shop.path.unlink()

    assert shop.read() is None
    assert "can't be read" in str(shop.subject.refused)


def test_health_is_degraded_while_the_file_is_bad_and_names_the_rules_in_force() -> None:
    watch = Watch(Health())
    watch.ready()
    watch.ruled(
        RulesHealth(version="one", digest="abc", refused="rules file r.toml, line 2: welcom: unknown key", line=2)
    )
    report = watch.report(0)

    assert (report.status, report.http_status) == ("degraded", 200)
    assert report.reasons == [
        "rules file r.toml, line 2: welcom: unknown key; the rules before it, 'one', stay in force"
    ]
    assert report.rules is not None
    assert report.rules.line == 2

    watch.ruled(RulesHealth(version="two", digest="def"))

    assert watch.report(0).status == "ok"


def test_a_topic_that_nobody_looked_for_at_the_start_is_no_topic_to_publish_to(shop: Shop) -> None:
    shop.write('[welcome]\ntopic = "triggers-welcome"\n')

    assert shop.read() is None
    assert "triggers-welcome" in str(shop.refused)
    assert "regulars topics create" in str(shop.refused)


class Picky(TriggerDefinition[TriggerRule]):
    """A trigger of a package, which fails on some rules."""

    name = "shop.picky"

    class rule_type(TriggerRule, frozen=True, kw_only=True):  # noqa: N801 -- it is the attribute
        trigger: ClassVar[str] = "shop.picky"

    @override
    def applies(self, book: Book) -> bool:
        return 1 / (book.rules.caps.max_in_day - 1) > 0


def test_rules_on_which_a_trigger_of_a_package_fails_are_refused(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.book_files.all_triggers", lambda: (*BUILT_IN, Picky()))
    shop.write('version = "two"\n[caps]\nmax_in_day = 1\n')

    assert shop.read() is None
    assert "shop.picky.applies raises ZeroDivisionError" in str(shop.refused)
    assert "[shop_picky]" in str(shop.refused)
    assert shop.subject.book.rules.version == "one"
