"""The one thing most worth saying to a customer who is in the shop right now: her best trigger, armed or due.

Nothing is decided by asking: no episode ends, no cooldown begins. The worker stays the only one who emits.
"""

from typing import Any, Literal

from msgspec import Struct

from profiles import gates
from profiles.book import Book
from profiles.definition import TriggerDefinition
from profiles.episodes import Triggers, id_of
from profiles.goods_state import Goods
from profiles.profile import Profile
from profiles.state import Episode, Moment
from profiles.told import ToldFacts
from profiles.turn import Turn
from schemas.outputs import Item


class NextTrigger(Struct, frozen=True, kw_only=True):
    """A trigger that would pass its gates now. `trigger_id` is the one it will be emitted under, if nothing changes it.

    `state` is `due` from `due_at_ms` on, `armed` before. Amounts are minor units of `currency`, with `exponent` decimals.
    """

    trigger_id: str
    name: str
    episode_key: str
    occurrence: int
    priority: int
    state: Literal["armed", "due"]
    due_at_ms: int
    items: tuple[Item, ...]
    value_minor: int | None
    currency: str
    exponent: int
    recovery_url: str | None


def next_trigger(
    profile: Profile,
    book: Book,
    triggers: Triggers,
    now_ms: int,
    goods: Goods | None = None,
    facts: ToldFacts | None = None,
) -> NextTrigger | None:
    """The waiting episode with the best priority (then the earliest due) whose condition holds and whose gates are open.

    `goods`: price and stock of what she watches, as far as they are known; `facts`: what events told of products besides.
    """
    at = Moment(now_ms, now_ms, goods or {}, facts or {})
    turn = Turn(profile, book, at, [], cause="read", time_ms=now_ms, received_ms=now_ms)
    waiting = [
        (definition.rule(book).priority, episode.due_ms, episode.name, episode.key, definition, episode)
        for episode in profile.episodes.values()
        if (definition := triggers.get(episode.name)) is not None and definition.speaks
    ]
    for *_, definition, episode in sorted(waiting, key=lambda each: each[:4]):
        if definition.check(turn, episode, now_ms) is not None:
            continue
        if now_ms - episode.due_ms > definition.rule(book).max_lateness_ms:
            continue
        condition = book.conditions.get(definition.name)
        if condition is not None and not condition.holds(turn, definition, episode, now_ms):
            continue
        verdict = gates.ask(turn, definition, episode, now_ms, id_of(turn, definition, episode), on_site=True)
        if verdict.shut is None:
            return _shown(turn, definition, episode, now_ms)
    return None


def _shown(turn: Turn, definition: TriggerDefinition[Any], episode: Episode, now_ms: int) -> NextTrigger:
    book = turn.book
    content = definition.content(turn, episode)
    currency = content.currency or book.shop_currency
    return NextTrigger(
        trigger_id=id_of(turn, definition, episode),
        name=definition.name,
        episode_key=episode.key,
        occurrence=episode.occurrence,
        priority=definition.rule(book).priority,
        state="due" if episode.due_ms <= now_ms else "armed",
        due_at_ms=episode.due_ms,
        items=content.items,
        value_minor=content.value_minor,
        currency=currency,
        exponent=book.exponent(currency),
        recovery_url=content.recovery_url,
    )
