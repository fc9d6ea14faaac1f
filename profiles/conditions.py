"""Further conditions of triggers: whether one holds for a customer, by the name of the trigger."""

from collections.abc import Mapping
from typing import Protocol

from profiles.profile import Profile
from profiles.state import Episode


class Condition(Protocol):
    """A condition of the rules, made ready to be asked."""

    def __call__(self, profile: Profile, episode: Episode, now_ms: int) -> bool:
        """Whether it holds at a moment; what can't be told counts as not."""


Conditions = Mapping[str, Condition]
