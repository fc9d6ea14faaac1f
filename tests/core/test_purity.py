"""`schemas` and `profiles` see nothing of the world: same arguments in, same results out, on every machine, for ever.

The direction of imports is checked by import-linter. This reads the source for what an import can't show: calls that
look at the clock, open files, print, or depend on the process (the hash of a string differs from run to run).
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = sorted([*(ROOT / "schemas").rglob("*.py"), *(ROOT / "profiles").rglob("*.py")])

FORBIDDEN_MODULES = frozenset(
    {
        "asyncio",
        "ctypes",
        "glob",
        "http",
        "importlib",
        "io",
        "locale",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "platform",
        "random",
        "secrets",
        "select",
        "shutil",
        "signal",
        "socket",
        "sqlite3",
        "ssl",
        "subprocess",
        "sys",
        "tempfile",
        "threading",
        "time",
        "urllib",
        "uuid",
        "warnings",
        "weakref",
    }
)
# Parts of a forbidden module that compute and no more.
PURE_PARTS = {"sys": {"intern", "maxsize"}, "uuid": {"UUID", "uuid3", "uuid5"}, "urllib.parse": None}
FORBIDDEN_CALLS = frozenset({"__import__", "breakpoint", "eval", "exec", "hash", "id", "input", "open", "print"})
CLOCK_METHODS = frozenset({"now", "utcnow", "today", "localtime"})
# `fromtimestamp(x)` without a zone reads the machine's.
NEEDS_ZONE = "fromtimestamp"


def impurities(source: str) -> list[str]:
    """Every place in `source` that reaches outside its arguments, as "line N: what"."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        what: str | None = None
        match node:
            case ast.Import(names=names):
                bad = [alias.name for alias in names if alias.name.split(".")[0] in FORBIDDEN_MODULES]
                bad = [name for name in bad if name not in PURE_PARTS or name == "sys"]
                what = f"import {', '.join(bad)}" if bad else None
            case ast.ImportFrom(module=str(module), names=names) if module.split(".")[0] in FORBIDDEN_MODULES:
                pure = PURE_PARTS.get(module, set())
                bad = [alias.name for alias in names if pure is not None and alias.name not in pure]
                what = f"from {module} import {', '.join(bad)}" if bad else None
            case ast.Call(func=ast.Name(id=name)) if name in FORBIDDEN_CALLS:
                what = f"{name}()"
            case ast.Call(func=ast.Attribute(attr=name)) if name in CLOCK_METHODS:
                what = f".{name}()"
            case ast.Call(func=ast.Attribute(attr=name), args=args, keywords=keywords) if name == NEEDS_ZONE:
                zoned = len(args) > 1 or any(keyword.arg == "tz" for keyword in keywords)
                what = None if zoned else f".{name}() without a time zone"
            case ast.AsyncFunctionDef(name=name):
                what = f"async def {name}"
            case _:
                pass
        if what is not None:
            found.append(f"line {node.lineno}: {what}")  # type: ignore[attr-defined]  # all nodes above have a line
    return found


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_reaches_for_nothing_but_its_arguments(path: Path) -> None:
    assert impurities(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "import random",
        "import os.path",
        "import sys",
        "from time import time",
        "from uuid import uuid4",
        "from datetime import datetime\ndatetime.now()",
        "from datetime import datetime, UTC\ndatetime.now(tz=UTC)",
        "import datetime\ndatetime.date.today()",
        "from datetime import datetime\ndatetime.fromtimestamp(0)",
        "def f():\n    with open('x') as file:\n        return file",
        "bucket = hash('customer') % 10",
        "print('hello')",
        "async def f(): ...",
        "from importlib import resources",
    ],
)
def test_each_way_out_is_noticed(source: str) -> None:
    assert len(impurities(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import UTC, datetime\ndatetime.fromtimestamp(0, tz=UTC)",
        "from urllib.parse import urlsplit",
        "from sys import intern",
        "import hashlib\nhashlib.blake2b(b'x')",
        "from uuid import uuid5",
    ],
)
def test_pure_parts_of_the_standard_library_are_allowed(source: str) -> None:
    assert impurities(source) == []
