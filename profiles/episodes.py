"""The life of a trigger episode: armed, due, then emitted, suppressed, deferred, cancelled or expired; afterwards retracted or
converted.

A definition plans episodes (`plan`, `cancel`); when one comes due (`decide_due`) its condition is asked again, then the gates.
An episode that comes due while the customer can't be reached is held until she can, or until it is too late; one that comes
due in her quiet hours is put off to their end. Nothing here depends on where a batch was cut: a timer is decided at the clock
it fires at, which in replay is its due time.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from msgspec.structs import replace

from profiles import exposures, gates
from profiles.consent import summary
from profiles.contacts import shown_ids
from profiles.content import Content
from profiles.definition import MOMENT, REASON, BadAnswer, TriggerDefinition
from profiles.gates import Verdict
from profiles.goods import good_key, in_stock
from profiles.goods_state import Goods
from profiles.holdout import is_measured
from profiles.identity import contact, only
from profiles.ids import renamed, trigger_id, uuid5
from profiles.order_state import Contribution
from profiles.order_stats import average_minor
from profiles.profile import Profile
from profiles.sent import within
from profiles.state import EMITTED_MAX, EPISODES_MAX, EVIDENCE_MAX, SERVICE_PLACES, Emitted, Episode, RecentOrder
from profiles.turn import Turn
from profiles.zones import own_zone
from schemas.outputs import (
    Customer,
    DecisionTrail,
    HoldoutShown,
    Item,
    ProfileSummary,
    State,
    Trigger,
    TriggerOutcome,
)

TOO_LATE: Final = "max_lateness"
TURN: Final = "turn"
RENAMED: Final = "renamed"
TOO_MANY: Final = "too_many"

Triggers = Mapping[str, TriggerDefinition[Any]]
"""The triggers there are, by name."""


def slot(name: str, key: str) -> str:
    """Where an episode stands in the profile: one per trigger and episode key."""
    return f"{name}|{key}"


def id_of(turn: Turn, definition: TriggerDefinition[Any], episode: Episode) -> str:
    """The trigger id of an episode as it stands; reminders carry the first one's anchor and their number."""
    return trigger_id(
        turn.book.shop_id, definition.name, definition.version, episode.key, episode.anchor, episode.occurrence
    )


def plan(
    turn: Turn,
    definition: TriggerDefinition[Any],
    key: str,
    anchor: str,
    opened_ms: int,
    due_ms: int,
    *,
    occurrence: int = 1,
    data: dict[str, Any] | None = None,
) -> None:
    """Arm an episode, or move the armed one to what is now known of it.

    One that opened with another anchor and is no correction (its opening is later) is taken as a new episode. An event that
    came later than the allowed lateness arms only what is due after it was received. `data` is what the trigger keeps about
    the episode; it takes the place of what was kept. Raises TypeError for a moment that is no whole number of milliseconds.
    """
    profile = turn.profile
    place = slot(definition.name, key)
    episode = profile.episodes.get(place)
    if episode is not None:
        if data is not None:
            episode.data = data
        if (episode.due_ms, episode.anchor, episode.opened_ms) == (due_ms, anchor, opened_ms):
            return
    if type(due_ms) is not int or type(opened_ms) is not int:
        # It would be written, and the profile never be read again.
        raise TypeError(
            f"{definition.name} is planned for {due_ms!r}, opened at {opened_ms!r}: both must be int, in ms"
        )
    past_due = due_ms < turn.at.clock_ms
    if episode is None:
        episode = Episode(definition.name, key, anchor, opened_ms, due_ms, occurrence=occurrence, data=data or {})
        if due_ms <= turn.received_ms and turn.too_late:
            if not turn.imported:
                _refuse(turn, definition, episode, TOO_LATE)
            return
        if len(profile.episodes) >= EPISODES_MAX - SERVICE_PLACES and not _has_place(turn, definition):
            _refuse(turn, definition, episode, TOO_MANY)
            return
        profile.episodes[place] = episode
        turn.decide(episode, id_of(turn, definition, episode), "armed", at_ms=turn.now_ms)
    else:
        before = _anchor_anew(episode, anchor, opened_ms) if anchor != episode.anchor else None
        episode.opened_ms, episode.due_ms = opened_ms, due_ms
        episode.wait_ms = episode.wait = None
        note_evidence(episode, turn.cause)
        if before is not None:
            go_on(turn, definition, episode, [before])
    episode.measured_from_ms = turn.now_ms if past_due else None


