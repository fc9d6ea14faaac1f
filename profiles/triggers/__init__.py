"""Built-in triggers, one module each, and the table of them. Adding one is a module and a line in BUILT_IN.

Start with `profiles.definition` for what a trigger must answer.
"""

from profiles.definition import TriggerDefinition
from profiles.triggers.cart_abandoned import CART_ABANDONED
from profiles.triggers.checkout_abandoned import CHECKOUT_ABANDONED
from profiles.triggers.replenishment import REPLENISHMENT_DUE, REPLENISHMENT_LATE
from profiles.triggers.welcome import WELCOME

BUILT_IN: tuple[TriggerDefinition, ...] = (
    CHECKOUT_ABANDONED,
    CART_ABANDONED,
    REPLENISHMENT_DUE,
    REPLENISHMENT_LATE,
    WELCOME,
)

BY_NAME: dict[str, TriggerDefinition] = {definition.name: definition for definition in BUILT_IN}

__all__ = [
    "BUILT_IN",
    "BY_NAME",
    "CART_ABANDONED",
    "CHECKOUT_ABANDONED",
    "REPLENISHMENT_DUE",
    "REPLENISHMENT_LATE",
    "WELCOME",
    "TriggerDefinition",
]
