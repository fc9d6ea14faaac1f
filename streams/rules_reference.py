"""The reference of triggers and rules, made from the code: `deploy/rules.toml` with every default, and docs pages.

The comment of each rule is the text that stands under its field where it is defined, so there is one place to write it.
"""

import ast
import inspect
import sys
from functools import cache
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import FieldInfo, fields

from profiles import gates
from profiles.rules import Rules, format_duration, key_of, table_of
from profiles.triggers import BUILT_IN

HEADER = """\
# Every rule of Regulars with its default. Copy what you change into a file of your own and name it in the settings
# (files.rules); what you leave out keeps its default. Durations are a number with a unit: ms, s, min, h, d.
"""


@cache
def _notes(module: str) -> dict[str, dict[str, str]]:
    """The text under each field of a module's classes, by class name and field name."""
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(inspect.getsource(sys.modules[module])).body:
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
    for base in kind.__mro__:
        if issubclass(base, Struct) and base is not Struct:
            texts = _notes(base.__module__).get(base.__name__, {})
            if name in texts:
                return texts[name]
    return ""


def _toml(value: Any, name: str) -> str:
    if name.endswith("_ms"):
        return f'"{format_duration(value)}"'
    return msgspec.json.encode(value).decode()


def _general() -> list[FieldInfo]:
    return [field for field in fields(Rules) if field.name != "triggers"]


def _is_table(field: FieldInfo) -> bool:
    return isinstance(field.type, type) and issubclass(field.type, Struct)


def _about(kind: type[Struct]) -> str:
    return " ".join((kind.__doc__ or "").split())


def rules_toml() -> str:
    """The reference rules document: every rule with its default and a comment."""
    lines, defaults = [HEADER], Rules()
    for field in _general():
        if not _is_table(field):
            value = getattr(defaults, field.name)
            lines += [f"# {note_of(Rules, field.name)}", f"{key_of(field)} = {_toml(value, field.name)}"]
    tables = [(field.name, getattr(defaults, field.name)) for field in _general() if _is_table(field)]
    tables += [(table_of(definition.name), definition.rule_type()) for definition in BUILT_IN]
    for name, table in tables:
        kind = type(table)
        lines += ["", f"# {_about(kind)}", f"[{name}]"]
        for field in fields(kind):
            lines += [
                f"# {note_of(kind, field.name)}",
                f"{key_of(field)} = {_toml(getattr(table, field.name), field.name)}",
            ]
    return "\n".join(lines) + "\n"


def _table(name: str, kind: type[Struct]) -> list[str]:
    default = kind()
    return [
        "| rule | default | meaning |",
        "|---|---|---|",
        *(
            f"| `{name}.{key_of(field)}` | `{_toml(getattr(default, field.name), field.name)}` "
            f"| {note_of(kind, field.name)} |"
            for field in fields(kind)
        ),
    ]


def triggers_page() -> str:
    """docs/reference/triggers.md: each built-in trigger, its rules, and why one may not be sent."""
    lines = [
        "# Triggers",
        "",
        "Generated from the code; every number is a rule in the rules document (`deploy/rules.toml` holds all defaults).",
    ]
    lines += ["", "## For all triggers", "", "| rule | default | meaning |", "|---|---|---|"]
    defaults = Rules()
    lines += [
        f"| `{key_of(field)}` | `{_toml(getattr(defaults, field.name), field.name)}` | {note_of(Rules, field.name)} |"
        for field in _general()
        if not _is_table(field)
    ]
    for field in _general():
        if _is_table(field):
            lines += ["", f"### {field.name}", "", _about(field.type), "", *_table(field.name, field.type)]
    for definition in BUILT_IN:
        kind = definition.rule_type
        lines += ["", f"## {definition.name}", "", _about(kind), "", *_table(table_of(definition.name), kind)]
        if definition.reasons:
            lines += ["", "| reason of its own | meaning |", "|---|---|"]
            lines += [f"| `{reason}` | {meaning} |" for reason, meaning in definition.reasons.items()]
    lines += ["", "## Why a trigger was held back", "", "| reason | meaning |", "|---|---|"]
    lines += [f"| `{reason}` | {meaning} |" for reason, meaning in gates.REASONS.items()]
    lines += ["", "## Why an episode ended without a message", "", "| reason | meaning |", "|---|---|"]
    own = {reason: meaning for definition in BUILT_IN for reason, meaning in definition.reasons.items()}
    lines += [f"| `{reason}` | {meaning} |" for reason, meaning in {**gates.END_REASONS, **own}.items()]
    return "\n".join(lines) + "\n"
