"""Moves: what partitions tell each other when two identifiers turn out to be one customer, or not to be.

No write crosses a partition. The home of an identifier is told (`Link`) to whom it belongs from now on; it answers with all
it knows (`Absorb`, in parts) or with `LinkRefused`. A customer's home that gives an identifier back tells that one's home
(`Restore`, in parts), and sends its events after it that come later (`Return`). They travel through the internal topic
`moves`. Each may come twice or late: every one is a statement that stays true, and taking it in again changes nothing.
"""

from typing import Final

import msgspec
from msgspec import Raw, Struct

from schemas.events import AnyEvent

MOVES: Final = "moves"
HOPS_MAX: Final = 4
"""A link that was passed on this often and still meets a redirect is refused. What was given back this often and comes again
belongs where it comes to.
"""


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
    `returned`: it was to be given back (`Restore`) and can't be taken. `via` are the identifiers it was for before, which led on.
    """

    into: str
    absorbed: str
    closing: bool
    returned: bool = False
    profile: Raw
    entries: tuple[Raw, ...] = ()
    via: tuple[str, ...] = ()

    @property
    def customer(self) -> str:
        return self.into


class LinkRefused(_Move, frozen=True, kw_only=True, tag="link_refused"):
    """To the home of `claimer`: `identifier` is not, or no longer, its own. `holder` is whose it is, where it is somebody's.

    `reason`: "held" (another user's for good), "moved" (the device follows another login now), "conflict" (an alias
    that contradicts an earlier one), "too_many_hops", "split" (it was taken out of this customer's profile by a command).
    """

    claimer: str
    identifier: str
    reason: str
    holder: str | None = None

    @property
    def customer(self) -> str:
        return self.claimer


class Restore(_Move, frozen=True, kw_only=True, tag="restore"):
    """To the home of `identifier`: it does not belong to `taken_from`; what came with it is given back, as `profile` and
    ledger `entries` in their stored form, null where there is nothing. `held_by` are all identifiers of that customer: the
    redirect is lifted where it leads to these alone. With `onto` it leads there from now on. `cause` is the number of the
    request.

    A large one comes in several parts; the `closing` one is the last. What comes later comes as a part that is none.
    """

    identifier: str
    taken_from: str
    held_by: tuple[str, ...] = ()
    onto: str = ""
    closing: bool
    profile: Raw
    entries: tuple[Raw, ...] = ()

    @property
    def customer(self) -> str:
        return self.identifier


class Return(_Move, frozen=True, kw_only=True, tag="return"):
    """To the home of `identifier`: an event of hers that was on its way to a customer while the identifier was taken out there.

    `at_ms` is its time; the rest is as in an arrival.
    """

    identifier: str
    event: AnyEvent
    received_ms: int
    others: tuple[tuple[str, str], ...] = ()
    came_with: str = ""

    @property
    def customer(self) -> str:
        return self.identifier


Statement = Link | Absorb | LinkRefused | Restore
Move = Statement | Return

encode_move = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Move)


def decode_move(value: bytes) -> Move:
    """Read a move. Raises msgspec.DecodeError for anything else."""
    move: Move = _decode.decode(value)
    return move
