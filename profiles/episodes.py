"""The life of a trigger episode: armed, due, then emitted, suppressed, cancelled or expired; later retracted or converted.

An episode is armed or planned anew whenever an event changes what it is about (`plan`), ended when its ground is gone
(`cancel`), and decided when its timer comes (`decide_due`). Timers only wake: the condition is asked again.
"""

from typing import Final

from profiles import gates
from profiles.consent import summary
from profiles.definition import TriggerDefinition
from profiles.identity import only
from profiles.ids import trigger_id, uuid5
from profiles.profile import Profile
from profiles.state import EMITTED_MAX, EPISODES_MAX, Emitted, Episode, RecentOrder
from profiles.turn import Turn
from schemas.outputs import Customer, DecisionTrail, ProfileSummary, Trigger, TriggerOutcome

TOO_LATE: Final = "max_lateness"
EVIDENCE_MAX: Final = 20


def slot(name: str, key: str) -> str:
    """Where an episode stands in the profile: one per trigger and episode key."""
    return f"{name}|{key}"


def id_of(turn: Turn, definition: TriggerDefinition, episode: Episode) -> str:
    """The trigger id of an episode as it stands; reminders carry the first one's anchor and their number."""
    return trigger_id(
        turn.book.shop_id, definition.name, definition.version, episode.key, episode.anchor, episode.occurrence
    )


def plan(
    turn: Turn,
    definition: TriggerDefinition,
    key: str,
    anchor: str,
    opened_ms: int,
    due_ms: int,
    *,
    occurrence: int = 1,
) -> None:
    """Arm an episode, or move the armed one to what is now known of it.

    One that opened with another anchor and is no correction (its opening is later) is taken as a new episode. An event that
    came later than the allowed lateness arms only what is due after it was received.
    """
    profile = turn.profile
    place = slot(definition.name, key)
    episode = profile.episodes.get(place)
    if episode is not None and (episode.due_ms, episode.anchor, episode.opened_ms) == (due_ms, anchor, opened_ms):
        return
    past_due = due_ms < turn.at.clock_ms
    if episode is None:
        if turn.too_late and due_ms <= turn.received_ms:
            if not turn.imported:
                _refuse(turn, definition, key, anchor, due_ms)
            return
        if len(profile.episodes) >= EPISODES_MAX:
            _refuse(turn, definition, key, anchor, due_ms, "too_many")
            return
        episode = Episode(definition.name, key, anchor, opened_ms, due_ms, occurrence=occurrence)
        profile.episodes[place] = episode
        turn.decide(
            name=definition.name,
            key=key,
            trigger_id=id_of(turn, definition, episode),
            state="armed",
            at_ms=turn.now_ms,
            occurrence=occurrence,
            due_ms=due_ms,
        )
    else:
        episode.anchor, episode.opened_ms, episode.due_ms = anchor, opened_ms, due_ms
        episode.held_until_ms = None
    episode.measured_from_ms = turn.now_ms if past_due else None


def _refuse(
    turn: Turn, definition: TriggerDefinition, key: str, anchor: str, due_ms: int, reason: str = TOO_LATE
) -> None:
    turn.decide(
        name=definition.name,
        key=key,
        trigger_id=trigger_id(turn.book.shop_id, definition.name, definition.version, key, anchor),
        state="expired",
        reason=reason,
        at_ms=turn.now_ms,
        due_ms=due_ms,
    )


def cancel(turn: Turn, definition: TriggerDefinition, key: str, reason: str, order_id: str | None = None) -> None:
    """End an armed episode whose ground is gone; nothing happens if there is none."""
    episode = turn.profile.episodes.get(slot(definition.name, key))
    if episode is not None:
        _end(turn, definition, episode, "cancelled", reason, turn.now_ms, order_id)


def _end(
    turn: Turn,
    definition: TriggerDefinition,
    episode: Episode,
    state: str,
    reason: str | None,
    now_ms: int,
    order_id: str | None = None,
) -> None:
    del turn.profile.episodes[slot(definition.name, episode.key)]
    assert state in ("emitted", "cancelled", "suppressed", "expired")
    turn.decide(
        name=definition.name,
        key=episode.key,
        trigger_id=id_of(turn, definition, episode),
        state=state,  # type: ignore[arg-type]  # narrowed by the assertion above
        reason=reason,
        at_ms=now_ms,
        occurrence=episode.occurrence,
        due_ms=episode.due_ms,
        order_id=order_id,
    )
    definition.ended(turn, episode, state, now_ms)


# --- coming due ---------------------------------------------------------------------------------------------------


def decide_due(turn: Turn, definition: TriggerDefinition, episode: Episode) -> None:
    """Decide an episode whose timer has come: condition, lateness, gates, emission."""
    profile, book = turn.profile, turn.book
    rule = definition.rule(book)
    now_ms = _now_ms(turn, episode)
    reason = definition.check(profile, episode, book, now_ms)
    if reason is not None:
        _end(turn, definition, episode, "cancelled", reason, now_ms)
        return
    if now_ms - episode.due_ms > rule.max_lateness_ms or episode.wake_ms != episode.due_ms:
        _end(turn, definition, episode, "expired", gates.UNREACHABLE if episode.held_until_ms else TOO_LATE, now_ms)
        return
    shut = gates.first_shut(turn, definition, episode, now_ms)
    if shut == gates.UNREACHABLE:
        _hold(turn, definition, episode, now_ms)
    elif shut is not None:
        _end(turn, definition, episode, "suppressed", shut, now_ms)
    else:
        _emit(turn, definition, episode, now_ms)


