"""When and how a customer was seen: first and last time, sessions, views, searches, channels, and where she came from.

A session is a run of events of a browser or an app (those with an anonymous id, or of channel "browser" or "mobile";
identity calls and receipts of messages excepted) without a pause of 30 minutes. First and last times, touches, views,
searches and channels do not depend on the order in which events arrive. Sessions are counted as they come: only the newest
is remembered, and a late event from before it counts as part of a session already counted.

A touch is a campaign on any such event, or the foreign referrer of a page view. Visits without either are direct and leave
the touches alone, so the last touch is the last non-direct one.
"""

from typing import Final

from profiles.profile import Profile
from profiles.state import TOUCHES_MAX, Activity, Touch
from schemas.events import (
    Aliased,
    Arrival,
    Event,
    Grouped,
    Identified,
    MessageBounced,
    MessageClicked,
    MessageDelivered,
    MessageFailed,
    MessageMarkedAsSpam,
    MessageOpened,
    MessageSent,
    PageViewed,
    ProductsSearched,
    ProductViewed,
    Unsubscribed,
)

SESSION_PAUSE_MS: Final = 30 * 60_000
CHANNELS_MAX: Final = 8
OTHER_CHANNEL: Final = "other"
"""Counts the channels beyond the first CHANNELS_MAX - 1."""

VISIT_CHANNELS: Final = frozenset({"browser", "mobile"})
NO_VISITS: Final[frozenset[type[Event]]] = frozenset(
    {
        Identified,
        Aliased,
        Grouped,
        MessageSent,
        MessageFailed,
        MessageDelivered,
        MessageOpened,
        MessageClicked,
        MessageBounced,
        MessageMarkedAsSpam,
        Unsubscribed,
    }
)


def is_visit(event: Event) -> bool:
    """Whether an event is part of a visit: one of a browser or an app, in which the customer did something herself."""
    return (event.anonymous_id is not None or event.channel in VISIT_CHANNELS) and type(event) not in NO_VISITS


def see(profile: Profile, arrival: Arrival) -> bool:
    """Note one event; whether it is part of a visit. Whoever calls this has dropped repeats."""
    activity, event, at_ms = profile.activity, arrival.event, arrival.time_ms
    activity.events += 1
    last_ms = activity.last_ms
    if last_ms is not None and at_ms > last_ms:  # the usual case
        activity.last_ms = at_ms
    elif last_ms is None or activity.first_ms is None:
        activity.first_ms = activity.last_ms = at_ms
    elif at_ms < activity.first_ms:
        activity.first_ms = at_ms
    kind = type(event)
    if kind is ProductViewed:
        activity.views += 1
    elif kind is ProductsSearched:
        activity.searches += 1
    channel = event.channel
    if channel:
        channels = activity.channels
        if channel in channels:
            channels[channel] += 1
        else:
            counted = channel if len(channels) < CHANNELS_MAX - 1 else OTHER_CHANNEL
            channels[counted] = channels.get(counted, 0) + 1
    if (event.anonymous_id is not None or channel in VISIT_CHANNELS) and kind not in NO_VISITS:
        last_ms = activity.session_last_ms
        if last_ms is not None and last_ms <= at_ms < last_ms + SESSION_PAUSE_MS:  # the usual case: the session goes on
            activity.session_last_ms = at_ms
        else:
            _visit(activity, at_ms, event.message_id)
        if event.campaign is not None or event.referrer is not None:
            touch = _touch_of(event, at_ms)
            if touch is not None:
                _note_touch(activity, touch)
        return True
    return False


def unite_moments(into: Activity, other: Activity) -> None:
    """Take over the first and last times and touches of another profile of the same customer."""
    into.first_ms = min((ms for ms in (into.first_ms, other.first_ms) if ms is not None), default=None)
    into.last_ms = max((ms for ms in (into.last_ms, other.last_ms) if ms is not None), default=None)
    for touch in (other.first_touch, *other.touches, other.last_touch):
        if touch is not None:
            _note_touch(into, touch)


