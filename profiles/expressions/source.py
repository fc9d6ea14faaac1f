"""An expression with its place in the rules: compiled, or refused with file, line, column and the piece of it that is wrong."""

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from profiles.expressions.errors import ExpressionError, Problem
from profiles.expressions.places import places_of

if TYPE_CHECKING:
    from profiles.expressions.expression import Expression


class Source(Struct, frozen=True):
    """A rules document as it was written: its text ("" where it is not at hand) and the name of its file."""

    text: str = ""
    file: str = "rules"


NO_SOURCE: Final = Source()


def compile_at(
    text: object, path: tuple[str, ...], source: Source, seen: str = "profile", *, exact: bool = False
) -> "Expression":
    """Compile the expression at a path of the rules. Raises ExpressionError.

    See `compile_expression` for `seen` and `exact`.
    """
    # Whoever has no conditions need not have the language's library in memory: some 25 MB.
    from profiles.expressions.expression import compile_expression

    where = ".".join(path)
    if not isinstance(text, str):
        raise ExpressionError(f'{where}: a condition is a text such as "profile.orders.count >= 2"', where)
    try:
        return compile_expression(text, seen, exact=exact)
    except Problem as problem:
        raise _located(problem, text, path, source) from None


def _located(problem: Problem, text: str, path: tuple[str, ...], source: Source) -> ExpressionError:
    where = ".".join(path)
    document = source.text.replace("\r\n", "\n")
    start, end = problem.span.start, problem.span.start + problem.span.length
    places = places_of(document, path) if document else None
    found = places is not None and len(places) == len(text) + 1
    if found:
        assert places is not None
        document_start = places[min(start, len(text))]
        document_end = places[min(end, len(text))]
        name = source.file
    else:
        document, document_start, document_end = text, start, end
        name = f"{source.file}: {where}"
    before = document[:document_start]
    line, column = before.count("\n") + 1, document_start - (before.rfind("\n") + 1) + 1
    shown = document.split("\n")[line - 1]
    length = max(1, min(document_end - document_start, len(shown) - column + 1))
    # Tabs stay tabs, so that the marks stand under what they mean.
    indent = "".join("\t" if sign == "\t" else " " for sign in shown[: column - 1])
    message = f"{name}:{line}:{column}: {where}: {problem.message}\n    {shown}\n    {indent}{'^' * length}"
    return ExpressionError(message, where, line if found else None)
