"""What is kept of one customer to tell whether she behaves differently: the states of all measures together."""

from msgspec import Struct, field

from profiles.insight.change.categories import Shares
from profiles.insight.change.cusum import Cusum
from profiles.insight.change.order_value import OrderValues
from profiles.insight.change.returns import Returns


class Gaps(Struct, array_like=True, omit_defaults=True, gc=False):
    """Count, mean and sum of squared deviations of ln days between orders (Welford 1962)."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0


class Behaviour(Struct, omit_defaults=True, gc=False):
    """The states of all measures, and the newest order (epoch ms) that they have seen."""

    newest_ms: int | None = None
    gaps: Gaps = field(default_factory=Gaps)
    rhythm: Cusum = field(default_factory=Cusum)
    values: OrderValues = field(default_factory=OrderValues)
    shares: Shares = field(default_factory=Shares)
    returns: Returns = field(default_factory=Returns)
