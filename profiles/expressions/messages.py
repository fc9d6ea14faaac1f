"""What the library finds wrong, said in the words of whoever writes rules, with what is near and which piece is meant.

The library names a place that is often beside the word meant (a dot, a bracket), and one kind of mistake at a time. What it
says in a form that is not known here is passed on as it is.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final

from profiles.expressions.errors import Problem, Span
from profiles.expressions.library import Vocabulary
from profiles.expressions.rare import DATE_PARTS
from profiles.expressions.shapes import Shape
from schemas.nearest import nearest

_FOUND: Final = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*?)(?=\n \| |\s*\[[A-Z_]+\]$)", re.DOTALL)
_FIELD: Final = re.compile(r"undefined field '(\w+)' not found in struct '(?:\w+\.)*(\w+)'")
_UNDECLARED: Final = re.compile(r"undeclared reference to '([\w.]+)'")
_OVERLOAD: Final = re.compile(r"found no matching overload for '([^']+)' applied to '(.*)'$")
_NO_FIELDS: Final = re.compile(r"expression of type '([^']+)' cannot be the operand of a select operation")
_SYNTAX: Final = re.compile(r"Syntax error: (.*)", re.DOTALL)
_TOO_LARGE: Final = re.compile(r"invalid u?int literal")

LISTED_MAX: Final = 20
"""More names than this are not listed in a message."""
_NO_FUNCTION: Final = "there is no function "
_FUNCTION: Final = "the function "

_OPERATORS: Final = {
    "_&&_": "&&",
    "_||_": "||",
    "!_": "!",
    "-_": "-",
    "_?_:_": "?:",
    "_[_]": "[]",
    "@in": "in",
    **{f"_{sign}_": sign for sign in ("+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=")},
}
_WORDS_OF_OTHERS: Final = {
    **dict.fromkeys(("and", "AND"), "&&"),
    **dict.fromkeys(("or", "OR"), "||"),
    **dict.fromkeys(("not", "NOT"), "!"),
    **dict.fromkeys(("True", "TRUE"), "true"),
    **dict.fromkeys(("False", "FALSE"), "false"),
    **dict.fromkeys(("None", "NULL", "nil", "undefined"), "null"),
    "is": "==",
    **dict.fromkeys("“”„«»", '"'),
    **dict.fromkeys("‘’‚", "'"),
}
"""What other languages and word processors write, and how this language does."""
_TOKEN: Final = re.compile(r"\w+|\"[^\"\n]+\"|'[^'\n]+'|[<>=!]=|&&|\|\||=+|\S")
STANDARD_FUNCTIONS: Final = {
    "size": "size(x)",
    "has": "has(x.field)",
    **{name: f"text.{name}(t)" for name in ("contains", "startsWith", "endsWith")},
    "matches": "text.matches(regex)",
    **{name: f"list.{name}(x, test)" for name in ("exists", "all", "exists_one", "filter")},
    "map": "list.map(x, value)",
    **{name: f"{name}(x)" for name in ("int", "uint", "double", "string", "bytes", "bool", "dyn", "type")},
    **{name: f"{name}(text)" for name in ("timestamp", "duration")},
    **{name: f"now.{name}(zone)" for name in DATE_PARTS},
}
"""What the language brings along, and how it is written."""


def problem_of(text: str, said: str, vocabulary: Vocabulary) -> Problem:
    """The first mistake the library found in a text."""
    if "recursion" in said:
        return too_deep(text)
    problems = [_explained(text, match, vocabulary) for match in _FOUND.finditer(said)]
    if not problems:
        return Problem(said.partition("\n")[0], Span(0, max(len(text), 1)))
    # A macro that is misspelt leaves its variable unknown as well: the function is the one to mend.
    of_functions = (problem for problem in problems if problem.message.startswith((_NO_FUNCTION, _FUNCTION)))
    return next(of_functions, problems[0])


def _explained(text: str, match: re.Match[str], vocabulary: Vocabulary) -> Problem:
    line, column, what = int(match[1]), int(match[2]), match[3].strip()
    at = sum(len(before) + 1 for before in text.split("\n")[: line - 1]) + column - 1
    for pattern, explain in _EXPLAINED:
        if (found := pattern.match(what)) is not None:
            return explain(text, at, found, vocabulary)
    return Problem(what, word_at(text, at))


def too_deep(text: str) -> Problem:
    """An expression that only a machine would write."""
    return Problem(
        "it is nested too deeply; at most 32 levels, operators in a row included", Span(0, max(len(text), 1))
    )


def word_at(text: str, at: int) -> Span:
    """The word or sign meant by a place: what stands there, behind a dot, or before a bracket."""
    at = min(max(at, 0), max(len(text) - 1, 0))
    if text[at : at + 1] == "." and (behind := re.compile(r"\.\s*(\w+)").match(text, at)) is not None:
        return Span(behind.start(1), len(behind[1]))
    if text[at : at + 1] == "(" and (before := re.search(r"(\w+)\s*$", text[:at])) is not None:
        return Span(before.start(1), len(before[1]))
    token = _TOKEN.match(text, at)
    return Span(at, len(token[0]) if token is not None else 1)


def near(name: str, known: Iterable[str]) -> str:
    """A word on what was probably meant, or on what there is."""
    listed = list(known)
    if meant := nearest(name, listed):
        return f"did you mean `{meant}`?"
    return (
        f"there are {', '.join(listed)}" if len(listed) <= LISTED_MAX else "the reference of conditions lists them all"
    )


def _unknown_field(text: str, at: int, found: re.Match[str], vocabulary: Vocabulary) -> Problem:
    name, struct = found[1], found[2]
    shape: Shape | None = next((shape for shape in vocabulary.shapes if shape.name == struct), None)
    span = word_at(text, at)
    if shape is None:
        return Problem(f"there is no field `{name}` here", span)
    owner = re.search(r"([\w.\[\]\"'-]+)$", text[:at].rstrip())
    of = f" in `{owner[1]}`" if owner is not None else ""
    return Problem(f"there is no field `{name}`{of}; {near(name, shape.fields)}", span)


def _undeclared(text: str, at: int, found: re.Match[str], vocabulary: Vocabulary) -> Problem:
    whole = found[1]
    name = whole.partition(".")[0]
    if text[at : at + 1] == "(" or (text[at : at + 1] == "." and re.compile(r"\.\s*\w+\s*\(").match(text, at)):
        span = word_at(text, at)
        called = text[span.start : span.start + span.length]
        if called == whole or whole.endswith("." + called):
            if (written := _written(called, vocabulary)) is not None:
                return Problem(f"{_FUNCTION}`{called}` is written {written}", span)
            functions = dict.fromkeys([*(function.name for function in vocabulary.functions), *STANDARD_FUNCTIONS])
            return Problem(f"{_NO_FUNCTION}`{called}`; {near(called, functions)}", span)
    # The place is that of the last dot of a name with dots; the first word of it is the one that is not known.
    start = next((match.start() for match in reversed(list(re.finditer(rf"\b{name}\b", text[: at + len(name)])))), at)
    if name in _WORDS_OF_OTHERS:
        return Problem(f"`{name}` is written `{_WORDS_OF_OTHERS[name]}`", Span(start, len(name)))
    for variable, shape in vocabulary.variables.items():
        if isinstance(shape, Shape) and name in shape.fields:
            return Problem(f"there is no `{name}`; did you mean `{variable}.{name}`?", Span(start, len(name)))
    return Problem(f"there is no `{name}`; {near(name, vocabulary.variables)}", Span(start, len(name)))


def _no_overload(text: str, at: int, found: re.Match[str], vocabulary: Vocabulary) -> Problem:
    name, types = found[1], [_plain(kind) for kind in _split(found[2])]
    span = word_at(text, at)
    if name in _OPERATORS:
        sign = _OPERATORS[name]
        if len(types) == 1:
            message = f"`{sign}` can't be used on {types[0]}"
        elif name == "_?_:_":
            message = f"both outcomes of `?:` must be of one type, here they are {types[1]} and {types[2]}"
            if types[0] not in ("bool", "dyn"):
                message = f"`?:` asks a bool, and this is {types[0]}"
        elif name in ("_&&_", "_||_"):
            message = f"`{sign}` joins bool and bool, here they are {types[0]} and {types[1]}"
        else:
            message = f"`{sign}` can't be used on {types[0]} and {types[1]}"
        return Problem(message + _remedy(types, text[: span.start], vocabulary), span)
    given = f"({', '.join(types)})"
    if any(function.name == name for function in vocabulary.functions):
        return Problem(f"`{name}` takes {_written(name, vocabulary)}, not {given}", span)
    if found[2].startswith("(") or not types:
        return Problem(f"`{name}` does not take {given}", span)
    return Problem(f"`{types[0]}` has no `{name}({', '.join(types[1:])})`", span)


def _written(name: str, vocabulary: Vocabulary) -> str | None:
    """How a function is written that there is, with what it takes; None where there is none of this name."""
    ours = [f"`{name}({', '.join(function.takes)})`" for function in vocabulary.functions if function.name == name]
    if ours:
        return " or ".join(ours)
    return f"`{STANDARD_FUNCTIONS[name]}`" if name in STANDARD_FUNCTIONS else None


def _remedy(types: list[str], before: str, vocabulary: Vocabulary) -> str:
    types = [kind.removesuffix(" or null") for kind in types]
    if set(types) == {"int", "double"}:
        if before.rstrip().endswith("_minor"):
            return "; amounts are whole minor units, 5000 for 50.00"
        return "; write a whole number as 5.0, or double(...) around it"
    if "string" in types and "int" in types:
        return "; a text stands in quotation marks, a number does not"
    if "timestamp" in types and "int" in types:
        return "; instants of a profile are epoch milliseconds: compare them with now_ms, ago(...) or ahead(...)"
    for shape in vocabulary.shapes:
        if shape.name in types and len(shape.fields) <= LISTED_MAX:
            return f"; use a field of it: {', '.join(shape.fields)}"
    return ""


def _no_fields(text: str, at: int, found: re.Match[str], _: Vocabulary) -> Problem:
    return Problem(f"a value of type {_plain(found[1])} has no fields", word_at(text, at))


def _syntax(text: str, at: int, found: re.Match[str], _: Vocabulary) -> Problem:
    what = found[1]
    if at >= len(text.rstrip()):
        return Problem("the expression ends too early", Span(max(len(text.rstrip()) - 1, 0), 1))
    span = word_at(text, at)
    word = text[span.start : span.start + span.length]
    if word == "=" and text[span.start : span.start + 2] == "=>":
        return Problem("`=>` is written `>=`", Span(span.start, 2))
    if word == "=":
        return Problem("equality is written `==`", span)
    before = re.search(r"(\w+)\s+$", text[: span.start])
    if word not in _WORDS_OF_OTHERS and before is not None and before[1] in _WORDS_OF_OTHERS:
        word, span = before[1], Span(before.start(1), len(before[1]))
    if word in _WORDS_OF_OTHERS:
        return Problem(f"`{word}` is written `{_WORDS_OF_OTHERS[word]}`", span)
    if word.isspace():
        return Problem(f"a space of another kind (U+{ord(word):04X}) does not belong here; type it anew", span)
    if not text[at].isascii() and text[at].isalpha():
        return Problem('names are written in letters from a to z; any other key of a map as in traits["größe"]', span)
    if word in ("'", '"'):
        return Problem("this text is not closed", Span(at, len(text.rstrip()) - at))
    if word in ("ms", "s", "m", "min", "h", "d") and (number := re.search(r"\d+$", text[: span.start])) is not None:
        written = f"{number[0]}{word}"
        return Problem(
            f'a span stands in quotation marks, and in a function: ago("{written}"), orders("{written}")', span
        )
    if what.startswith(("extraneous", "mismatched", "no viable", "token recognition")):
        return Problem(f"`{word}` does not belong here", span)
    return Problem(what, span)


def _too_large(text: str, at: int, _found: re.Match[str], _: Vocabulary) -> Problem:
    return Problem("a number beyond 64 bits", word_at(text, at))


_EXPLAINED: Final[tuple[tuple[re.Pattern[str], Callable[[str, int, re.Match[str], Vocabulary], Problem]], ...]] = (
    (_FIELD, _unknown_field),
    (_UNDECLARED, _undeclared),
    (_OVERLOAD, _no_overload),
    (_NO_FIELDS, _no_fields),
    (_SYNTAX, _syntax),
    (_TOO_LARGE, _too_large),
)


def _plain(kind: str) -> str:
    """A type in the library's words as we say it."""
    kind = re.sub(r"wrapper\((\w+)\)", r"\1 or null", kind)
    kind = kind.replace("google.protobuf.Timestamp", "timestamp").replace("google.protobuf.Duration", "duration")
    return kind.replace("regulars.", "").replace("null_type", "null")


def _split(listed: str) -> list[str]:
    """The types of "(int, map(string, dyn))" or "int.(string)", each for itself."""
    receiver, _, arguments = listed.partition(".(") if not listed.startswith("(") else ("", "", listed[1:])
    arguments = arguments.removesuffix(")")
    found, depth, start = [receiver] if receiver else [], 0, 0
    for place, sign in enumerate(arguments):
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth == 0:
            found.append(arguments[start:place].strip())
            start = place + 1
    if arguments[start:].strip():
        found.append(arguments[start:].strip())
    return found
