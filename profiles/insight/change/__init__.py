"""Change in one customer's behaviour: small states, a few operations for each event, and the evidence with every alarm.

`cusum` watches a rhythm through standard scores, and says when silence alone is news; `order_value` watches what she spends
on an order, `categories` what she buys, `returns` how much she sends back. Each alarm is a `Shift`, comes once per regime
(the state then starts anew), and pauses between messages are the trigger's business. None can be taken back: a cancelled
order leaves what was seen of it.
"""

from profiles.insight.change.shift import Shift

__all__ = ["Shift"]