def plan_by_day(
    turn: Turn,
    definition: TriggerDefinition[Any],
    key: str,
    day: str,
    opened_ms: int,
    due_ms: int,
    *,
    data: dict[str, Any] | None = None,
) -> None:
    """As `plan`, anchored in a day: which event opens it depends on which was heard of first. That event is evidence."""
    plan(turn, definition, key, day, opened_ms, due_ms, data=data)
    episode = waiting(turn.profile, definition, key)
    if episode is not None and turn.cause != "timer":
        note_evidence(episode, turn.cause)


def plan_as(turn: Turn, definition: TriggerDefinition[Any], episode: Episode) -> None:
    """Arm what waited elsewhere, or move what waits for the same."""
    key, number = episode.key, episode.occurrence
    plan(turn, definition, key, episode.anchor, episode.opened_ms, episode.due_ms, occurrence=number, data=episode.data)


def _anchor_anew(episode: Episode, anchor: str, opened_ms: int) -> Episode:
    """Another event opened it than was thought. What was taken for that is evidence still, unless it is over by now. Gives it as
    it was.
    """
    before, episode.anchor = replace(episode), anchor
    episode.evidence = [message_id for message_id in episode.evidence if message_id != anchor]
    if opened_ms <= episode.opened_ms:
        note_evidence(episode, before.anchor)
    return before


def go_on(turn: Turn, definition: TriggerDefinition[Any], episode: Episode | None, before: Collection[Episode]) -> None:
    """Tell that what waited `before` goes on as this episode: where it now has another id, its life under the one it had ends.
    `episode` None: there was no place for it.
    """
    identity = None if episode is None else id_of(turn, definition, episode)
    reason = TOO_MANY if episode is None else RENAMED
    known = {id_of(turn, definition, one): one for one in before}
    for had, one in known.items():
        if had != identity:
            turn.decide(one, had, "cancelled", reason=reason, at_ms=turn.now_ms, renamed_to=identity)
    if episode is not None and identity is not None and identity not in known:
        turn.decide(episode, identity, "armed", at_ms=turn.now_ms)


def note_evidence(episode: Episode, message_id: str) -> None:
    """The events that moved an episode, the newest EVIDENCE_MAX of them."""
    if message_id != episode.anchor and message_id not in episode.evidence:
        episode.evidence.append(message_id)
        if len(episode.evidence) > EVIDENCE_MAX:
            del episode.evidence[0]


def _has_place(turn: Turn, definition: TriggerDefinition[Any]) -> bool:
    """Whether one more may wait where marketing fills all but the last places, which are kept for service."""
    service = definition.rule(turn.book).trigger_class == "service"
    return service and len(turn.profile.episodes) < EPISODES_MAX


def _refuse(turn: Turn, definition: TriggerDefinition[Any], episode: Episode, reason: str) -> None:
    turn.decide(episode, id_of(turn, definition, episode), "expired", reason=reason, at_ms=turn.now_ms)


def waiting(profile: Profile, definition: TriggerDefinition[Any], key: str) -> Episode | None:
    """The armed episode of a trigger about something, None if there is none."""
    return profile.episodes.get(slot(definition.name, key))


def waiting_of(profile: Profile, definition: TriggerDefinition[Any]) -> list[Episode]:
    """All armed episodes of a trigger."""
    if not profile.episodes:
        return []
    return [episode for episode in profile.episodes.values() if episode.name == definition.name]


def was_sent(profile: Profile, name: str, key: str) -> bool:
    """Whether a trigger was sent about what goes by this key, as far as that is remembered."""
    return profile.has_emitted and any(sent.name == name and sent.key == key for sent in profile.emitted)


def told_since(profile: Profile, episode: Episode, opened_ms: int) -> bool:
    """Whether a trigger was sent about the same as a waiting one, and for what happened at `opened_ms` or later: two profiles
    that became one may both have waited, and one of them no longer.
    """
    return profile.has_emitted and any(
        sent.name == episode.name and sent.key == episode.key and sent.opened_ms >= opened_ms
        for sent in profile.emitted
    )


def cancel(turn: Turn, definition: TriggerDefinition[Any], key: str, reason: str, order_id: str | None = None) -> None:
    """End an armed episode whose ground is gone; nothing happens if there is none."""
    episode = waiting(turn.profile, definition, key)
    if episode is not None:
        _end(turn, definition, episode, "cancelled", reason, turn.now_ms, order_id=order_id)


