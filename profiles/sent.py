"""What was sent to a customer is remembered while it is of use, and of a bounded number of messages."""

from profiles.state import EMITTED_MAX, Emitted


def within(sent: list[Emitted]) -> list[Emitted]:
    """The EMITTED_MAX messages that count most, in their order: marketing before service, which no cap counts and no order
    converts, then those that are of use for longest.
    """
    if len(sent) <= EMITTED_MAX:
        return sent
    least = sorted(sent, key=lambda one: (not one.service, one.until_ms, one.trigger_id))[:-EMITTED_MAX]
    gone = {one.trigger_id for one in least}
    return [one for one in sent if one.trigger_id not in gone]
