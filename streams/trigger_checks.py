"""What can be seen of a trigger before it is told of anything: slips of the pen that leave it deaf, or stop a worker."""

import inspect
import re
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final, get_args

import msgspec
from msgspec.structs import fields

from profiles.book import Book
from profiles.definition import TriggerDefinition, hears
from profiles.rules import TriggerRule
from schemas.events import AnyEvent, CommandEvent, ShopEvent
from streams.blame import HOOKS

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]+")
_KINDS: Final = tuple(kind for kind in get_args(AnyEvent) if not issubclass(kind, ShopEvent | CommandEvent))
_CLOSE: Final = 0.85
"""How much alike a method's name and a hook's are where one was meant to be the other ("contnet")."""


def slip_of(trigger: TriggerDefinition[Any]) -> str | None:
    """The first thing that is wrong with how a trigger is written, and what would be right; None where nothing is."""
    return next(_slips(trigger), None)


def _slips(trigger: TriggerDefinition[Any]) -> Iterator[str]:
    name: object = trigger.name
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        yield f"its name is {name!r}; write letters, digits, dots, - and _, such as 'loyalty.thanks'"
    yield from _of_rules(trigger)
    if type(trigger.version) is not int or trigger.version < 1:
        yield f"its version is {trigger.version!r}; write a whole number from 1 on"
    reasons: object = trigger.reasons
    if not isinstance(reasons, Mapping):
        yield "its reasons are no mapping of each code to what it means"
    yield from _of_hooks(type(trigger))
    yield from _of_hearing(trigger)
    try:
        trigger.applies(Book())
    except Exception as error:  # noqa: BLE001 -- whatever it is, the author is told
        yield f"its applies raises {type(error).__name__} ({error}) under the rules as they are by default"


def _of_rules(trigger: TriggerDefinition[Any]) -> Iterator[str]:
    kind: object = getattr(trigger, "rule_type", None)
    if not isinstance(kind, type) or not issubclass(kind, TriggerRule):
        yield f"its rule_type is {kind!r}; name a class derived from profiles.rules.TriggerRule"
        return
    if kind.trigger != trigger.name:
        yield f"the trigger is named {trigger.name!r} and its rules are those of {kind.trigger!r}; both must be the same"
    try:
        rule = kind()
        msgspec.convert(msgspec.to_builtins(rule), kind)
    except TypeError as error:
        yield f"its rules can't be made without a rules file: {error}; give each field of {kind.__name__} a default"
    except msgspec.ValidationError as error:
        yield f"a default of {kind.__name__} is not of its type: {error}"
    else:
        for field in fields(kind):
            if field.name.endswith("_ms") and type(getattr(rule, field.name)) not in (int, type(None)):
                yield f"{kind.__name__}.{field.name} is {getattr(rule, field.name)!r}; durations are int, in milliseconds"
        if (found := rule.impossible()) is not None:
            yield f"the defaults of {kind.__name__} can't work: {found[0]} is {found[1]}"


def _of_hooks(kind: type[TriggerDefinition[Any]]) -> Iterator[str]:
    for name in dir(kind):
        if name.startswith("_"):
            continue
        written = inspect.getattr_static(kind, name)
        if name in HOOKS:
            if written is not inspect.getattr_static(TriggerDefinition, name):
                yield from _of_hook(f"{kind.__name__}.{name}", written, getattr(TriggerDefinition, name))
        elif name == "rule" and written is not inspect.getattr_static(TriggerDefinition, name):
            yield f"{kind.__name__}.rule takes the place of what the engine asks by; call it something else"
        elif (
            not hasattr(TriggerDefinition, name)
            and inspect.isfunction(written)
            and (close := get_close_matches(name, HOOKS, n=1, cutoff=_CLOSE))
        ):
            yield f"{kind.__name__}.{name} is never called; did you mean {close[0]!r}? Else begin its name with _"


def _of_hook(where: str, written: object, base: Any) -> Iterator[str]:
    asked = inspect.signature(base)
    if isinstance(written, staticmethod | classmethod) or not callable(written):
        yield f"{where} is {written!r}; write a method {where.rpartition('.')[2]}{_shown(asked)}"
    elif inspect.iscoroutinefunction(written) or inspect.isgeneratorfunction(written):
        what = "async" if inspect.iscoroutinefunction(written) else "a generator"
        yield f"{where} is {what}, so that nothing in it would be done"
    else:
        try:
            inspect.signature(written).bind(*asked.parameters)
        except ValueError:  # compiled code need not say how it is called
            return
        except TypeError:
            yield f"{where} is written with {_shown(inspect.signature(written))}, but it is called with {_shown(asked)}"


def _own_classes(kind: type[TriggerDefinition[Any]]) -> tuple[type, ...]:
    return kind.__mro__[: kind.__mro__.index(TriggerDefinition)]


def _shown(signature: inspect.Signature) -> str:
    return f"({', '.join(signature.parameters)})"


def _of_hearing(trigger: TriggerDefinition[Any]) -> Iterator[str]:
    listens: object = trigger.listens
    if not isinstance(listens, Collection) or isinstance(listens, str):
        yield f"its listens is {listens!r}; write a set of kinds of events, such as frozenset({{NpsSubmitted}})"
        return
    for kind in listens:
        if isinstance(kind, type) and issubclass(kind, ShopEvent):
            yield f"it listens to {kind.__name__}, which is about no customer; say in wakes which changes of a product concern it"
        elif kind not in _KINDS:
            yield f"it listens to {kind!r}, which is no kind of event about a customer; they are in schemas.events"
    if hears(trigger, "on_event") and not any("listens" in vars(kind) for kind in _own_classes(type(trigger))):
        yield "its on_event is never called: say in listens for which kinds of events"
    if listens and not hears(trigger, "on_event"):
        yield "it listens to events, but has no on_event"
    if hears(trigger, "on_good") != hears(trigger, "wakes"):
        yield "on_good and wakes belong together: wakes says which changes of a product on_good is told of"
