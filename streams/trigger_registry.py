"""The triggers of an installation: the built-in ones and those that installed packages bring along.

A package offers a trigger in its project file under the entry point group `regulars.triggers`:

    [project.entry-points."regulars.triggers"]
    "loyalty.reward" = "our_shop.loyalty:LOYALTY_REWARD"
"""

from collections.abc import Iterable
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Final

from profiles.book import Book
from profiles.definition import TriggerDefinition
from profiles.rules import ELSEWHERE, GENERAL, table_of
from profiles.triggers import BUILT_IN
from streams.blame import is_built_in
from streams.trigger_checks import slip_of

GROUP: Final = "regulars.triggers"


class TriggerLoadError(ValueError):
    """A trigger that an installed package offers can't be used. The message names the entry point and what is wrong.

    Operator action: mend or remove the package.
    """


@cache
def all_triggers() -> tuple[TriggerDefinition[Any], ...]:
    """Built-in triggers, then those of packages by name. Raises TriggerLoadError."""
    found = list(BUILT_IN)
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        of = f" of the package {point.dist.name}" if point.dist is not None else ""
        try:
            loaded = point.load()
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            raise TriggerLoadError(
                f"entry point {point.name} ({point.value}){of} can't be loaded: {why}. Mend the package, or remove it"
            ) from error
        found.append(check_trigger(loaded, f"{point.name}{of}", found))
    return tuple(found)


def service_triggers(book: Book, triggers: Iterable[TriggerDefinition[Any]]) -> frozenset[str]:
    """The names of those that are service by the rules of a book: no order that follows one is credited to it."""
    return frozenset(one.name for one in triggers if one.rule(book).trigger_class == "service")


def well_written(trigger: TriggerDefinition[Any]) -> TriggerDefinition[Any]:
    """A trigger that was made in a test, looked at as one that a package offers. Raises TriggerLoadError."""
    if not is_built_in(trigger) and (slip := slip_of(trigger)) is not None:
        raise TriggerLoadError(f"{type(trigger).__name__}: {slip}")
    return trigger


def check_trigger(loaded: object, where: str, known: list[TriggerDefinition[Any]]) -> TriggerDefinition[Any]:
    """A loaded object as a trigger beside those known. Raises TriggerLoadError where it is none, or its name is taken."""
    if not isinstance(loaded, TriggerDefinition):
        raise TriggerLoadError(
            f"entry point {where}: {loaded!r} is no TriggerDefinition; name an instance, not a class"
        )
    if (slip := slip_of(loaded)) is not None:
        raise TriggerLoadError(f"entry point {where}: {slip}")
    if any(other.name == loaded.name for other in known):
        raise TriggerLoadError(f"entry point {where}: there is already a trigger {loaded.name!r}")
    table = table_of(loaded.name)
    if table in {*GENERAL, *ELSEWHERE, *(table_of(other.name) for other in known)}:
        raise TriggerLoadError(
            f"entry point {where}: the rules of {loaded.name!r} would stand in the table [{table}], which has another use; "
            f"give the trigger another name"
        )
    return loaded