def _now_ms(turn: Turn, episode: Episode) -> int:
    """The wall clock live. In replay the clock stops at each due time; only what was past due when planned is measured."""
    if turn.at.wall_ms is not None:
        return turn.at.wall_ms
    return max(episode.wake_ms, episode.measured_from_ms or 0)


def _hold(turn: Turn, definition: TriggerDefinition, episode: Episode, now_ms: int) -> None:
    episode.held_until_ms = episode.due_ms + definition.rule(turn.book).max_lateness_ms + 1
    turn.decide(
        name=definition.name,
        key=episode.key,
        trigger_id=id_of(turn, definition, episode),
        state="unreachable",
        reason=gates.UNREACHABLE,
        at_ms=now_ms,
        occurrence=episode.occurrence,
        due_ms=episode.due_ms,
    )


def release_held(turn: Turn) -> None:
    """The customer can be reached from now on: what waited for that is due at once."""
    for episode in turn.profile.episodes.values():
        if episode.held_until_ms is not None:
            episode.held_until_ms = None
            episode.measured_from_ms = turn.now_ms


def _emit(turn: Turn, definition: TriggerDefinition, episode: Episode, now_ms: int) -> None:
    profile, book = turn.profile, turn.book
    rule = definition.rule(book)
    content = definition.content(profile, episode, book)
    identity = id_of(turn, definition, episode)
    currency = content.currency or book.shop_currency
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
            customer=_customer(profile),
            occurred_at_ms=episode.opened_ms,
            due_at_ms=episode.due_ms,
            emitted_at_ms=now_ms,
            expires_at_ms=episode.due_ms + rule.max_lateness_ms,
            items=content.items,
            value_minor=content.value_minor,
            currency=currency,
            exponent=book.exponent(currency),
            recovery_url=content.recovery_url,
            profile=_summary(profile),
            details=content.details,
            decision=DecisionTrail(gates=gates.GATES, rule=content.rule),
            evidence=(episode.anchor,),
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
            until_ms=now_ms + rule.memory_ms,
        )
    )
    if sent[0].until_ms < now_ms or len(sent) > EMITTED_MAX:
        profile.emitted = [one for one in sent if one.until_ms >= now_ms][-EMITTED_MAX:]
    _end(turn, definition, episode, "emitted", None, now_ms)


def _customer(profile: Profile) -> Customer:
    ids = profile.ids
    return Customer(
        id=profile.id,
        user_id=only(ids.get("user_id")),
        anonymous_ids=tuple(ids.get("anonymous_id", ())),
        email=only(ids.get("email")),
        phone=only(ids.get("phone")),
        timezone=profile.timezone[1] if profile.timezone else None,
        locale=profile.locale[1] if profile.locale else None,
        consent=summary(profile),
    )


def _summary(profile: Profile) -> ProfileSummary:
    orders = profile.orders
    return ProfileSummary(
        ltv_net_minor=profile.ltv.net,
        orders=orders.count,
        aov_minor=round(profile.ltv.net / orders.count) if orders.count else None,
        last_order_at_ms=orders.recent[-1][0] if orders.recent else None,
    )


# --- after the emission -------------------------------------------------------------------------------------------


def settle(turn: Turn, definitions: dict[str, TriggerDefinition], order: RecentOrder) -> None:
    """Hold a newly placed order against what was emitted: it takes it back, or counts as its conversion.

    At or before the emission it retracts (reason late_conversion), after it and within the attribution time it converts;
    an abandoned cart that was bought is also recovered. Of several reminders of one episode the last one gets the credit.
    """
    settled: set[tuple[str, str]] = set()
    for sent in reversed(turn.profile.emitted):
        definition = definitions.get(sent.name)
        if definition is None or sent.outcome is not None or sent.service:
            continue
        if order.at_ms <= sent.emitted_ms:
            if order.at_ms >= sent.opened_ms and definition.covers(turn.profile, order, sent):
                sent.outcome = "retracted"
                _outcome(turn, sent, "trigger.cancelled", order, "late_conversion")
        elif _in_time(turn, definition, order, sent) and definition.converts(turn.profile, order, sent):
            sent.outcome = "converted"
            if (sent.name, sent.key) in settled:
                continue
            settled.add((sent.name, sent.key))
            _outcome(turn, sent, "trigger.converted", order, None)
            if sent.cart_id is not None or sent.checkout_id is not None:
                _outcome(turn, sent, "cart.recovered", order, None)


def _in_time(turn: Turn, definition: TriggerDefinition, order: RecentOrder, sent: Emitted) -> bool:
    return order.at_ms - sent.emitted_ms <= definition.rule(turn.book).attribution_ms


def _outcome(turn: Turn, sent: Emitted, name: str, order: RecentOrder, reason: str | None) -> None:
    assert name in ("trigger.cancelled", "trigger.converted", "cart.recovered")
    turn.out.append(
        TriggerOutcome(
            trigger_id=uuid5(f"{sent.trigger_id}|{name}"),
            name=name,  # type: ignore[arg-type]  # narrowed by the assertion above
            of_trigger_id=sent.trigger_id,
            of_name=sent.name,
            episode_key=sent.key,
            shop_id=turn.book.shop_id,
            customer_id=turn.profile.id,
            order_id=order.order_id,
            reason=reason,
            occurred_at_ms=order.at_ms,
            emitted_at_ms=turn.now_ms,
        )
    )
    state = {"trigger.cancelled": "retracted", "trigger.converted": "converted", "cart.recovered": "recovered"}[name]
    turn.decide(
        name=sent.name,
        key=sent.key,
        trigger_id=sent.trigger_id,
        state=state,  # type: ignore[arg-type]  # one of the three above
        reason=reason,
        at_ms=turn.now_ms,
        occurrence=sent.occurrence,
        due_ms=sent.due_ms,
        order_id=order.order_id,
    )
