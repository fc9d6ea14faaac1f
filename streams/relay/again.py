"""What relays gave up, sent again by hand: which of it lies on `relay-failed` still, to whom it may go, and how it went.

A trigger goes out as it was, in the same call under the same id, so a receiver that had it all the same drops it. The worker is
told (`Message Sent`), and what was taken is noted on the topic. Reading and publishing are in `streams.relay.aside`.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from profiles.consent import may_market
from profiles.profile import Profile
from profiles.rules import Rules
from streams.relay.delivery import Courier, Delivered, Disabled, Failure, Post
from streams.setting_relay import Relay

AWAY_AFTER: Final = 10
"""So many in a row that nobody answered for, or that were not taken for now: the receiver is away, and is let alone."""
IN_THE_WAY: Final = {
    "erased": "nothing is known of the customer any more, as when she was erased",
    "suppressed": "the customer asked not to be contacted at all",
    "no_consent": "the customer's consent allows marketing on no channel by now",
    "taken_back": "it was taken back meanwhile: its ground was gone already",
}
"""Why a trigger is not sent again."""

_failure = msgspec.json.Decoder(Failure).decode
_delivered = msgspec.json.Decoder(Delivered).decode


class Meant(Struct, frozen=True, kw_only=True):
    """Which failures are meant; what is empty does not matter. `since_ms` and `until_ms` are of when they were given up, the
    first included, the second not.
    """

    relay: str = ""
    reasons: frozenset[str] = frozenset()
    trigger_ids: frozenset[str] = frozenset()
    since_ms: int | None = None
    until_ms: int | None = None

    def takes(self, failure: Failure) -> bool:
        """Whether this one is meant."""
        return (
            (not self.relay or failure.relay == self.relay)
            and (not self.reasons or failure.reason in self.reasons)
            and (not self.trigger_ids or failure.trigger_id in self.trigger_ids)
            and (self.since_ms is None or failure.failed_at_ms >= self.since_ms)
            and (self.until_ms is None or failure.failed_at_ms < self.until_ms)
        )


def lying(values: Iterable[bytes], meant: Meant) -> list[Failure]:
    """What is meant of the records of the topic, in the order in which it was given up: of each trigger and relay the newest
    word, and nothing of what was taken after all. What is another program's is passed over.
    """
    newest: dict[tuple[str, str | bytes], tuple[int, Failure | None]] = {}
    for value in values:
        told = _told(value)
        if told is None:
            continue
        if isinstance(told, Failure):
            key = told.relay, told.trigger_id or bytes(told.original)
            word = told.failed_at_ms, told if meant.takes(told) else None
        else:
            key, word = (told.relay, told.trigger_id or ""), (told.at_ms, None)
        if key not in newest or word[0] >= newest[key][0]:
            newest[key] = word
    found = [failure for _, failure in newest.values() if failure is not None]
    return sorted(found, key=lambda failure: failure.failed_at_ms)


def _told(value: bytes) -> Failure | Delivered | None:
    for read in (_failure, _delivered):
        try:
            return read(value)
        except (ValueError, RecursionError):
            continue
    return None


def customer_of(failure: Failure) -> str:
    """The id of whom it is for; empty where the record is no trigger of a customer."""
    record = _record(failure)
    customer = record.get("customer")
    named = customer.get("id") if isinstance(customer, dict) else record.get("customer_id")
    return str(named or "")


def in_the_way(failure: Failure, profile: Profile | None, rules: Rules, now_ms: int) -> str | None:
    """Why it must not go out to her now, of IN_THE_WAY; None where it may. Caps and quiet hours held when it was decided."""
    if profile is None:
        return "erased"
    if profile.suppressed:
        return "suppressed"
    record = _record(failure)
    to_her = "of_trigger_id" not in record and record.get("trigger_class", "marketing") == "marketing"
    if to_her and not may_market(profile, now_ms, soft_opt_in=rules.soft_opt_in):
        return "no_consent"
    if any(sent.trigger_id == failure.trigger_id and sent.outcome == "retracted" for sent in profile.emitted):
        return "taken_back"
    return None


def too_late(failure: Failure, now_ms: int) -> bool:
    """Whether it has expired."""
    expires_ms = _record(failure).get("expires_at_ms")
    return isinstance(expires_ms, int) and now_ms > expires_ms


def _record(failure: Failure) -> dict[str, Any]:
    found = msgspec.json.decode(failure.original)
    return found if isinstance(found, dict) else {}


class Again:
    """Sends to one relay's receiver what was given up: each is tried once. `note` is told of each, with why it failed again."""

    def __init__(
        self,
        name: str,
        relay: Relay,
        post: Post,
        note: Callable[[Failure, Failure | None], Awaitable[None]],
        *,
        now_ms: Callable[[], int],
    ) -> None:
        # What the relay set aside it was to deliver, whatever `only` names now.
        self._courier = Courier(name, replace(relay, give_up_ms=0, only=()), post, now_ms=now_ms)
        self._note = note
        self._in_a_row = 0
        self.ended = ""
        """Why it let the receiver alone before all were tried."""

    async def send(self, failures: Sequence[Failure]) -> Counter[str]:
        """What came of them: `delivered`, a reason of FAILED, or `left`, once it has `ended`.

        Those of one customer go out one after the other.
        """
        lanes: defaultdict[str, list[Failure]] = defaultdict(list)
        for failure in failures:
            lanes[customer_of(failure)].append(failure)
        outcomes: Counter[str] = Counter()
        await asyncio.gather(*(self._lane(lane, outcomes) for lane in lanes.values()))
        return outcomes

    async def _lane(self, lane: list[Failure], outcomes: Counter[str]) -> None:
        for failure in lane:
            if self.ended:
                outcomes["left"] += 1
                continue
            try:
                again = await self._courier.deliver(bytes(failure.original))
            except Disabled as why:
                self.ended = str(why)
                outcomes["left"] += 1
                continue
            outcomes["delivered" if again is None else again.reason] += 1
            self._in_a_row = self._in_a_row + 1 if again is not None and again.reason == "given_up" else 0
            if again is not None and self._in_a_row >= AWAY_AFTER:
                self.ended = f"the receiver takes nothing; last: {again.detail}"
            await self._note(failure, again)
