"""Which trigger an exception of the engine came out of: a fault of a company's own trigger is not one of ours.

Nothing watches the hooks while all goes well. Once something was raised, its traceback says through which hook it went.
"""

from types import FrameType, TracebackType
from typing import Any, Final

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
        super().__init__(f"{trigger or 'the engine'}: {what}: {error}")
        self.trigger = trigger


def hook_of(error: BaseException) -> str | None:
    """The hook that an exception came out of, such as "loyalty.thanks.on_order"; the trigger alone where the engine failed on
    what it was asked for; None where it was neither.

    Compiled code leaves frames without variables: of a built-in trigger there the module is named, and what the engine was
    busy with is not known.
    """
    traceback: TracebackType | None = error.__traceback__
    about: str | None = None
    while traceback is not None:
        frame = traceback.tb_frame
        if (hook := _hook(frame)) is not None:
            return hook
        for name in ("definition", "trigger"):
            if isinstance(trigger := frame.f_locals.get(name), TriggerDefinition):
                about = trigger.name
        traceback = traceback.tb_next
    return about


def is_built_in(trigger: TriggerDefinition[Any]) -> bool:
    """Whether it comes with Regulars, and is no company's own."""
    return type(trigger).__module__.startswith(BUILT_IN)


def _hook(frame: FrameType) -> str | None:
    hook = frame.f_code.co_name
    if hook not in HOOKS:
        return None
    trigger = frame.f_locals.get("self")
    if isinstance(trigger, TriggerDefinition):
        return f"{trigger.name}.{hook}"
    module = str(frame.f_globals.get("__name__", ""))
    return f"{module}.{hook}" if module.startswith(BUILT_IN) else None
