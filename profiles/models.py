"""What was learned from all customers together, as the engine uses it: read-only, and exchanged as a whole between batches."""

from msgspec import Struct

from profiles.insight.pair_table import Recommendations
from profiles.insight.repurchase import RepurchaseModel
from profiles.value.model import ValueModel


class Models(Struct, frozen=True, kw_only=True):
    """The models of an installation; None where none was fitted or given."""

    value: ValueModel | None = None
    """Orders to come, churn and worth of customers."""
    repurchase: RepurchaseModel | None = None
    """How long products last until they are bought again."""
    together: Recommendations | None = None
    """What is bought together with each product."""
