"""An expression, ready to be asked: compiled once when rules are loaded, then one Python call for each customer."""

from functools import cache
from typing import Any, Final

from google.protobuf.message import DecodeError

from profiles.expressions.closures import Compiler
from profiles.expressions.combinators import Run
from profiles.expressions.errors import Failed, Problem, Span
from profiles.expressions.functions import FUNCTIONS
from profiles.expressions.library import Vocabulary
from profiles.expressions.messages import problem_of, too_deep, word_at
from profiles.expressions.scope import Scope
from profiles.expressions.shapes import EPISODE, EVENT, PROFILE, Shape
from profiles.expressions.syntax import Unsupported, read_checked
from profiles.windows import Windows

LENGTH_MAX: Final = 4096
"""Characters of one expression."""

_NOW: Final[dict[str, Shape | str]] = {"now_ms": "int", "now": "timestamp"}
OF_PROFILE: Final[dict[str, Shape | str]] = {"profile": PROFILE, **_NOW}
"""What a segment sees."""
OF_EVENT: Final[dict[str, Shape | str]] = {"profile": PROFILE, "event": EVENT, **_NOW}
"""What a condition sees that is asked when an event comes."""
OF_EPISODE: Final[dict[str, Shape | str]] = {"profile": PROFILE, "episode": EPISODE, **_NOW}
"""What a condition sees that is asked when an episode is due."""
_VARIABLES: Final = {"profile": OF_PROFILE, "event": OF_EVENT, "episode": OF_EPISODE}


class Expression:
    """A condition: a bool of the Common Expression Language. `text` is what was written.

    `reads` names what its answer depends on: fields of the profile ("orders.count", "carts"), "event" and "episode".
    `counts` are the counts it asks of `profiles.windows`; they must be bound to the Windows that keep them. `timed`: the
    answer can change without an event. `segments` are those it names as `"name" in profile.segments`.
    """

    __slots__ = ("_run", "counts", "reads", "segments", "text", "timed")

    def __init__(self, compiler: Compiler, run: Run) -> None:
        self.text = compiler.text
        self.reads = frozenset(compiler.reads)
        self.counts = tuple(compiler.counts)
        self.timed = compiler.timed
        self.segments = frozenset(compiler.segments)
        self._run = run

    def bind(self, windows: Windows) -> None:
        """Say who keeps what is counted."""
        for count in self.counts:
            count.bind(windows)

    def met(self, scope: Scope) -> bool:
        """Whether it holds. Raises Failed where this customer's data does not allow to say."""
        answer = self._run(scope)
        if answer is True or answer is False:
            return bool(answer)
        raise Failed("it is neither true nor false")

    def value(self, scope: Scope) -> Any:
        """The answer as it is, for tests and tools. Raises Failed."""
        return self._run(scope)


def compile_expression(text: str, seen: str = "profile", *, exact: bool = False) -> Expression:
    """Compile a condition. Raises Problem with the piece of the text that is wrong.

    `seen` says what there is beside the profile: "profile" nothing, "event" the event, "episode" the episode. An exact
    expression tells (by the view's `holds_until_ms`) until when its answer holds, and refuses what can't tell that.
    """
    if len(text) > LENGTH_MAX:
        raise Problem(f"it is longer than {LENGTH_MAX} characters", Span(LENGTH_MAX, 1))
    vocabulary = _vocabulary(seen)
    try:
        tree = read_checked(vocabulary.check(text))
    except RuntimeError as error:
        raise problem_of(text, str(error), vocabulary) from None
    except DecodeError:  # its bytes are nested more deeply than they may be read
        raise too_deep(text) from None
    except Unsupported as error:
        raise Problem(f"`{error}` can't be made in a condition", word_at(text, error.at)) from None
    compiler = Compiler(text, _VARIABLES[seen], exact=exact)
    if tree.type not in ("bool", "dyn"):
        kind = tree.type.removesuffix("?") + (" or null" if tree.type.endswith("?") else "")
        raise Problem(f"a condition is true or false, and this is {kind}", Span(0, len(text.rstrip())))
    run = compiler.run(tree)  # before the rest is read off: it gathers that
    return Expression(compiler, run)


@cache
def _vocabulary(seen: str) -> Vocabulary:
    return Vocabulary(dict(_VARIABLES[seen]), FUNCTIONS)
