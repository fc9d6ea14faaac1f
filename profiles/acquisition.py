"""By which channel a customer was won: the visit's source that counts for her first order, as the shop's rules say.

`first_touch` credits the first visit that had a source (a campaign, or another site's link), `last_touch` the last one before
the first order. Visits without a source are direct and take no credit from those that had one; where none had, the channel is
"direct". A channel is named "source / medium" as the campaign says, or after the site that linked here.

Like the first order the channel is a fact that late events may still move, and the cohort's counters move with it. Of visits
with a source the first and the newest TOUCHES_MAX are known (`profiles.activity`): beyond that, `last_touch` may be too early.
"""

from typing import Final

from profiles.book import Book
from profiles.insight.cohorts import contribution
from profiles.insight.tallies import Tally, difference
from profiles.profile import Profile
from profiles.state import Touch
from profiles.value.origin import DIRECT

CHANNEL_MAX: Final = 80
"""Characters of a channel's name that count; campaigns come from outside."""


def label(touch: Touch) -> str:
    """The channel of a visit's source. A bar would tear the names of counters apart.

    >>> label(Touch(0, "google", "cpc")), label(Touch(0, "newsletter")), label(Touch(0, referrer="blog.example"))
    ('google / cpc', 'newsletter', 'blog.example / referral')
    """
    if touch.source or touch.medium:
        name = " / ".join(part for part in (touch.source, touch.medium) if part)
    elif touch.name:
        name = touch.name
    else:
        name = f"{touch.referrer} / referral"
    return name.replace("|", "/").replace(":", ".")[:CHANNEL_MAX]


def channel_of(profile: Profile, book: Book) -> str | None:
    """The channel that won the customer; None while she has not ordered."""
    first = profile.orders.first
    if first is None:
        return None
    activity, by_first = profile.activity, book.rules.acquisition.by == "first_touch"
    found: Touch | None = None
    for touch in (activity.first_touch, *activity.touches):
        if touch is not None and touch.at_ms <= first[0]:
            found = touch
            if by_first:
                break
    return DIRECT if found is None else label(found)


def settle(profile: Profile, book: Book) -> None:
    """Note the channel where cohorts are counted by it. The caller counts what that changes."""
    profile.past.channel = channel_of(profile, book) or ""


def restate(profile: Profile, book: Book) -> Tally:
    """Note the channel after a visit became known late; what that changes in the counters of cohorts."""
    past = profile.past
    before = contribution(past)
    settle(profile, book)
    return difference(contribution(past), before)