def add_counts(into: Activity, other: Activity) -> None:
    """Add what another profile of the same customer counted. Newest sessions that touch are one and counted once."""
    into.events += other.events
    into.sessions += other.sessions
    into.views += other.views
    into.searches += other.searches
    for name, count in sorted(other.channels.items()):
        kept = name in into.channels or len(into.channels) < CHANNELS_MAX - 1
        channel = name if kept else OTHER_CHANNEL
        into.channels[channel] = into.channels.get(channel, 0) + count

    ours, theirs = (into.session_start_ms, into.session_last_ms), (other.session_start_ms, other.session_last_ms)
    if ours[0] is None or ours[1] is None or theirs[0] is None or theirs[1] is None:
        if ours[0] is None:
            into.session_start_ms, into.session_last_ms, into.session_by = (*theirs, other.session_by)
    elif max(ours[0], theirs[0]) < min(ours[1], theirs[1]) + SESSION_PAUSE_MS:
        into.sessions -= 1
        into.session_by = min((ours[0], into.session_by), (theirs[0], other.session_by))[1]
        into.session_start_ms, into.session_last_ms = min(ours[0], theirs[0]), max(ours[1], theirs[1])
    elif (theirs[1], theirs[0]) > (ours[1], ours[0]):
        into.session_start_ms, into.session_last_ms, into.session_by = (*theirs, other.session_by)
    into.looking |= other.looking


def _visit(activity: Activity, at_ms: int, message_id: str) -> None:
    start_ms, last_ms = activity.session_start_ms, activity.session_last_ms
    if start_ms is None or last_ms is None or at_ms >= last_ms + SESSION_PAUSE_MS:
        activity.sessions += 1
        activity.session_start_ms = activity.session_last_ms = at_ms
        activity.session_by = message_id
    elif at_ms > last_ms:
        activity.session_last_ms = at_ms
    elif start_ms - SESSION_PAUSE_MS < at_ms < start_ms:
        activity.session_start_ms, activity.session_by = at_ms, message_id


def _touch_of(event: Event, at_ms: int) -> Touch | None:
    campaign = event.campaign
    if campaign is not None and (campaign.source or campaign.medium or campaign.name):
        return Touch(at_ms, campaign.source, campaign.medium, campaign.name)
    if event.referrer and isinstance(event, PageViewed):
        url = event.url or ""
        site_end = url.find("/", len("https://")) + 1
        if site_end and event.referrer.startswith(url[:site_end]):
            return None  # the usual case, one page after another, told without taking URLs apart
        referrer = host_of(event.referrer)
        if referrer and not _same_site(referrer, host_of(url)):
            return Touch(at_ms, referrer=referrer)
    return None


def _note_touch(activity: Activity, touch: Touch) -> None:
    """Earliest and latest by time; at the same moment by their text, so that both orders of arrival agree."""
    if activity.first_touch is None or _place(touch) < _place(activity.first_touch):
        activity.first_touch = touch
    if activity.last_touch is None or _place(touch) > _place(activity.last_touch):
        activity.last_touch = touch
    if touch not in activity.touches:
        activity.touches = sorted([*activity.touches, touch], key=_place)[-TOUCHES_MAX:]


def _place(touch: Touch) -> tuple[int, str, str, str, str]:
    return (touch.at_ms, touch.source or "", touch.medium or "", touch.name or "", touch.referrer or "")


def host_of(url: str) -> str:
    """The host of a URL in lower case, without "www." and port; "" where there is none.

    >>> host_of("https://user@WWW.Example.com:8443/a?b=//c")
    'example.com'
    """
    _, found, rest = url.partition("//")
    if not found:
        return ""
    for end in "/?#":
        rest = rest.partition(end)[0]
    host = rest.rpartition("@")[2].partition(":")[0].lower()
    return host.removeprefix("www.")


def _same_site(one: str, other: str) -> bool:
    return one == other or (bool(other) and (one.endswith(f".{other}") or other.endswith(f".{one}")))
