"""The reference of triggers and rules, made from the code: `deploy/rules.toml` with every default, and docs pages.

The comment of each rule is the text that stands under its field in `profiles.rules`, so there is one place to write it.
"""

import ast
import inspect
from typing import Any

from msgspec import Struct
from msgspec.structs import fields

from profiles import gates, rules
from profiles.rules import Rules, TriggerRule, format_duration, key_of
from profiles.triggers import BUILT_IN

HEADER = """\
# Every rule of Regulars with its default. Copy what you change into a file of your own and name it in the settings
# (files.rules); what you leave out keeps its default. Durations are a number with a unit: ms, s, min, h, d.
"""


def notes() -> dict[str, dict[str, str]]:
    """The text under each field, by class name and field name."""
    tree = ast.parse(inspect.getsource(rules))
    found: dict[str, dict[str, str]] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            texts = found.setdefault(node.name, {})
            for field, text in zip(node.body, node.body[1:], strict=False):
                if (
                    isinstance(field, ast.AnnAssign)
                    and isinstance(field.target, ast.Name)
                    and isinstance(text, ast.Expr)
                    and isinstance(text.value, ast.Constant)
                ):
                    texts[field.target.id] = " ".join(str(text.value.value).split())
    return found


def note_of(kind: type[Struct], name: str) -> str:
    """The text of a field, looked up through the base classes."""
    texts = notes()
    for base in kind.__mro__:
        if name in texts.get(base.__name__, {}):
            return texts[base.__name__][name]
    return ""


def _toml(value: Any, name: str) -> str:
    if name.endswith("_ms"):
        return f'"{format_duration(value)}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    return str(value)


def rules_toml(defaults: Rules | None = None) -> str:
    """The reference rules document: every rule with its default and a comment."""
    defaults = defaults or Rules()
    lines = [HEADER]
    tables: list[tuple[str, TriggerRule]] = []
    for field in fields(Rules):
        value = getattr(defaults, field.name)
        if isinstance(value, TriggerRule):
            tables.append((field.name, value))
        else:
            lines += [f"# {note_of(Rules, field.name)}".rstrip(), f"{key_of(field)} = {_toml(value, field.name)}"]
    for name, table in tables:
        lines += ["", f"# {' '.join((type(table).__doc__ or '').split())}", f"[{name}]"]
        for field in fields(table):
            lines += [
                f"# {note_of(type(table), field.name)}",
                f"{key_of(field)} = {_toml(getattr(table, field.name), field.name)}",
            ]
    return "\n".join(lines) + "\n"


def triggers_page() -> str:
    """docs/reference/triggers.md: each built-in trigger, its rules, and why one may not be sent."""
    lines = [
        "# Triggers",
        "",
        "Generated from the code; every number is a rule in the rules document (`deploy/rules.toml` holds all defaults).",
    ]
    defaults = Rules()
    for definition in BUILT_IN:
        name = definition.name.replace(".", "_")
        rule = getattr(defaults, name)
        lines += ["", f"## {definition.name}", "", " ".join((type(rule).__doc__ or "").split()), ""]
        lines += ["| rule | default | meaning |", "|---|---|---|"]
        lines += [
            f"| `{name}.{key_of(field)}` | `{_toml(getattr(rule, field.name), field.name)}` "
            f"| {note_of(type(rule), field.name)} |"
            for field in fields(rule)
        ]
    lines += ["", "## Why a trigger was held back", "", "| reason | meaning |", "|---|---|"]
    lines += [f"| `{reason}` | {meaning} |" for reason, meaning in gates.REASONS.items()]
    lines += ["", "## Why an episode ended without a message", "", "| reason | meaning |", "|---|---|"]
    lines += [f"| `{reason}` | {meaning} |" for reason, meaning in gates.END_REASONS.items()]
    return "\n".join(lines) + "\n"
