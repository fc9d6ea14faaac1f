"""Writes the reference, all of it made from the code: `python -m streams.reference`, or `--check` to only compare.

`PAGES` is the table of every generated file. A new page is a function without arguments that returns its text, and a
line there; the test that compares them with what lies in the tree then covers it too.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from schemas import reference
from schemas.source_reference import sources_page
from streams import operation_reference
from streams.conditions_reference import conditions_page
from streams.rules_reference import rules_toml, triggers_page
from streams.serve import openapi

ROOT = Path(__file__).resolve().parent.parent
"""The project's folder: generated files lie in the tree, beside the code."""


def _json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def _schema(name: str) -> Callable[[], str]:
    return lambda: _json(reference.json_schemas()[name])


PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/events.md": reference.events_page,
    "docs/reference/sources.md": sources_page,
    "docs/reference/triggers.md": triggers_page,
    "docs/reference/conditions.md": conditions_page,
    "docs/reference/rejected-reasons.md": reference.reasons_page,
    "docs/reference/topics.md": operation_reference.topics_page,
    "docs/reference/settings.md": operation_reference.settings_page,
    "docs/reference/metrics.md": operation_reference.metrics_page,
    "docs/reference/errors.md": operation_reference.errors_page,
    "docs/reference/redis-keys.md": operation_reference.redis_keys_page,
    "docs/reference/http-refusals.md": operation_reference.refusals_page,
    "docs/reference/openapi.json": lambda: _json(openapi.document()),
    "docs/reference/asyncapi.json": lambda: _json(reference.asyncapi()),
    **{f"docs/reference/schema/{name}.schema.json": _schema(name) for name in reference.json_schemas()},
    "deploy/rules.toml": rules_toml,
}
"""Path from the project's folder, and the function that makes the file's text."""


def write(root: Path = ROOT) -> list[str]:
    """Write every page whose text differs from what lies there; the paths written."""
    changed = stale(root)
    for path in changed:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(PAGES[path](), encoding="utf-8")
    return changed


def stale(root: Path = ROOT) -> list[str]:
    """Paths of pages that are missing or are not what the code says."""
    return [path for path, page in PAGES.items() if _text(root / path) != page()]


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def main(arguments: list[str]) -> int:
    """Write the reference, or with `--check` name what is out of date. The exit status: 0, or 1 with something stale."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python -m streams.reference [--check]\n")
        return 2
    if arguments:
        found = stale()
        for path in found:
            sys.stderr.write(f"{path} is not what the code says. Run: make reference\n")
        return 1 if found else 0
    for path in write():
        sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
