"""The documentation says what is true: links lead somewhere, commands, settings, metrics and triggers exist, examples run."""

import base64
import csv
import os
import re
import shlex
import sqlite3
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from profiles.catalogue import build_catalogue
from profiles.expressions.source import Source
from profiles.gates import REASONS
from profiles.rules import read_rules
from profiles.segments import Segments
from profiles.triggers import BY_NAME, RULE_TYPES
from schemas import events
from schemas.adapters import ADAPTERS, configured
from schemas.decode import Decoder
from schemas.events import Arrival
from schemas.topics import TOPICS
from schemas.trust import SERVER_ONLY
from streams.cli import COMMANDS, cli
from streams.metrics import METRICS
from streams.protection import Protection
from streams.settings import ENTRY_SETTINGS, SETTINGS, build_settings

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    if "reference" not in path.relative_to(ROOT).parts
)
OUTCOMES = {"trigger.cancelled", "trigger.converted", "cart.recovered"}
SOURCES = {adapter.name for adapter in ADAPTERS}
SECTIONS = {setting.path.partition(".")[0] for setting in (*SETTINGS, *ENTRY_SETTINGS)}
ENTRY_VARIABLES = re.compile("|".join(setting.env.replace("<NAME>", "[A-Z0-9_]+") for setting in ENTRY_SETTINGS))
NO_SETTINGS = {"REGULARS_CONFIG"}
"""Variables that name no setting but where the settings are."""


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language on a page; blocks inside lists are taken without their indentation."""
    found = re.findall(rf"^( *)```{re.escape(language)}\n(.*?)^ *```", page.read_text(), re.MULTILINE | re.DOTALL)
    return ["".join(line.removeprefix(indent) for line in text.splitlines(keepends=True)) for indent, text in found]


def inline_code(page: Path) -> list[str]:
    """What stands between single backticks, outside of blocks."""
    outside = re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`\n]+)`", outside)


def every_command() -> Iterator[tuple[str, str]]:
    """(page, command line) of every `regulars ...` in a shell block or in running text."""
    for page in PAGES:
        shell = [line for block in blocks(page, "bash") for line in block.splitlines()]
        for text in [*shell, *inline_code(page)]:
            for part in re.split(r"\||&&|;", text):
                if part.strip().startswith("regulars "):
                    yield page.name, part.strip().removesuffix("...").strip()


def on_every_page(test: Any) -> Any:
    return pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))(test)


@on_every_page
def test_every_link_leads_to_a_page_that_exists(page: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    missing = [
        target
        for target in targets
        if not target.startswith(("http://", "https://", "#")) and not (page.parent / target.partition("#")[0]).exists()
    ]

    assert missing == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        for target in re.findall(r"\]\(([^)\s:]+)\)", page.read_text()):
            path = Path(os.path.normpath(page.parent / target.partition("#")[0]))
            found = path / "README.md" if path.is_dir() else path
            if found.suffix == ".md" and found.exists() and found not in reached:
                waiting.append(found)

    assert set(PAGES) - reached == set()


@pytest.mark.parametrize(("page", "line"), sorted(set(every_command())))  # noqa: PT006 - pairs read better so
def test_every_command_and_flag_that_is_named_exists(page: str, line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    command: click.Command = cli
    context = click.Context(cli)
    flags: list[str] = []
    for word in words:
        if word.startswith("--"):
            flags.append(word.partition("=")[0])
        elif isinstance(command, click.Group):
            inner = command.get_command(context, word)
            if inner is None and word == "offsets|feed":
                continue
            assert inner is not None, f"{page}: there is no command `{line}`"
            command, context = inner, click.Context(inner, parent=context)
    if command.name == "services":
        return
    known = {
        option for parameter in command.get_params(context) for option in (*parameter.opts, *parameter.secondary_opts)
    }

    assert set(flags) - known == set(), f"{page}: `{line}` has flags that do not exist"


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named: set[str] = set()
    for page in PAGES:
        for text in [*(line for block in blocks(page, "bash") for line in block.splitlines()), *inline_code(page)]:
            if text.startswith("make "):
                named.update(word for word in text.partition("#")[0].split()[1:] if "=" not in word)

    assert named - targets == set()


@on_every_page
def test_every_setting_that_is_named_exists(page: Path) -> None:
    paths = {setting.path for setting in SETTINGS}
    variables = {setting.env for setting in SETTINGS} | NO_SETTINGS
    named = {code for code in inline_code(page) if re.fullmatch(rf"({'|'.join(sorted(SECTIONS))})\.[a-z_]+", code)}

    assert named - paths == set()
    said = set(re.findall(r"REGULARS_[A-Z_]+", page.read_text())) - variables
    assert {variable for variable in said if not ENTRY_VARIABLES.fullmatch(variable)} == set()


@on_every_page
def test_every_example_of_settings_rules_and_sources_is_accepted(page: Path) -> None:
    for text in blocks(page, "toml"):
        document = tomllib.loads(text)
        if set(document) <= SECTIONS:
            build_settings(document)
        elif set(document) <= SOURCES:
            configured(document)
        else:
            Segments.compile({"segments": document.pop("segments", {})}, Source(text, page.name))
            read_rules(document, RULE_TYPES)


@on_every_page
def test_every_metric_that_is_named_exists(page: Path) -> None:
    named = set(re.findall(r"regulars_[a-z_]+", page.read_text()))

    assert named - {metric.name for metric in METRICS} == set()


@on_every_page
def test_every_trigger_that_is_named_exists(page: Path) -> None:
    families = "|".join(sorted({name.partition(".")[0] for name in (*BY_NAME, *OUTCOMES) if "." in name}))
    named = {code for code in inline_code(page) if re.fullmatch(rf"({families})\.[a-z]+", code)}

    assert named - set(BY_NAME) - OUTCOMES == set()


def test_every_trigger_is_told_where_triggers_are_configured() -> None:
    codes = inline_code(ROOT / "docs/how-to/configure-a-trigger.md")

    assert set(BY_NAME) - set(codes) == set()
    assert set(REASONS) - set(codes) == set()


def test_every_rule_that_the_list_of_triggers_names_is_one_of_that_trigger() -> None:
    rules = tomllib.loads((ROOT / "deploy/rules.toml").read_text())
    page = (ROOT / "docs/how-to/configure-a-trigger.md").read_text()
    for table, fires_when in re.findall(r"^\| `.*` \| `\[([a-z_]+)\]`.* \| (.*) \|$", page, re.MULTILINE):
        named = set(re.findall(r"(?<!trait )`([a-z_]+)`", fires_when))

        assert named - set(rules[table]) == set(), f"[{table}] has no such rules"


def test_every_event_that_a_client_key_may_not_send_is_told() -> None:
    told_as_one = events.Aliased | events.MessageEvent | events.ShopEvent | events.CommandEvent
    one_by_one = {str(kind.__struct_config__.tag) for kind in SERVER_ONLY if not issubclass(kind, told_as_one)}
    page = (ROOT / "docs/explanation/trust-model.md").read_text()

    assert {name for name in one_by_one if name not in page} == set()


def test_every_topic_is_in_the_list_of_rights() -> None:
    assert {topic.name for topic in TOPICS} - set(inline_code(ROOT / "docs/how-to/secure-connections.md")) == set()


def test_the_overview_of_commands_misses_none() -> None:
    named = {line.split()[1] for _, line in every_command() if len(line.split()) > 1}

    assert set(COMMANDS) - named - {"demo", "services"} == set()


@on_every_page
def test_every_python_example_is_python_and_those_marked_run_hold(
    page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for text in blocks(page, "python"):
        compile(text, str(page), "exec")
    for text in blocks(page, "python run"):
        exec(compile(text, str(page), "exec"), {"__name__": "example"})


@on_every_page
def test_every_event_example_is_an_event(page: Path) -> None:
    for text in blocks(page, "json"):
        for line in text.splitlines():
            decoded = Decoder("EUR").decode(line.encode(), 1_767_261_600_000)

            assert isinstance(decoded, Arrival), decoded


def test_both_forms_of_the_example_event_say_the_same() -> None:
    canonical, segment = (
        Decoder("EUR").decode(text.encode(), 1_767_261_600_000)
        for text in blocks(ROOT / "docs/how-to/replay-your-own-export.md", "json")
    )

    assert canonical == segment


def test_both_forms_of_the_example_of_consent_say_the_same() -> None:
    (lines,) = (
        text for text in blocks(ROOT / "docs/how-to/connect-your-tracker.md", "json") if "Consent Changed" in text
    )
    call, canonical = (Decoder("EUR").decode(line.encode(), 0) for line in lines.splitlines())

    assert isinstance(call, Arrival)
    assert isinstance(canonical, Arrival)
    assert call.event.consent == canonical.event.consent


@on_every_page
def test_every_catalogue_example_is_accepted(page: Path) -> None:
    for text in blocks(page, "csv"):
        assert build_catalogue(csv.DictReader(text.splitlines())).products


def test_the_subscriber_of_the_how_to_acts_once_for_each_trigger() -> None:
    (text,) = (
        block for block in blocks(ROOT / "docs/how-to/subscribe-to-triggers.md", "python") if "act_once" in block
    )
    example: dict[str, Any] = {"__name__": "example"}
    exec(compile(text, "subscriber", "exec"), example)
    store: sqlite3.Connection = example["open_store"](":memory:")

    assert [example["act_once"](store, trigger_id, {"name": "welcome"}) for trigger_id in ("t1", "t2", "t1")] == [
        True,
        True,
        False,
    ]
    assert store.execute("SELECT count(*) FROM queue").fetchone() == (2,)
    store.close()


def test_the_token_of_the_how_to_is_that_of_the_installation() -> None:
    (text,) = blocks(ROOT / "docs/how-to/protect-contact-data.md", "python")
    example: dict[str, Any] = {"__name__": "example"}
    exec(compile(text, "token", "exec"), example)
    key = bytes(range(32))
    keys = Protection(key, [bytes(range(64))])

    for kind, value in (("email", "ann@example.org"), ("phone", "+41446681800"), ("id", "Ann@example.org")):
        assert example["token"](base64.b64encode(key).decode(), kind, value) == keys.token(kind, value)


def test_documentation_stands_on_its_own() -> None:
    """No page sends a reader to a document that is not part of the project."""
    for page in PAGES:
        text = page.read_text()

        assert "shared/" not in text
        assert not re.search(r"\b(DESIGN|EVENTS|TRIGGERS|LTV|STYLE)\.md\b", text)
