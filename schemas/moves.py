"""Moves: what partitions tell each other when two identifiers turn out to be one customer.

No write crosses a partition. The home of an identifier is told (`Link`) to whom it belongs from now on; it answers with all
it knows (`Absorb`, in parts) or with `LinkRefused`. They travel through the internal topic `moves`. Each may come twice or
late: every one is a statement that stays true, and taking it in again changes nothing.
"""

from typing import Final

import msgspec
from msgspec import Raw, Struct

MOVES: Final = "moves"
HOPS_MAX: Final = 4
"""A link that was passed on this often and still meets a redirect is refused."""


class _Move(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="move"):
    """What all have: `at_ms` is the time of the event that named two identifiers together, `cause` its message id."""

    at_ms: int
    cause: str
    hops: int = 0


class Link(_Move, frozen=True, kw_only=True, tag="link"):
    """To the home of `identifier` ("type:value"): it belongs to the profile `claimer`.

    `alias` says that somebody declared so (an alias call), which alone can join two user ids.
    """

    identifier: str
    claimer: str
    alias: bool = False

    @property
    def customer(self) -> str:
        return self.identifier


class Absorb(_Move, frozen=True, kw_only=True, tag="absorb"):
    """To the home of `into`: what was known of `absorbed`, as `profile` and ledger `entries` in their stored form.

    A large one comes in several parts; the `closing` one is the last. One with nothing in it says that nothing was known.
    """

    into: str
    absorbed: str
    closing: bool
    profile: Raw
    entries: tuple[Raw, ...] = ()

    @property
    def customer(self) -> str:
        return self.into


class LinkRefused(_Move, frozen=True, kw_only=True, tag="link_refused"):
    """To the home of `claimer`: `identifier` is not, or no longer, its own. `holder` is whose it is, where it is somebody's.

    `reason`: "held" (another user's for good), "moved" (the device follows another login now), "conflict" (an alias
    that contradicts an earlier one), "too_many_hops".
    """

    claimer: str
    identifier: str
    reason: str
    holder: str | None = None

    @property
    def customer(self) -> str:
        return self.claimer


Move = Link | Absorb | LinkRefused

encode_move = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Move)


def decode_move(value: bytes) -> Move:
    """Read a move. Raises msgspec.DecodeError for anything else."""
    move: Move = _decode.decode(value)
    return move
