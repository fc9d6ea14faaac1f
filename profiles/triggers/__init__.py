"""Built-in triggers, a module for each family, and the table of them. Adding one is a module and a line in BUILT_IN.

Start with `profiles.definition` for what a trigger must answer. The order of the table is the order in which triggers are
told of what happens: checkouts before carts, since they take carts over.
"""

from typing import Any, Final

from profiles.definition import TriggerDefinition
from profiles.rules import TriggerRule
from profiles.triggers.back_in_stock import BACK_IN_STOCK, BackInStockRule
from profiles.triggers.cart_abandoned import CART_ABANDONED, CartAbandonedRule
from profiles.triggers.checkout_abandoned import CHECKOUT_ABANDONED, CheckoutAbandonedRule
from profiles.triggers.low_stock import LOW_STOCK, LowStockRule
from profiles.triggers.price_dropped import PRICE_DROPPED, PriceDroppedRule
from profiles.triggers.replenishment import REPLENISHMENT_DUE, REPLENISHMENT_LATE
from profiles.triggers.segments import SEGMENT_ENTERED, SEGMENT_EXITED
from profiles.triggers.welcome import WELCOME, WelcomeRule

BUILT_IN: Final[tuple[TriggerDefinition[Any], ...]] = (
    CHECKOUT_ABANDONED,
    CART_ABANDONED,
    REPLENISHMENT_DUE,
    REPLENISHMENT_LATE,
    WELCOME,
    BACK_IN_STOCK,
    PRICE_DROPPED,
    LOW_STOCK,
    SEGMENT_ENTERED,
    SEGMENT_EXITED,
)

BY_NAME: Final[dict[str, TriggerDefinition[Any]]] = {definition.name: definition for definition in BUILT_IN}

RULE_TYPES: Final[tuple[type[TriggerRule], ...]] = tuple(definition.rule_type for definition in BUILT_IN)

__all__ = [
    "BACK_IN_STOCK",
    "BUILT_IN",
    "BY_NAME",
    "CART_ABANDONED",
    "CHECKOUT_ABANDONED",
    "LOW_STOCK",
    "PRICE_DROPPED",
    "REPLENISHMENT_DUE",
    "REPLENISHMENT_LATE",
    "RULE_TYPES",
    "WELCOME",
    "BackInStockRule",
    "CartAbandonedRule",
    "CheckoutAbandonedRule",
    "LowStockRule",
    "PriceDroppedRule",
    "TriggerDefinition",
    "WelcomeRule",
]
