"""What an expression is evaluated on: one customer, and where there is one the event and the episode."""

from typing import Any, Final

from profiles.expressions.errors import Failed
from profiles.view import ProfileView

STEPS_MAX: Final = 10_000
"""Elements that all loops of one evaluation may pass together; a customer has at most some 3,000 cart lines."""


class Scope:
    """The variables of one evaluation.

    `variables` are those of macros, by the place the compiler gave them. `steps` is what loops may still do.
    """

    __slots__ = ("episode", "event", "now_ms", "profile", "steps", "variables")

    def __init__(self, profile: ProfileView, event: Any = None, episode: Any = None) -> None:
        self.profile = profile
        self.event = event
        self.episode = episode
        self.now_ms = profile.now_ms
        self.steps = STEPS_MAX
        self.variables: dict[int, Any] = {}

    def take_steps(self, count: int) -> None:
        """Pay for a loop before it is run. Raises Failed when it would be too long."""
        self.steps -= count
        if self.steps < 0:
            raise Failed(f"more than {STEPS_MAX} steps")