def cancel_marketing(turn: Turn, triggers: Triggers, reason: str) -> None:
    """End the armed marketing episodes that had opened by the time of the event; on what opened since the gates decide.

    What opens in the future waits for a parcel on its way, and was armed before.
    """
    for episode in list(turn.profile.episodes.values()):
        if turn.time_ms < episode.opened_ms <= turn.at.clock_ms:
            continue
        definition = triggers.get(episode.name)
        if definition is not None and definition.rule(turn.book).trigger_class == "marketing":
            _end(turn, definition, episode, "cancelled", reason, turn.now_ms)


def cancel_all(turn: Turn, triggers: Triggers, reason: str) -> int:
    """End every armed episode and wait for nothing any more; gives how many there were of both."""
    profile = turn.profile
    count = len(profile.episodes) + len(profile.wakes)
    for place, episode in list(profile.episodes.items()):
        definition = triggers.get(episode.name)
        if definition is None:
            profile.episodes.pop(place, None)
        elif place in profile.episodes:
            _end(turn, definition, episode, "cancelled", reason, turn.now_ms)
    profile.episodes.clear()
    profile.wakes.clear()
    for side in profile.kept_sides():
        side.episodes.clear()
    return count


def _end(
    turn: Turn,
    definition: TriggerDefinition[Any],
    episode: Episode,
    state: State,
    reason: str | None,
    now_ms: int,
    *,
    order_id: str | None = None,
    passed: tuple[str, ...] = (),
    identity: str = "",
) -> None:
    del turn.profile.episodes[slot(definition.name, episode.key)]
    if turn.profile.has_sides and state != "cancelled":
        _end_apart(turn.profile, episode)
    turn.decide(
        episode,
        identity or id_of(turn, definition, episode),
        state,
        reason=reason,
        at_ms=now_ms,
        order_id=order_id,
        gates=passed,
    )
    definition.ended(turn, episode, state, now_ms)


def _end_apart(profile: Profile, episode: Episode) -> None:
    """What the gates let through to nobody is not asked of them again because a side that waits for it too is taken out."""
    for identifier, part in profile.sides.items():
        if part.is_kept:
            part.kept.episodes.pop(slot(episode.name, renamed(episode.key, profile.id, identifier)), None)


# --- coming due ---------------------------------------------------------------------------------------------------


def next_of(profile: Profile, triggers: Triggers, turn_of: Turn) -> Episode:
    """The waiting episode that comes first: by its time, then by priority, then by due time."""

    def rank(episode: Episode) -> tuple[int, int, str, str]:
        definition = triggers.get(episode.name)
        priority = 0 if definition is None else definition.rule(turn_of.book).priority
        return (priority, episode.due_ms, episode.name, episode.key)

    episodes = profile.episodes.values()
    if len(episodes) == 1:
        return next(iter(episodes))
    # Two that are due in the same millisecond are rare.
    first: list[Episode] = []
    first_ms = 0
    for episode in episodes:
        wake_ms = episode.due_ms if episode.wait_ms is None else episode.wait_ms
        if not first or wake_ms < first_ms:
            first, first_ms = [episode], wake_ms
        elif wake_ms == first_ms:
            first.append(episode)
    return min(first, key=rank) if len(first) > 1 else first[0]


