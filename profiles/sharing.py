"""One customer turns out to be two: whose is what she waited for, and what she was sent? Pure; called by `profiles.splitting`.

A trigger is about an order, a cart, a wish: what either of the two has of that says whose it is. A message that was about
neither's, or about something that both have, may have reached either, so its cooldown holds for both.
"""

from collections.abc import Collection
from typing import Any

from msgspec.structs import replace

from profiles import episodes
from profiles.definition import TriggerDefinition, hears
from profiles.episodes import Triggers
from profiles.ids import renamed
from profiles.profile import Profile
from profiles.state import SHARED, Emitted, Episode
from profiles.triggers.cart_abandoned import episode_key
from profiles.turn import Turn


class Sharing:
    """Between the customer who stays and the side that leaves her, each with her orders."""

    def __init__(self, stays: Profile, hers: set[str], leaves: Profile, theirs: set[str], triggers: Triggers) -> None:
        """`hers` and `theirs` are the ids of the orders of either."""
        self._stays, self._hers, self._leaves, self._theirs = stays, hers, leaves, theirs
        self._triggers = triggers
        self._grounds: dict[str, tuple[set[str], set[str]]] = {}

    def share_sent(self, now_ms: int, since_ms: int, goes: Collection[str]) -> None:
        """What was sent about something of one of the two is hers alone; of what else was sent since they were united, at
        `since_ms`, both know. `goes` are the identifiers that leave.
        """
        kept = []
        for sent in self._stays.emitted:
            leaves: bool | None = _is_named(sent.first_key, goes) or self._leaves_with(sent.name, sent.key)
            if not leaves:
                kept.append(sent)
            if leaves or (leaves is None and sent.emitted_ms >= since_ms):
                self._tell(sent, now_ms, is_hers=leaves is True)
        self._stays.emitted[:] = kept

    def _tell(self, sent: Emitted, now_ms: int, *, is_hers: bool) -> None:
        """Let the side that leaves know of a message: all of it where it `is_hers`; else only what cooldowns go by."""
        definition = self._triggers.get(sent.name)
        if definition is None or sent.until_ms < now_ms:
            return
        if is_hers:
            known = replace(sent, key=renamed(sent.key, self._stays.id, self._leaves.id), first_key=None)
        elif not hears(definition, "cools"):
            # What it was about is the other's, and no business of hers.
            known = replace(sent, key=self._leaves.id, first_key=None, cart_id=None, checkout_id=None, product_ids=[])
        else:
            return
        known.outcome = SHARED
        self._leaves.emitted.append(known)

    def share_waiting(self, turn: Turn, ours: dict[str, Episode]) -> None:
        """Each waits for what she would wait for alone. What the sides know of that is `ours`, or with the one that leaves; all
        else goes with what it is about, and what was only planned because the two were one ends.
        """
        stays, leaving = self._stays, self._leaves
        for place, episode in list(leaving.episodes.items()):
            key = renamed(episode.key, leaving.id, stays.id)
            if self._leaves_with(episode.name, key, episode.anchor) is False:
                del leaving.episodes[place]  # she told of a parcel of the other
        for place, episode in list(ours.items()):
            if self._leaves_with(episode.name, episode.key, episode.anchor):
                del ours[place]
        # What opened it may have been taken for a step of the other's checkout, and stand under that one's name.
        theirs = {(episode.name, episode.anchor) for episode in leaving.episodes.values()}
        for place, episode in list(stays.episodes.items()):
            definition = self._triggers.get(episode.name)
            known = (episode.name, episode.anchor) in theirs
            leaves = known or self._leaves_with(episode.name, episode.key, episode.anchor)
            if place in ours or leaves is False:
                continue
            if definition is None:
                if leaves:
                    del stays.episodes[place]
                continue
            if leaves is None and (not definition.waits_apart or episode.occurrence > 1):
                continue
            key = renamed(episode.key, stays.id, leaving.id)
            there = episodes.slot(episode.name, key)
            if leaves and definition.follows_order and episode.occurrence == 1 and not known:
                leaving.episodes[there] = replace(episode, key=key)
            episodes.cancel(turn, definition, episode.key, "split")
        for episode in ours.values() if not stays.suppressed else ():
            episodes.plan_as(turn, self._triggers[episode.name], episode)

    def _leaves_with(self, name: str, key: str, *anchor: str) -> bool | None:
        """Whether what a trigger is about leaves; None where that is nothing of either, or something of both."""
        if name not in self._grounds:
            definition = self._triggers.get(name)
            here = _grounds(self._stays, self._hers, definition)
            self._grounds[name] = here, _grounds(self._leaves, self._theirs, definition)
        ours, theirs = self._grounds[name]
        about = {key.removeprefix(f"{self._stays.id}|"), *key.split("|")}
        for names in ({*anchor}, about):
            stays, leaves = not ours.isdisjoint(names), not theirs.isdisjoint(names)
            if stays != leaves:
                return leaves
        return None


def _grounds(profile: Profile, orders: set[str], definition: TriggerDefinition[Any] | None) -> set[str]:
    """What a trigger may wait about, or have been sent about."""
    own = None if definition is None else definition.grounds(profile)
    if own is not None:
        return {*own}
    of_carts = [episode_key(profile, cart_id).removeprefix(f"{profile.id}|") for cart_id in profile.carts]
    begun = [checkout.started_by for checkout in profile.checkouts.values()]
    return {*orders, *of_carts, *profile.checkouts, *begun}


def _is_named(key: str | None, identifiers: Collection[str]) -> bool:
    """Whether the customer of a key is one of these."""
    return key is not None and any(renamed(key, one, "") != key for one in identifiers)
