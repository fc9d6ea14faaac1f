"""What a partition remembers beside its profiles, few and small things: who was erased, and privacy requests under way.

They lie in one hash of the table, are read whole when the partition is claimed, and change with the commit of the batch
that changed them. An erased customer is known by the salted hash of her id alone; the salt is random, made with the first
erasure, and lies in the same hash, so that both are lost, restored or kept together.
"""

import secrets
from collections.abc import Mapping
from typing import Final

import msgspec

from profiles.privacy import fingerprint
from profiles.receipts import Case
from profiles.state import Privacy, encode

SALT: Final = "salt"
ERASED: Final = "erased:"
REQUEST: Final = "request:"
CASES_MAX: Final = 1000
"""Privacy requests whose outcome a partition remembers; the oldest are forgotten above it, and only then."""

_read_privacy: Final = msgspec.json.Decoder(Privacy).decode
_read_case: Final = msgspec.json.Decoder(Case).decode

Changed = dict[str, bytes | None]


class Notes:
    """The notes of one partition as the table has them."""

    def __init__(self, stored: Mapping[str, bytes] | None = None) -> None:
        self._stored = dict(stored or {})
        salt = self._stored.get(SALT)
        self._salt = bytes.fromhex(salt.decode()) if salt is not None else secrets.token_bytes(16)
        self._erased = any(name.startswith(ERASED) for name in self._stored)

    def privacy_of(self, profile_id: str) -> Privacy | None:
        """What an erased customer asked for; None for everybody else."""
        if not self._erased:
            return None
        stored = self._stored.get(self._name(profile_id))
        return None if stored is None else _read_privacy(stored)

    def is_erased(self, profile_id: str) -> bool:
        """Whether nothing may be kept or told of this customer."""
        asked = self.privacy_of(profile_id)
        return asked is not None and asked.is_erased

    def erase(self, profile_id: str, asked: Privacy) -> Changed:
        """What a commit has to change so that the erasure is remembered; {} where it is already, word for word."""
        name, value = self._name(profile_id), encode(asked)
        if self._stored.get(name) == value:
            return {}
        salt: Changed = {} if SALT in self._stored else {SALT: self._salt.hex().encode()}
        return {**salt, name: value}

    def case(self, request_id: str) -> Case | None:
        """A privacy request under way or done, None for an unknown one."""
        stored = self._stored.get(REQUEST + request_id)
        return None if stored is None else _read_case(stored)

    def keep_case(self, request_id: str, case: Case) -> Changed:
        """What a commit has to change so that this is remembered, with the oldest request taken out above the bound."""
        changed: Changed = {REQUEST + request_id: encode(case)}
        cases = [name for name in self._stored if name.startswith(REQUEST)]
        if len(cases) >= CASES_MAX and REQUEST + request_id not in self._stored:
            oldest = min(cases, key=lambda name: (_read_case(self._stored[name]).opened_ms, name))
            changed[oldest] = None
        return changed

    def keep(self, changed: Changed) -> None:
        """The commit with these changes is in."""
        for name, value in changed.items():
            if value is None:
                self._stored.pop(name, None)
            else:
                self._stored[name] = value
        self._erased = self._erased or any(name.startswith(ERASED) for name in changed)

    def _name(self, profile_id: str) -> str:
        return ERASED + fingerprint(profile_id, self._salt)


def case_in(stored: bytes) -> Case:
    """A request as it lies in the table."""
    return _read_case(stored)