def decide_due(turn: Turn, triggers: Triggers, episode: Episode) -> None:
    """Decide an episode whose timer has come: condition, lateness, gates, emission."""
    profile, book = turn.profile, turn.book
    definition = triggers.get(episode.name)
    if definition is None:  # a trigger of an earlier release, or of a company's package that is gone
        del profile.episodes[slot(episode.name, episode.key)]
        return
    rule = definition.rule(book)
    now_ms, wake_ms = _now_ms(turn, episode), episode.wake_ms
    waited_for, episode.wait, episode.wait_ms = episode.wait, None, None
    # Of any type, as far as is known: compiled code would else refuse what is no text, without saying whose it is.
    check: Callable[[Turn, Episode, int], Any] = definition.check
    reason = "disabled" if not rule.enabled else check(turn, episode, now_ms)
    if (
        reason is None
        and (condition := book.conditions.get(definition.name)) is not None
        and not condition.holds(turn, definition, episode, now_ms)
    ):
        reason = "condition"
    if reason is not None:
        if type(reason) is not str:
            raise BadAnswer(definition.name, "check", reason, REASON)
        _end(turn, definition, episode, "cancelled", reason, now_ms)
        return
    if waited_for == gates.UNREACHABLE or now_ms - episode.due_ms > rule.max_lateness_ms:
        late = gates.UNREACHABLE if waited_for == gates.UNREACHABLE else TOO_LATE
        _end(turn, definition, episode, "expired", late, now_ms)
        return
    # What was just armed and is due at once is most often all there is.
    alone = len(profile.episodes) == 1 and not profile.wakes
    if (
        not alone
        and rule.trigger_class == "marketing"
        and _gives_way(turn, triggers, episode, wake_ms, rule.priority, waited_for)
    ):
        return
    identity = id_of(turn, definition, episode)
    verdict = gates.ask(turn, definition, episode, now_ms, identity)
    if verdict.shut is None or verdict.shut == gates.HELD_OUT:
        _emit(turn, definition, episode, now_ms, identity, verdict)
    elif verdict.shut == gates.UNREACHABLE:
        _wait(turn, definition, episode, now_ms, verdict, "unreachable", episode.due_ms + rule.max_lateness_ms + 1)
    elif verdict.until_ms is not None:
        _wait(turn, definition, episode, now_ms, verdict, "deferred", verdict.until_ms)
    else:
        _end(turn, definition, episode, "suppressed", verdict.shut, now_ms, passed=verdict.passed, identity=identity)


def _gives_way(
    turn: Turn, triggers: Triggers, episode: Episode, wake_ms: int, priority: int, waited_for: str | None
) -> bool:
    """Whether a more important trigger of the customer is due within a minute, or was put off to the same morning: it goes
    first, and this one then asks the gates again. No decision is taken, so none is recorded.
    """
    rules = turn.book.rules
    together_ms = rules.precedence.together_ms
    if waited_for == gates.QUIET:
        morning_ms = wake_ms + rules.quiet_hours.jitter_ms
        later = [
            other.wake_ms
            for other in turn.profile.episodes.values()
            if other.wait == gates.QUIET
            and wake_ms < other.wake_ms <= morning_ms
            and (definition := triggers.get(other.name)) is not None
            and definition.rule(turn.book).priority < priority
        ]
        if later:
            episode.wait, episode.wait_ms = TURN, max(later)
            return True
    wakes = [
        other.wake_ms
        for other in turn.profile.episodes.values()
        if other is not episode
        and wake_ms < other.wake_ms <= wake_ms + together_ms
        and (definition := triggers.get(other.name)) is not None
        and definition.rule(turn.book).priority < priority
    ]
    for wake, at_ms in turn.profile.wakes.items():
        if wake_ms < at_ms <= wake_ms + together_ms:
            name, _, what = wake.partition("|")
            definition = triggers.get(name)
            if definition is not None and definition.rule(turn.book).priority < priority:
                foreseen: Callable[[Turn, str], Any] = definition.foreseen_ms
                due_ms = foreseen(turn, what)
                if due_ms is not None and type(due_ms) is not int:
                    raise BadAnswer(name, "foreseen_ms", due_ms, MOMENT)
                if due_ms is not None and due_ms <= wake_ms + together_ms:
                    wakes.append(due_ms)
    if not wakes:
        return False
    episode.wait, episode.wait_ms = TURN, min(wakes)
    return True


def _now_ms(turn: Turn, episode: Episode) -> int:
    """The wall clock live. In replay the clock stops at each due time; only what was past due when planned is measured."""
    if turn.at.wall_ms is not None:
        return turn.at.wall_ms
    return max(episode.wake_ms, episode.measured_from_ms or 0)


def _wait(
    turn: Turn,
    definition: TriggerDefinition[Any],
    episode: Episode,
    now_ms: int,
    verdict: Verdict,
    state: State,
    until_ms: int,
) -> None:
    episode.wait, episode.wait_ms = verdict.shut, until_ms
    turn.decide(
        episode,
        id_of(turn, definition, episode),
        state,
        reason=verdict.shut,
        at_ms=now_ms,
        until_ms=until_ms,
        gates=verdict.passed,
    )


def release_held(turn: Turn) -> None:
    """The customer can be reached from now on: what waited for that is due at once."""
    for episode in turn.profile.episodes.values():
        if episode.wait == gates.UNREACHABLE:
            episode.wait = episode.wait_ms = None
            episode.measured_from_ms = turn.now_ms


