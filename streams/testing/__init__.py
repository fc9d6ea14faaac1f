"""What a shop needs to test its own triggers and rules under pytest: stories, and the laws every trigger obeys.

from streams.testing import Story          # near-English stories under a simulated clock
from streams.testing.laws import check     # a trigger's laws, over random histories; needs the extra `testing`
"""

from streams.testing.faults import TriggerFault
from streams.testing.shop import Shop, StoryError
from streams.testing.story import Person, Sent, Story

__all__ = ["Person", "Sent", "Shop", "Story", "StoryError", "TriggerFault"]
