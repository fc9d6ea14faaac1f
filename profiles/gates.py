"""The gates between a trigger that is due and its emission, in their order; the first one shut gives the reason.

Names of gates passed travel in the trigger and its decision; the reasons below stand in decisions. Two gates do not end an
episode: who can't be reached is waited for, and in quiet hours a trigger is put off to their end. Hold-out comes last of all:
it would have been sent now.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from xxhash import xxh3_64_intdigest

from profiles import complaints, zones
from profiles.book import Book
from profiles.consent import may_market
from profiles.definition import REASON, BadAnswer, TriggerDefinition
from profiles.holdout import Place, place_of
from profiles.identity import reachable
from profiles.profile import Profile
from profiles.rules import DAY_MS, Excluded, QuietHours, Rules, TriggerRule, minute_of_day
from profiles.state import Emitted, Episode
from profiles.turn import Turn

GATES: Final = (
    "reachable",
    "consent",
    "included",
    "precedence",
    "cooldown",
    "frequency_cap",
    "quiet_hours",
    "availability",
    "holdout",
)
UNREACHABLE: Final = "unreachable"
QUIET: Final = "quiet_hours"
OUT_OF_STOCK: Final = "out_of_stock"
HELD_OUT: Final = "holdout"

REASONS: Final = {
    UNREACHABLE: "No e-mail, phone, push token or user id is known; kept until its lateness bound, released by a login.",
    "no_consent": "The customer's consent allows marketing on no channel.",
    "suppressed": "The customer asked not to be contacted at all, or was erased.",
    "excluded": "Staff, a test, or another customer whom the rules exclude.",
    "open_feedback": "She complained a short time ago, or her complaint is still open: marketing rests.",
    "superseded": "A trigger of higher precedence is pending or was sent within its block.",
    "cooldown": "The same trigger went to this customer too short a time ago.",
    "cap": "The same trigger went to this customer too often within its window.",
    "frequency_cap": "The customer has had as much marketing as the rules allow her in a day or a week.",
    QUIET: "It was due in the customer's quiet hours and is put off to their end.",
    OUT_OF_STOCK: "Nothing of what it is about can be had any more.",
    HELD_OUT: "The customer is held out, to measure what the trigger is worth; it stands on the shadow topic.",
}
"""Reason codes of gates, and what they mean."""


class Verdict(NamedTuple):
    """What the gates say: those passed, the reason of the one that is shut, when to ask again, and the hold-out."""

    passed: tuple[str, ...]
    shut: str | None = None
    until_ms: int | None = None
    place: Place | None = None


def ask(
    turn: Turn,
    definition: TriggerDefinition[Any],
    episode: Episode,
    now_ms: int,
    trigger_id: str,
    *,
    on_site: bool = False,
) -> Verdict:
    """Go through the gates until one is shut. A customer `on_site` is in the shop now: she is awake, and reached by the page."""
    profile, book = turn.profile, turn.book
    rules, rule = book.rules, definition.rule(book)
    marketing = rule.trigger_class == "marketing"

    shut: str | None = None
    if not on_site and not reachable(profile):
        return Verdict((), UNREACHABLE)
    if profile.suppressed:
        shut = "suppressed"
    elif marketing and not may_market(profile, now_ms, soft_opt_in=rules.soft_opt_in):
        shut = "no_consent"
    if shut is not None:
        return Verdict(GATES[:1], shut)
    if is_excluded(profile, rules.excluded):
        return Verdict(GATES[:2], "excluded")
    if marketing and complaints.holds_marketing(profile, book, now_ms):
        return Verdict(GATES[:3], "open_feedback")
    if _superseded(profile, episode, rules, now_ms):
        return Verdict(GATES[:3], "superseded")
    if episode.occurrence == 1 and (shut := _rate_limit(profile, definition, episode, rule, now_ms)) is not None:
        return Verdict(GATES[:4], shut)
    if marketing and _capped(profile, book, now_ms):
        return Verdict(GATES[:5], "frequency_cap")
    if marketing and not on_site and (until_ms := _quiet_until(profile, book, now_ms, trigger_id)) is not None:
        return Verdict(GATES[:6], QUIET, until_ms)
    recheck: Callable[[Turn, Episode], Any] = definition.recheck  # of any type: see `episodes.decide_due`
    if (gone := recheck(turn, episode)) is not None:
        if type(gone) is not str:
            raise BadAnswer(definition.name, "recheck", gone, REASON)
        return Verdict(GATES[:7], gone)
    place = place_of(profile, rule, definition.name, rules)
    if place is not None and place.held_out:
        return Verdict(GATES[:8], HELD_OUT, None, place)
    return Verdict(GATES, None, None, place)


def may_pass(profile: Profile, rule: TriggerRule, rules: Rules, since_ms: int) -> bool:
    """Whether the gates that ask for nothing but the customer let a trigger through at some moment from `since_ms` on, while no
    event of hers comes: consent runs out and does not come back by itself.
    """
    if profile.suppressed or not reachable(profile):
        return False
    return rule.trigger_class != "marketing" or may_market(profile, since_ms, soft_opt_in=rules.soft_opt_in)


def shut_now(profile: Profile, book: Book, now_ms: int) -> list[str]:
    """The reasons for which no marketing trigger of any name would go out to her at `now_ms`, in the order of the gates."""
    rules = book.rules
    held_out = place_of(profile, TriggerRule(), "", rules)
    asked = {
        UNREACHABLE: not reachable(profile),
        "suppressed": profile.suppressed,
        "no_consent": not may_market(profile, now_ms, soft_opt_in=rules.soft_opt_in),
        "excluded": is_excluded(profile, rules.excluded),
        "open_feedback": complaints.holds_marketing(profile, book, now_ms),
        "frequency_cap": _capped(profile, book, now_ms),
        QUIET: _quiet_until(profile, book, now_ms, "") is not None,
        HELD_OUT: held_out is not None and held_out.held_out,
    }
    return [reason for reason, shut in asked.items() if shut]


def is_excluded(profile: Profile, excluded: Excluded) -> bool:
    """Whether the customer bears one of the tags that exclude her."""
    if not excluded.tags or not profile.has_traits:
        return False
    traits = profile.traits
    told = traits.get("tags")
    tags = told[1] if told is not None else ()
    if isinstance(tags, str):
        tags = [tag.strip() for tag in tags.split(",")]
    for tag in excluded.tags:
        if isinstance(tags, list) and tag in tags:
            return True
        if (flag := traits.get(tag)) is not None and flag[1] is True:
            return True
    return False


def _superseded(profile: Profile, episode: Episode, rules: Rules, now_ms: int) -> bool:
    """Whether a higher one of the ladder waits for its first reminder, or was sent within the block."""
    ladder = rules.precedence.ladder
    if episode.name not in ladder:
        return False
    higher = ladder[: ladder.index(episode.name)]
    if not higher:
        return False
    for waiting in profile.episodes.values():
        if waiting.name in higher and waiting.occurrence == 1:
            rule = rules.triggers.get(waiting.name)
            if rule is None or rule.enabled:
                return True
    block_ms = rules.precedence.block_ms
    return profile.has_emitted and any(
        sent.name in higher and sent.occurrence == 1 and now_ms - sent.emitted_ms < block_ms for sent in profile.emitted
    )


def _rate_limit(
    profile: Profile, definition: TriggerDefinition[Any], episode: Episode, rule: TriggerRule, now_ms: int
) -> str | None:
    """Cooldown and window over first occurrences of this trigger; reminders of one episode do not count anew. What cools says
    the trigger; the window counts all of it.
    """
    if not rule.cooldown_ms and not rule.max_in_window:
        return None
    known = [sent for sent in profile.emitted if sent.name == definition.name and sent.occurrence == 1]
    if any(now_ms - sent.emitted_ms < rule.cooldown_ms and definition.cools(episode, sent) for sent in known):
        return "cooldown"
    if rule.max_in_window and sum(now_ms - sent.emitted_ms < rule.window_ms for sent in known) >= rule.max_in_window:
        return "cap"
    return None


def counted(profile: Profile) -> list[Emitted]:
    """The emissions that count towards the caps: marketing, ghosts included, without those that could not be delivered."""
    return [sent for sent in profile.emitted if not sent.service and not sent.failed]


def _capped(profile: Profile, book: Book, now_ms: int) -> bool:
    caps = book.rules.caps
    times = [sent.emitted_ms for sent in counted(profile)] if profile.has_emitted else []
    if len(times) < min(caps.max_in_24h, caps.max_in_7d, caps.max_in_day):
        return False
    if sum(now_ms - sent_ms < DAY_MS for sent_ms in times) >= caps.max_in_24h:
        return True
    if sum(now_ms - sent_ms < 7 * DAY_MS for sent_ms in times) >= caps.max_in_7d:
        return True
    if len(times) < caps.max_in_day:
        return False  # without asking for the calendar
    zone = zones.zone_of(profile, book.shop_timezone)
    today = zones.local_time(now_ms, zone).date()
    return sum(zones.local_time(sent_ms, zone).date() == today for sent_ms in times) >= caps.max_in_day


def _quiet_until(profile: Profile, book: Book, now_ms: int, trigger_id: str) -> int | None:
    """The end of the quiet hours that hold now, with the trigger's own jitter; None outside of them."""
    quiet = book.rules.quiet_hours
    if not quiet.enabled or quiet.start_at == quiet.end_at:
        return None
    end_ms = quiet_end_ms(now_ms, zones.zone_of(profile, book.shop_timezone), quiet)
    if end_ms is None:
        return None
    return end_ms + xxh3_64_intdigest(trigger_id.encode()) % (quiet.jitter_ms + 1)


