"""What can be wrong with an expression: its text, found when it is loaded, or one customer's data, found when it is looked at."""

from msgspec import Struct


class Span(Struct, frozen=True):
    """A piece of an expression's text: where it starts and how long it is, in characters."""

    start: int
    length: int


class Problem(Exception):
    """An expression can't be used: what is wrong and which piece of its text. `ExpressionError` says so to a person."""

    def __init__(self, message: str, span: Span) -> None:
        super().__init__(message)
        self.message = message
        self.span = span


class ExpressionError(ValueError):
    """An expression is wrong. The message names file, line and column, shows the line with the piece marked, and says what
    would be right; nothing was loaded. `path` is its place in the rules, `line` None where the file's text is not at hand.
    """

    def __init__(self, message: str, path: str, line: int | None = None) -> None:
        super().__init__(message)
        self.path, self.line = path, line


class Failed(Exception):
    """An expression can't be evaluated on this customer's data: a field without a value, a missing key, a division by zero.

    It then counts as not met. `reason` has no data of the customer in it, so that it may be counted and shown.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
