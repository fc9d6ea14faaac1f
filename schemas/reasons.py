"""Why a record was set aside: every reason code with what happened and what to do about it.

The codes are stable: they stand on the `rejected` topic and as a label of a metric, and alerts are written on them.
"""

from msgspec import Struct

DETAIL_MAX = 300
"""Characters of a detail."""


class Problem(Struct, frozen=True):
    """Why a record, or one event of it, can't be taken: `reason` is a code of `REASONS`, `detail` says where and what."""

    reason: str
    detail: str


class Reason(Struct, frozen=True):
    """What a reason code says: what is wrong with the record, and what whoever runs the shop can do."""

    happened: str
    remedy: str


REASONS: dict[str, Reason] = {
    "tombstone": Reason(
        "The record has no value.",
        "Events are never deleted by tombstones. Stop the sender from writing them.",
    ),
    "empty": Reason("The value is zero bytes or only spaces.", "Look for a sender that serialises nothing."),
    "too_large": Reason(
        "The value is larger than the limit of the decoder.",
        "Send large carts in parts, and no page content in events. The limit is a setting.",
    ),
    "too_deep": Reason(
        "The JSON is nested more deeply than 200 levels.", "No event needs that: look for a loop in the sender's data."
    ),
    "not_utf8": Reason("The value is not UTF-8 text.", "Send UTF-8 without a byte order mark."),
    "not_json": Reason(
        "The value is not JSON: cut off, a byte order mark, NaN, a lone surrogate, text after the end.",
        "Send one JSON object a record, made by a JSON library.",
    ),
    "not_object": Reason("The value is JSON, but no object.", "Send one event a record, not a list of them."),
    "number_out_of_range": Reason(
        "A number does not fit: infinite, beyond 64 bits, an amount beyond 10^15 minor units, an implausible instant.",
        "Correct the sender; the detail names the field where it is known.",
    ),
    "missing_field": Reason("A field the event can't do without is missing.", "Send the field the detail names."),
    "wrong_type": Reason("A field holds something of the wrong kind.", "Correct the field the detail names."),
    "out_of_bounds": Reason(
        "A field is too long, too large, too small or has too many entries.", "Correct the field the detail names."
    ),
    "bad_id": Reason(
        "An identifier holds control characters, or names a customer on an event that is about the shop.",
        "Look for a sender that takes ids from binary data or broken encodings; send catalogue events without a customer.",
    ),
    "unknown_event": Reason(
        "The event's name or the call's type is not one this version knows.",
        "Rename the event to the name of the event reference, or ignore it if the shop needs nothing of it.",
    ),
    "unknown_shape": Reason(
        "The object is neither a canonical event nor a message of a source that is known.",
        "Send a canonical event (field `event`), or what one of the known trackers sends.",
    ),
    "several_events": Reason(
        "The record holds more than one event; one record can only be one.",
        "Let it go through `regulars feed` or `regulars replay`, which make one record of each event; a producer of your own "
        "calls `schemas.split`.",
    ),
    "no_event": Reason(
        "The record is understood and holds nothing that a profile could use: a scroll, a keep-alive, an empty batch.",
        "Leave such records out of the topic; `regulars feed` and `schemas.split` do.",
    ),
    "mixed_currencies": Reason(
        "The products of one event are in different currencies.",
        "Send one event a currency, or convert before sending.",
    ),
    "no_customer": Reason(
        "The event names no customer: no user id, e-mail, phone, loyalty id, anonymous id or cart token that identifies "
        "anybody.",
        "Send at least an anonymous id. Values like `guest` or `null` identify nobody and count as absent, and so does a phone "
        "number that no line has, or a national one where `shop.phone_region` names no country.",
    ),
    "wrong_key": Reason(
        "A record of spend has another key than its channel and day.",
        "Send <channel>|<day> as the key: the topic keeps the newest record of each, so under another one a correction would "
        "stand beside what it corrects.",
    ),
    "no_rate": Reason(
        "An amount is in a currency that no rate into the shop's is known for on that day.",
        "Give the rate in the file of rates, or send the amount in the shop's currency.",
    ),
    "not_allowed": Reason(
        "The event came in under a client key, which is public, and only a server key may send it.",
        "Send it from a server. If nobody of yours sent it, somebody tries out what your public key can do.",
    ),
    "decoder_failed": Reason(
        "The decoder met something it was not written for.",
        "Report it with the original of this record: it is a fault of ours.",
    ),
    "too_many_hops": Reason(
        "The record was sent on from home to home too often: more than four redirects lead from its identifier to its customer.",
        "Alias calls that join user ids one after the other do that: send the event again under the id she is known by now. If "
        "there were none, report it with the original of this record: it is a fault of ours.",
    ),
    "plan_violation": Reason(
        "The event is a good one, but breaks the shop's own tracking plan; the detail says where.",
        "Correct the tracker, or the plan; then send what was set aside again: `regulars rejected redrive`.",
    ),
    "not_a_move": Reason(
        "A record of the internal topic of moves is none of this program.", "Find out who else writes to that topic."
    ),
    "unknown_product": Reason(
        "The event names only a variant, an SKU or an inventory item, and none before it said which product that is.",
        "Send Product Updated with `product_id` and that name, then send the record again (`regulars rejected redrive`).",
    ),
    "engine_error": Reason(
        "The event was understood, but applying it to the profile failed, and not by a trigger (it would have been left out); "
        "the profile was left as it was.",
        "Report it with the original of this record: it is a fault of ours. Once a mended release runs, send the record again "
        "(`regulars rejected redrive`).",
    ),
    "output_too_large": Reason(
        "An output of more than 256 KB was not published; this is its beginning.",
        "Look for a customer with a huge cart or huge traits: the key names her.",
    ),
    "refused_by_broker": Reason(
        "A broker refused an output for good; this is its beginning.",
        "The detail names the refusal. Look at the size limit of the output's topic.",
    ),
    "damaged_row": Reason(
        "A row of the outbox in the table was no row of this program.", "Find out who else writes to the table."
    ),
}
"""Every reason code. The decoder gives those up to `decoder_failed` (`not_allowed` is the collector's), the worker the others."""