def quiet_end_ms(now_ms: int, zone: ZoneInfo, quiet: QuietHours) -> int | None:
    """When the quiet hours that hold at an instant end; None where none hold."""
    start, end = minute_of_day(quiet.start_at), minute_of_day(quiet.end_at)
    local = zones.local_time(now_ms, zone)
    minute = local.hour * 60 + local.minute
    if start < end:
        if not start <= minute < end:
            return None
        days = 0
    else:
        if end <= minute < start:
            return None
        days = 1 if minute >= start else 0
    end_ms = zones.at_minute(now_ms, zone, end, days)
    if end_ms > now_ms:
        return end_ms
    # The clocks were put back over it: it comes a second time.
    return zones.instant(local.replace(hour=end // 60, minute=end % 60, second=0, microsecond=0, fold=1))


END_REASONS: Final = {
    "empty": "The cart or checkout has no items any more.",
    "checkout_started": "A checkout took the cart over.",
    "ordered": "An order bought it, or ended the checkout.",
    "replaced": "A newer checkout of the customer took its place.",
    "forgotten": "The cart or checkout was dropped because nothing happened to it for too long.",
    "repurchased": "The product was bought again.",
    "refunded": "The purchase was refunded or cancelled.",
    "subscribed": "The product comes by subscription.",
    "existing_customer": "The customer had bought before.",
    "imported": "The customer was imported from another system.",
    "condition": "The further condition of its rules does not hold.",
    "disabled": "The rules switched the trigger off.",
    "unsubscribed": "The customer took her consent back.",
    "suppressed": "The customer asked not to be contacted at all.",
    "max_lateness": "It could only have gone out too long after it was due.",
    "unreachable": "The customer could not be reached until it was too late.",
    "returned": "The goods were sent back.",
    "open_complaint": "A low score or a ticket of hers is still open.",
    "score_corrected": "The customer corrected her score.",
    "bounced": "A message came back for good: the address is none.",
    "split": "What it was about was taken out of the customer's profile.",
    "renamed": "It goes on under another id: whose it is, or what began it, is known to be another now.",
    "too_many": "The customer has as many open episodes as a profile holds.",
    "late_conversion": "An order placed before the emission became known after it: the trigger is taken back.",
}
"""Reason codes of cancelled, expired and retracted episodes, and what they mean."""