def _emit(
    turn: Turn, definition: TriggerDefinition[Any], episode: Episode, now_ms: int, identity: str, verdict: Verdict
) -> None:
    profile, book = turn.profile, turn.book
    rule = definition.rule(book)
    content = definition.content(turn, episode)
    if type(content) is not Content:
        raise BadAnswer(definition.name, "content", content, "a Content")
    currency = content.currency or book.shop_currency
    ghost, place = verdict.shut == gates.HELD_OUT, verdict.place
    turn.out.append(
        Trigger(
            trigger_id=identity,
            name=definition.name,
            version=definition.version,
            occurrence=episode.occurrence,
            episode_key=episode.key,
            priority=rule.priority,
            trigger_class=rule.trigger_class,
            shop_id=book.shop_id,
            customer=_customer(profile, now_ms, contact_details=rule.contact_details),
            occurred_at_ms=episode.opened_ms,
            due_at_ms=episode.due_ms,
            emitted_at_ms=now_ms,
            expires_at_ms=episode.due_ms + rule.max_lateness_ms,
            items=_stocked(content.items, turn.at.goods),
            value_minor=content.value_minor,
            currency=currency,
            exponent=book.exponent(currency),
            recovery_url=content.recovery_url,
            coupon=content.coupon,
            profile=_summary(profile),
            details=content.details,
            holdout=None if place is None else HoldoutShown(group=place.group, bucket=place.bucket),
            shadow=ghost or book.shadow,
            decision=DecisionTrail(gates=verdict.passed, rule=content.rule, rules=book.rules.version),
            evidence=(episode.anchor, *episode.evidence),
        )
    )
    sent = profile.emitted
    sent.append(
        Emitted(
            trigger_id=identity,
            name=definition.name,
            key=episode.key,
            due_ms=episode.due_ms,
            emitted_ms=now_ms,
            occurrence=episode.occurrence,
            opened_ms=episode.opened_ms,
            cart_id=content.cart_id,
            checkout_id=content.checkout_id,
            product_ids=sorted({item.product_id for item in content.items}),
            service=rule.trigger_class == "service",
            ghost=ghost,
            until_ms=now_ms + rule.memory_ms(book.rules),
        )
    )
    if sent[0].until_ms < now_ms or len(sent) > EMITTED_MAX:
        sent[:] = within([one for one in sent if one.until_ms >= now_ms])
    # A ghost counts in everything as an emission would: both arms must go on alike.
    if is_measured(rule, book.rules):
        exposures.expose(profile, rule, definition.name, book.rules, now_ms, turn.time_ms)
    del profile.episodes[slot(definition.name, episode.key)]
    turn.decide(
        episode,
        identity,
        "suppressed" if ghost else "emitted",
        reason=verdict.shut,
        at_ms=now_ms,
        gates=verdict.passed,
    )
    definition.ended(turn, episode, "emitted", now_ms)


def _stocked(items: tuple[Item, ...], known: Goods) -> tuple[Item, ...]:
    """The items with what is known of their stock now."""
    if not known:
        return items
    keys = [good_key(item.product_id, item.variant_id) for item in items]
    return tuple(
        item if (stocked := in_stock(known, key)) is None else replace(item, in_stock=stocked)
        for item, key in zip(items, keys, strict=True)
    )


def _customer(profile: Profile, now_ms: int, *, contact_details: bool) -> Customer:
    ids = shown_ids(profile) if contact_details and profile.has_contacts else profile.ids
    own = own_zone(profile)
    return Customer(
        id=profile.id,
        user_id=only(ids.get("user_id")),
        anonymous_ids=tuple(ids.get("anonymous_id", ())),
        email=contact(profile, "email") if contact_details else None,
        phone=contact(profile, "phone") if contact_details else None,
        timezone=None if own is None else own.key,
        locale=profile.locale[1] if profile.locale else None,
        consent=summary(profile, now_ms),
    )


def _summary(profile: Profile) -> ProfileSummary:
    orders = profile.orders
    return ProfileSummary(
        ltv_net_minor=profile.ltv.net,
        orders=orders.count,
        aov_minor=average_minor(profile.ltv.net, orders.in_amounts),
        last_order_at_ms=orders.recent[-1][0] if orders.recent else None,
        churn_band=profile.standing.band if orders.recent else None,
        segments=tuple(sorted(profile.memberships.inside_ms)) if profile.has_memberships else (),
    )


