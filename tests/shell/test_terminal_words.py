"""What customers said is shown on a terminal and never obeyed by it: no control sequences, no markup."""

from io import StringIO

import msgspec
import pytest
from rich.table import Table

from streams.commands.display import Words, plain
from streams.commands.tail import readable

ESCAPES = "\x1b]0;owned\x07 \x9b2J \r\nsecond line \u202eevil"
TOLD = r"\u001b]0;owned\u0007 \u009b2J \u000d\u000asecond line \u202eevil"
OBEYED = ("\x1b", "\x07", "\x9b", "\r", "\u202e")


def test_what_a_terminal_would_obey_is_told_as_json_tells_it() -> None:
    assert plain(ESCAPES) == TOLD
    assert plain("Zoë's tea 茶 🍵 100 % [bold]") == "Zoë's tea 茶 🍵 100 % [bold]"
    assert msgspec.json.decode(f'"{plain(ESCAPES)}"') == ESCAPES


def test_a_products_name_is_one_line_of_tail() -> None:
    record = {
        "name": "cart.abandoned",
        "emitted_at_ms": 0,
        "customer": {"id": "user_id:7"},
        "items": [{"name": ESCAPES}],
    }

    assert TOLD in readable(msgspec.json.encode(record))


@pytest.mark.parametrize("words", ["[/nothing]", "[red]sale[/red]", ":smile:", "tea [1 kg]"])
def test_words_in_a_table_are_no_markup(words: str) -> None:
    shown = StringIO()
    table = Table("channel")
    table.add_row(words)

    Words(file=shown, width=80).print(table)

    assert words in shown.getvalue()


def test_words_in_a_line_of_a_report_are_not_obeyed() -> None:
    shown = StringIO()

    Words(file=shown, width=200).print(f"a channel {ESCAPES}\n")

    assert not any(sign in shown.getvalue() for sign in OBEYED)
