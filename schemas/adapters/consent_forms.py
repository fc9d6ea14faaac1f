"""The forms in which shops state consent, read into consent decisions.

In order of trust: a consent event's own properties, `traits.consent`, `traits.email_marketing_consent` (and
`sms_marketing_consent`), `context.consent.categoryPreferences`. Where two of them speak of the same channel and purpose
in one event, the more trusted one counts. A state that can't be read refuses the event: consent is nothing to guess.

RudderStack's `context.consentManagement` is none of them. It names categories of a consent platform by their ids, on every event,
for RudderStack to choose the destinations by; an id like "marketing" there is a box of a cookie banner, and no leave to write.
"""

from typing import Any, Final

from schemas.events import ConsentChange
from schemas.scalars import AdapterError, Fields, consent_state_of

CONSENTS_MAX: Final = 64
"""Decisions in one event."""

_PURPOSES: Final = frozenset({"marketing", "transactional", "analytics", "profiling", "personalization"})
_EVERY_CHANNEL: Final = frozenset({"any", "all", "*"})


def consents(stated: Fields | None, traits: tuple[Fields, ...], context: Fields) -> tuple[ConsentChange, ...]:
    """All decisions of an event. `stated` holds the properties of a consent event, `traits` the traits it carries."""
    found: list[ConsentChange] = []
    if stated is not None:
        _add(found, _form(stated.values.get("consent"), stated.at("consent")))
        if "state" in stated.values or "status" in stated.values:
            _add(found, [_record(stated, "any", "marketing")])
    for fields in traits:
        values = fields.values
        if "consent" in values:
            _add(found, _form(values["consent"], fields.at("consent")))
        for name, channel in (("email_marketing_consent", "email"), ("sms_marketing_consent", "sms")):
            if name in values:
                _add(found, channel_consent(values[name], channel, fields.at(name)))
    categories = context.inner("consent").inner("categoryPreferences")
    if categories.values:
        stated_ones = [(name, value) for name, value in categories.values.items() if value is not None]
        _add(found, [_change(value, categories.at(name), "any", name) for name, value in stated_ones])
    if len(found) > CONSENTS_MAX:
        raise AdapterError("out_of_bounds", f"more than {CONSENTS_MAX} consent decisions")
    return tuple(found)


def _add(found: list[ConsentChange], changes: list[ConsentChange]) -> None:
    # Within one form several decisions for a channel and purpose may stand, at different times; a less trusted form adds
    # only what the better ones left open.
    known = {(change.channel, change.purpose) for change in found}
    found += [change for change in changes if (change.channel, change.purpose) not in known]


def _form(value: Any, path: str) -> list[ConsentChange]:
    if value is None or value == "":
        return []
    if isinstance(value, list):
        return [change for number, item in enumerate(value) for change in _form(item, f"{path}[{number}]")]
    if not isinstance(value, dict):
        return [_change(value, path, "any", "marketing")]
    fields = Fields(value, path)
    if "state" in value or "status" in value:
        return [_record(fields, "any", "marketing")]
    changes: list[ConsentChange] = []
    for name, item in value.items():
        channel, dot, purpose = name.partition(".")
        if name.strip().lower() in _PURPOSES:
            changes += _of_purpose(item, name, fields.at(name))
        elif dot:  # "email.marketing", as profiles and triggers show it
            changes += _of_pair(item, channel, purpose, fields.at(name))
        else:
            changes += channel_consent(item, name, fields.at(name))
    return changes


def channel_consent(value: Any, channel: str, path: str) -> list[ConsentChange]:
    """The decisions that a value states for one channel: a state, a record with its particulars, or one for each purpose."""
    if value is None:
        return []
    if not isinstance(value, dict):
        return [_change(value, path, channel, "marketing")]
    fields = Fields(value, path)
    if "state" in value or "status" in value:
        return [_record(fields, channel, "marketing")]
    return [change for name, item in value.items() for change in _of_pair(item, channel, name, fields.at(name))]


def _of_purpose(value: Any, purpose: str, path: str) -> list[ConsentChange]:
    if isinstance(value, dict) and "state" not in value and "status" not in value:
        fields = Fields(value, path)
        return [change for name, item in value.items() for change in _of_pair(item, name, purpose, fields.at(name))]
    return _of_pair(value, "any", purpose, path)


def _of_pair(value: Any, channel: str, purpose: str, path: str) -> list[ConsentChange]:
    if value is None:
        return []
    if isinstance(value, dict):
        return [_record(Fields(value, path), channel, purpose)]
    return [_change(value, path, channel, purpose)]


def _record(fields: Fields, channel: str, purpose: str) -> ConsentChange:
    """A decision with its particulars, as Shopify and consent platforms write it."""
    found = fields.find("state", "status")
    if found is None:
        raise AdapterError("missing_field", f"{fields.at('state')} is missing")
    return _change(
        found[1],
        fields.at(found[0]),
        fields.ident("channel", "message_channel") or channel,
        fields.ident("purpose") or purpose,
        at_ms=fields.instant("at", "at_ms", "consent_updated_at", "updated_at", "timestamp"),
        expires_ms=fields.instant("expires", "expires_at", "expires_ms"),
        source=fields.text("source"),
        text_version=fields.text("text_version", "version"),
    )


def _change(value: Any, path: str, channel: str, purpose: str, **particulars: Any) -> ConsentChange:
    state = consent_state_of(value)
    if state is None:
        raise AdapterError("wrong_type", f"{path} is no consent state")
    names = Fields({"channel": channel, "purpose": purpose}, path)
    channel = channel_of(names.ident("channel") or "any")
    purpose = (names.ident("purpose") or "marketing").lower()
    return ConsentChange(state=state, channel=channel, purpose=purpose, **particulars)


def channel_of(said: str) -> str:
    """A channel by its name, "any" where all are meant.

    >>> channel_of("SMS"), channel_of("All")
    ('sms', 'any')
    """
    channel = said.lower()
    return "any" if channel in _EVERY_CHANNEL else channel