# --- after the emission -------------------------------------------------------------------------------------------


def settle(
    turn: Turn, triggers: Triggers, order: RecentOrder, worth: Contribution | None, among: Collection[str] | None = None
) -> None:
    """Hold a newly placed order against what was emitted: it takes it back, or counts as its conversion.

    At or before the emission it retracts (reason late_conversion), after it and within the attribution time it converts
    marketing, unless that could not be sent; an abandoned cart that was bought is also recovered. Of several reminders of one
    episode the last one sent gets the credit. Ghosts are settled too, but nothing is told of them: nothing was sent that could be
    taken back. `worth` is what the order adds to her totals now; the outcome tells its net value. `among`: only what was emitted
    under these trigger ids. What the next emission would forget is over, whether there was one yet or not.
    """
    if not turn.profile.has_emitted:
        return
    settled: set[tuple[str, str]] = set()
    now_ms = turn.now_ms
    for sent in reversed(turn.profile.emitted):
        definition = triggers.get(sent.name)
        if definition is None or sent.outcome is not None or sent.until_ms < now_ms:
            continue
        if among is not None and sent.trigger_id not in among:
            continue
        if order.at_ms <= sent.emitted_ms:
            if definition.covers(turn, order, sent):
                sent.outcome = "retracted"
                _outcome(turn, sent, "trigger.cancelled", order.order_id, order.at_ms, worth, "late_conversion")
        elif sent.service or sent.failed:
            continue
        elif _in_time(turn, definition, order, sent) and definition.converts(turn, order, sent):
            sent.outcome = "converted"
            if (sent.name, sent.key) in settled:
                continue
            if not sent.ghost:
                settled.add((sent.name, sent.key))
            _outcome(turn, sent, "trigger.converted", order.order_id, order.at_ms, worth, None)
            if sent.cart_id is not None or sent.checkout_id is not None:
                _outcome(turn, sent, "cart.recovered", order.order_id, order.at_ms, worth, None)


def _in_time(turn: Turn, definition: TriggerDefinition[Any], order: RecentOrder, sent: Emitted) -> bool:
    attribution_ms: int = definition.rule(turn.book).attribution_ms
    return order.at_ms - sent.emitted_ms <= attribution_ms


_STATES: Final[dict[str, State]] = {
    "trigger.cancelled": "retracted",
    "trigger.converted": "converted",
    "cart.recovered": "recovered",
}


def retract(
    turn: Turn, definition: TriggerDefinition[Any], key: str, reason: str, since_ms: int, order_id: str | None = None
) -> bool:
    """Take back what was emitted about something that happened at `since_ms` or later, and had no outcome yet: its ground was a
    mistake, as is known now. Gives whether there was any.
    """
    found = False
    for sent in turn.profile.emitted:
        if sent.name == definition.name and sent.key == key and sent.outcome is None and sent.opened_ms >= since_ms:
            sent.outcome, found = "retracted", True
            _outcome(turn, sent, "trigger.cancelled", order_id, turn.time_ms, None, reason)
    return found


def _outcome(
    turn: Turn,
    sent: Emitted,
    name: str,
    order_id: str | None,
    at_ms: int,
    worth: Contribution | None,
    reason: str | None,
) -> None:
    if sent.ghost:
        return
    known = worth is not None and worth.rate is not None
    key = sent.first_key or sent.key
    assert name in ("trigger.cancelled", "trigger.converted", "cart.recovered")
    turn.out.append(
        TriggerOutcome(
            trigger_id=uuid5(f"{sent.trigger_id}|{name}"),
            name=name,  # type: ignore[arg-type]  # narrowed by the assertion above
            of_trigger_id=sent.trigger_id,
            of_name=sent.name,
            episode_key=key,
            shop_id=turn.book.shop_id,
            customer_id=turn.profile.id,
            order_id=order_id,
            reason=reason,
            occurred_at_ms=at_ms,
            emitted_at_ms=turn.now_ms,
            value_minor=worth.shop.net if worth is not None and known else None,
            currency=turn.book.shop_currency if known else None,
        )
    )
    episode = Episode(sent.name, key, turn.cause, sent.opened_ms, sent.due_ms, occurrence=sent.occurrence)
    turn.decide(episode, sent.trigger_id, _STATES[name], reason=reason, at_ms=turn.now_ms, order_id=order_id)
