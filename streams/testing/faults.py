"""Faults of a trigger under test, told plainly: which trigger and hook it was, on what, and what a worker would do about it."""

from collections.abc import Iterator
from contextlib import contextmanager

from profiles.definition import BadTrigger
from profiles.needs import Need
from streams.blame import HOOKS, hook_of

LEFT_OUT = "a worker leaves the trigger out of that, goes on without it, and logs an error"
LOST = "a worker lets go of that timer, goes on without the trigger, and logs an error"
OURS = "a worker sets the record aside, or leaves her timers alone for an hour: no trigger is known to be at fault"


class TriggerFault(AssertionError):
    """A trigger raised an error, or left what can't be stored or published. `__cause__` is the error itself."""


@contextmanager
def told(what: str, then: str) -> Iterator[None]:
    """Turn what the engine raises into a TriggerFault. `what` says on what it happened, `then` what a worker would do."""
    try:
        yield
    except (Need, TriggerFault):
        raise
    except Exception as error:
        hook = hook_of(error)
        if isinstance(error, BadTrigger):
            fault = str(error)
        elif hook is None:
            fault, then = f"the engine raised {type(error).__name__}: {error}", OURS
        elif hook.rpartition(".")[2] in HOOKS:
            fault = f"{hook} raised {type(error).__name__}: {error}"
        else:
            fault = f"{hook} made the engine raise {type(error).__name__}: {error}"
        raise TriggerFault(f"{fault}; on {what}. Where that happens, {then}.") from error
