"""Which trigger an exception of the engine came out of: a fault of a company's own trigger is not one of ours.

Nothing watches the hooks while all goes well. Once something was raised, its traceback says through which hook it went.
"""

from collections.abc import Iterable
from types import FrameType, TracebackType
from typing import Any, Final, NamedTuple

from profiles.definition import BadTrigger, TriggerDefinition

HOOKS: Final = frozenset(
    name for name in vars(TriggerDefinition) if not name.startswith("_") and callable(getattr(TriggerDefinition, name))
) - {"rule"}
"""What the engine tells triggers by and asks them by."""
BUILT_IN: Final = "profiles.triggers."
"""How the names of modules begin that hold built-in triggers."""


class Unkeepable(BadTrigger):
    """What a trigger left can't be stored, read again or published. The message says whose it is and why."""

    def __init__(self, trigger: str, what: str, error: Exception) -> None:
        super().__init__(trigger, f"{trigger or 'the engine'}: {what}: {error}")


class _Source(NamedTuple):
    """What an exception came out of: a trigger by its name (a built-in one in compiled code by its module), and the hook, which
    is empty where the engine failed on what the trigger was asked for.
    """

    trigger: str
    hook: str


def said_of(error: BaseException) -> str:
    """What was raised, and by which trigger if it was one; nothing of the customer, as the exception itself may."""
    if isinstance(error, BadTrigger):
        return str(error)
    kind, hook = type(error).__name__, hook_of(error)
    return f"{kind} in {hook}" if hook else kind


def blamed(error: BaseException, triggers: Iterable[TriggerDefinition[Any]]) -> set[str]:
    """The names of those triggers that an exception came out of; in compiled code all of the module that it came out of."""
    if isinstance(error, BadTrigger):
        source: str | None = error.trigger
    else:
        found = _source_of(error)
        source = None if found is None else found.trigger
    return {
        trigger.name
        for trigger in triggers
        if trigger.name == source or any(kind.__module__ == source for kind in type(trigger).__mro__)
    }


def hook_of(error: BaseException) -> str | None:
    """The hook that an exception came out of, such as "loyalty.thanks.on_order"; the trigger alone where the engine failed on
    what it was asked for; None where it was neither.

    Compiled code leaves frames without variables: of a built-in trigger there the module is named, and what the engine was
    busy with is not known.
    """
    source = _source_of(error)
    return None if source is None else ".".join(part for part in source if part)


def is_built_in(trigger: TriggerDefinition[Any]) -> bool:
    """Whether it comes with Regulars, and is no company's own."""
    return type(trigger).__module__.startswith(BUILT_IN)


def _source_of(error: BaseException) -> _Source | None:
    traceback: TracebackType | None = error.__traceback__
    about: _Source | None = None
    while traceback is not None:
        frame = traceback.tb_frame
        if (hook := _hook(frame)) is not None:
            return hook
        for name in ("definition", "trigger"):
            if isinstance(trigger := frame.f_locals.get(name), TriggerDefinition):
                about = _Source(trigger.name, "")
        traceback = traceback.tb_next
    return about


def _hook(frame: FrameType) -> _Source | None:
    hook = frame.f_code.co_name
    if hook not in HOOKS:
        return None
    trigger = frame.f_locals.get("self")
    if isinstance(trigger, TriggerDefinition):
        return _Source(trigger.name, hook)
    module = str(frame.f_globals.get("__name__", ""))
    return _Source(module, hook) if module.startswith(BUILT_IN) else None
