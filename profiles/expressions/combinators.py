"""The closures behind `&&`, `||`, `!`, `?:` and the macros: what a failure does in each, and how a loop is paid for."""

from collections.abc import Callable, Mapping
from typing import Any

from profiles.expressions import values
from profiles.expressions.errors import Failed
from profiles.expressions.scope import Scope

Run = Callable[[Scope], Any]


def constant(value: Any) -> Run:
    """A value that is the same for everybody."""
    return lambda _: value


def new_list(_: Scope) -> list[Any]:
    """What `map` and `filter` start from."""
    return []


def both(left: Run, right: Run) -> Run:
    """`left && right`. A failure of one side is absorbed where the other one is false."""

    def both(scope: Scope) -> bool:
        try:
            ours = left(scope)
        except Failed:
            if right(scope) is False:
                return False
            raise
        if ours is False:
            return False
        theirs = right(scope)
        if theirs is False or (ours is True and theirs is True):
            return bool(theirs)
        raise Failed(f"`&&` on {values.null_or_kind(ours)} and {values.null_or_kind(theirs)}")

    return both


def either(left: Run, right: Run) -> Run:
    """`left || right`. A failure of one side is absorbed where the other one is true."""

    def either(scope: Scope) -> bool:
        try:
            ours = left(scope)
        except Failed:
            if right(scope) is True:
                return True
            raise
        if ours is True:
            return True
        theirs = right(scope)
        if theirs is True or (ours is False and theirs is False):
            return bool(theirs)
        raise Failed(f"`||` on {values.null_or_kind(ours)} and {values.null_or_kind(theirs)}")

    return either


def negation(value: Run) -> Run:
    """`!value`."""

    def negated(scope: Scope) -> bool:
        found = value(scope)
        if found is True:
            return False
        if found is False:
            return True
        raise Failed(f"`!` on {values.null_or_kind(found)}")

    return negated


def choice(condition: Run, then: Run, otherwise: Run) -> Run:
    """`condition ? then : otherwise`."""

    def choice(scope: Scope) -> Any:
        met = condition(scope)
        if met is True:
            return then(scope)
        if met is False:
            return otherwise(scope)
        raise Failed(f"`?:` on {values.null_or_kind(met)}")

    return choice


def elements(scope: Scope, found: Any) -> Any:
    """What a loop goes over, the keys of a map; paid for in advance."""
    if isinstance(found, Mapping):
        found = list(found)
    elif not isinstance(found, list | tuple):
        raise Failed(f"a loop over {values.null_or_kind(found)}")
    scope.take_steps(len(found))
    return found


def search(over: Run, test: Run, item: int, *, found: bool) -> Run:
    """`exists` (found: true) and `all` (found: false): the first element that decides ends it, whatever failed before."""

    def search(scope: Scope) -> bool:
        failure: Failed | None = None
        variables = scope.variables
        for variables[item] in elements(scope, over(scope)):
            try:
                met = test(scope)
            except Failed as failed:
                failure = failed
                continue
            if met is found:
                return bool(found)
            if not isinstance(met, bool):
                failure = Failed(f"a loop asks a bool, and this is {values.null_or_kind(met)}")
        if failure is not None:
            raise failure
        return not found

    return search


def fold(over: Run, start: Run, step: Run, result: Run, item: int, total: int) -> Run:
    """`map`, `filter` and `exists_one`: a failure of any element is one of the whole."""

    def fold(scope: Scope) -> Any:
        passed = elements(scope, over(scope))
        variables = scope.variables
        variables[total] = start(scope)
        for variables[item] in passed:
            variables[total] = step(scope)
        return result(scope)

    return fold
