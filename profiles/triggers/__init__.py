"""Built-in triggers, a module for each family, and the table of them. Adding one is a module and a line in BUILT_IN.

Start with `profiles.definition` for what a trigger must answer. The order of the table is the order in which triggers are
told of what happens: checkouts before carts, since they take carts over.
"""

from typing import Any, Final

from profiles.cart_rules import CartAbandonedRule, CheckoutAbandonedRule
from profiles.definition import TriggerDefinition
from profiles.goods_rules import BackInStockRule, LowStockRule, PriceDroppedRule
from profiles.life_rules import BehaviourChangeRule, WelcomeRule, WinbackRule
from profiles.order_rules import BundleSuggestRule, CrossSellRule
from profiles.rules import TriggerRule
from profiles.triggers.back_in_stock import BACK_IN_STOCK
from profiles.triggers.behaviour_change import BEHAVIOUR_CHANGE
from profiles.triggers.browse_abandoned import BROWSE_ABANDONED
from profiles.triggers.cart_abandoned import CART_ABANDONED
from profiles.triggers.category_interest import CATEGORY_INTEREST
from profiles.triggers.checkout_abandoned import CHECKOUT_ABANDONED
from profiles.triggers.churn_risk import CHURN_RISK, ChurnRiskRule
from profiles.triggers.coupon_triggers import COUPON_EXPIRING, NEXT_ORDER_COUPON
from profiles.triggers.cross_sell import BUNDLE_SUGGEST, CROSS_SELL
from profiles.triggers.detractor import FEEDBACK_OVERDUE, NPS_DETRACTOR
from profiles.triggers.gift_threshold import GIFT_THRESHOLD
from profiles.triggers.low_stock import LOW_STOCK
from profiles.triggers.ltv_milestone import LTV_MILESTONE, LtvMilestoneRule
from profiles.triggers.new_buyer import SECOND_ORDER_WELCOME
from profiles.triggers.nps_survey import NPS_SURVEY
from profiles.triggers.payment_failed import PAYMENT_FAILED
from profiles.triggers.post_purchase import POST_PURCHASE_CONTENT
from profiles.triggers.price_dropped import PRICE_DROPPED
from profiles.triggers.promoter import NPS_PROMOTER
from profiles.triggers.replenishment import REPLENISHMENT_DUE, REPLENISHMENT_LATE
from profiles.triggers.review_request import REVIEW_REQUEST
from profiles.triggers.satisfaction import SATISFACTION_DROPPED
from profiles.triggers.search_abandoned import SEARCH_ABANDONED
from profiles.triggers.segments import SEGMENT_ENTERED, SEGMENT_EXITED
from profiles.triggers.unsubscribed import UNSUBSCRIBE_FEEDBACK
from profiles.triggers.vip import VIP_ENTERED, VIP_LEFT, VipEnteredRule, VipLeftRule
from profiles.triggers.welcome import WELCOME
from profiles.triggers.winback import WINBACK
from profiles.triggers.wishlist_reminder import WISHLIST_REMINDER
from profiles.triggers.yearly import ANNIVERSARY, BIRTHDAY

BUILT_IN: Final[tuple[TriggerDefinition[Any], ...]] = (
    CHECKOUT_ABANDONED,
    CART_ABANDONED,
    WISHLIST_REMINDER,
    SEARCH_ABANDONED,
    BROWSE_ABANDONED,
    CATEGORY_INTEREST,
    REPLENISHMENT_DUE,
    REPLENISHMENT_LATE,
    WELCOME,
    POST_PURCHASE_CONTENT,
    REVIEW_REQUEST,
    NPS_SURVEY,
    NPS_DETRACTOR,
    FEEDBACK_OVERDUE,
    SATISFACTION_DROPPED,
    NPS_PROMOTER,
    UNSUBSCRIBE_FEEDBACK,
    BACK_IN_STOCK,
    PRICE_DROPPED,
    LOW_STOCK,
    CROSS_SELL,
    BUNDLE_SUGGEST,
    SECOND_ORDER_WELCOME,
    PAYMENT_FAILED,
    GIFT_THRESHOLD,
    NEXT_ORDER_COUPON,
    COUPON_EXPIRING,
    BIRTHDAY,
    ANNIVERSARY,
    CHURN_RISK,
    WINBACK,
    VIP_ENTERED,
    VIP_LEFT,
    LTV_MILESTONE,
    BEHAVIOUR_CHANGE,
    SEGMENT_ENTERED,
    SEGMENT_EXITED,
)

BY_NAME: Final[dict[str, TriggerDefinition[Any]]] = {definition.name: definition for definition in BUILT_IN}

RULE_TYPES: Final[tuple[type[TriggerRule], ...]] = tuple(definition.rule_type for definition in BUILT_IN)

__all__ = [
    "BACK_IN_STOCK",
    "BEHAVIOUR_CHANGE",
    "BUILT_IN",
    "BUNDLE_SUGGEST",
    "BY_NAME",
    "CART_ABANDONED",
    "CHECKOUT_ABANDONED",
    "CHURN_RISK",
    "CROSS_SELL",
    "FEEDBACK_OVERDUE",
    "LOW_STOCK",
    "LTV_MILESTONE",
    "NPS_DETRACTOR",
    "NPS_PROMOTER",
    "NPS_SURVEY",
    "POST_PURCHASE_CONTENT",
    "PRICE_DROPPED",
    "REPLENISHMENT_DUE",
    "REPLENISHMENT_LATE",
    "REVIEW_REQUEST",
    "RULE_TYPES",
    "SATISFACTION_DROPPED",
    "UNSUBSCRIBE_FEEDBACK",
    "VIP_ENTERED",
    "VIP_LEFT",
    "WELCOME",
    "WINBACK",
    "BackInStockRule",
    "BehaviourChangeRule",
    "BundleSuggestRule",
    "CartAbandonedRule",
    "CheckoutAbandonedRule",
    "ChurnRiskRule",
    "CrossSellRule",
    "LowStockRule",
    "LtvMilestoneRule",
    "PriceDroppedRule",
    "TriggerDefinition",
    "VipEnteredRule",
    "VipLeftRule",
    "WelcomeRule",
    "WinbackRule",
]
