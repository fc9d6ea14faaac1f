"""What the engine makes of a simulated shop's events: `regulars replay` as a shop would run it."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from streams import cli


def replayed(folder: Path, lines: Iterable[str], rules: str, until_ms: int, *options: str) -> Path:
    """Play the events, a line each, in a folder of the test; gives the one with what came of them. `until_ms` is where time ends:
    the events may lie ahead of today.
    """
    (folder / "events.jsonl").write_text("".join(line + "\n" for line in lines))
    (folder / "rules.toml").write_text(rules)
    code = cli.run(
        [
            *("replay", str(folder / "events.jsonl"), "--out", str(folder / "out")),
            *("--rules", str(folder / "rules.toml"), "--clock-disorder-ms", "0"),
            *("--until", datetime.fromtimestamp(until_ms / 1000, UTC).isoformat(), *options),
        ]
    )
    assert code == 0
    return folder / "out"


def records(path: Path) -> list[dict[str, Any]]:
    """A file of what came of them."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def catalogue(folder: Path, column: str, rows: dict[str, Any]) -> tuple[str, str]:
    """Options for a catalogue that says one thing of products."""
    text = "".join(f"{product},{value}\n" for product, value in rows.items())
    (folder / "catalogue.csv").write_text(f"product_id,{column}\n{text}")
    return "--catalogue", str(folder / "catalogue.csv")
