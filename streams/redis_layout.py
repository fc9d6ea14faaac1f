"""How a partition lies in Redis: its keys, what is written to them by a commit, and how what was read is understood."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from msgspec import Struct

from streams.packing import Unreadable, unpack
from streams.redis_link import Arg
from streams.table import Commit, Meta, Refused


class KeyDoc(Struct, frozen=True):
    """One kind of key in Redis."""

    key: str
    type: str
    fields: str
    meaning: str


FORM = "JSON, or a zstd frame of it"
"""How profiles and ledger entries lie there; see streams.packing."""

REDIS_KEYS: tuple[KeyDoc, ...] = (
    KeyDoc(
        "<prefix>:install",
        "hash",
        "partitions, schema, identifiers",
        "What every worker must agree on, written at first start.",
    ),
    KeyDoc(
        "<prefix>:dictionaries",
        "hash",
        "<number>: bytes",
        "What the frames of profiles and ledgers were compressed with, for readers in other languages. Workers have theirs.",
    ),
    KeyDoc(
        "<prefix>:models",
        "string",
        "JSON",
        "The models in use, as `regulars fit` wrote them last. Workers look at it every ten seconds.",
    ),
    KeyDoc(
        "<prefix>:{p}:meta",
        "hash",
        "token, epoch, commits, last, fresh, wiping, clock_ms, t0_ms, outbox_base, offset:<topic>, tail:<topic>, "
        "origin:<source topic>/<partition>/<mark>, topic_id:<topic>, rules:version, rules:digest, rules:replanned, "
        "rules:segments, rules:visitors, wake",
        "What partition p remembers of itself: its owner (random token, number of claims), the number of commits and the "
        "mark of the last one, its clock, the next offset to read of every input topic, and a change of a product that not "
        "all who watch it have heard of.",
    ),
    KeyDoc("<prefix>:{p}:c:<id>", "string", FORM, "One customer's profile, or a redirect to another one."),
    KeyDoc("<prefix>:{p}:l:<id>", "hash", f"<order id>: {FORM}", "That customer's ledger: one field for each order."),
    KeyDoc("<prefix>:{p}:due", "sorted set", "member <id>, score epoch ms", "Profiles by their earliest timer."),
    KeyDoc(
        "<prefix>:{p}:outbox", "list", "JSON rows", "Output committed and not yet known to be in Kafka, oldest first."
    ),
    KeyDoc("<prefix>:{p}:pop", "hash", "<counter>: integer", "The partition's share of the population's counts."),
    KeyDoc(
        "<prefix>:{p}:notes",
        "hash",
        "salt, erased:<salted hash of an id>: JSON, request:<request id>: JSON",
        "Who was erased, told by nothing but a salted hash, so that nobody comes back by an old event; and the last privacy "
        "requests with what became of them. Whoever copies or restores profiles must take it along; a rebuild leaves it.",
    ),
    KeyDoc(
        "<prefix>:{p}:goods",
        "hash",
        "<product>: JSON",
        "Last price and stock of the products that somebody watches; names of products; facts of all products.",
    ),
    KeyDoc(
        "<prefix>:{p}:w:<product>",
        "sorted set",
        "member <id>, score epoch ms",
        "Who watches a product: those who asked to hear of it by the time they asked at, then all others.",
    ),
    KeyDoc(
        "<prefix>:{p}:queue", "sorted set", "member <id>, score epoch ms", "Those who have yet to hear of a change."
    ),
)

MAPS: Final = {"offset": "offsets", "tail": "tails", "origin": "origins", "topic_id": "topic_ids", "rules": "rules"}
"""Maps of Meta, each spread over fields of the meta hash, so that a commit writes only what moved."""
_TEXTS: Final = {"topic_id", "rules"}
"""Those whose values are text; the others are numbers."""


def commit_arguments(head: bytes, commit: Commit, nonce: str, stored: Sequence[bytes]) -> tuple[list[Arg], list[Arg]]:
    """KEYS and ARGV as lua/commit.lua reads them. `head` begins all keys of the partition; `stored` are the profiles and then
    the entries, in their order.
    """
    ledgers: dict[str, list[Arg]] = {}
    for (profile_id, order_id), entry in zip(commit.entries, islice(stored, len(commit.profiles), None), strict=True):
        ledgers.setdefault(profile_id, []).extend((as_bytes(order_id), entry))
    deleted = [as_bytes(profile_id) for profile_id in dict.fromkeys(commit.deleted)]
    keys: list[Arg] = [head + name for name in (b"meta", b"due", b"outbox", b"pop", b"goods", b"queue", b"notes")]
    keys.extend([head + b"c:" + as_bytes(profile_id) for profile_id in commit.profiles])
    keys.extend([head + b"l:" + as_bytes(profile_id) for profile_id in ledgers])
    for gone in deleted:
        keys.extend((head + b"c:" + gone, head + b"l:" + gone))
    watched: dict[str, tuple[list[Arg], list[Arg]]] = {}
    for (key, profile_id), score in commit.watchers.items():
        comes, goes = watched.setdefault(key, ([], []))
        if score is None:
            goes.append(as_bytes(profile_id))
        else:
            comes.extend((score, as_bytes(profile_id)))
    keys.extend([head + b"w:" + as_bytes(key) for key in watched])
    if commit.queue is not None:
        keys.append(head + b"w:" + as_bytes(commit.queue[0]))
    due: list[Arg] = []
    undue: list[Arg] = []
    for profile_id, due_ms in commit.due.items():
        if due_ms is None:
            undue.append(as_bytes(profile_id))
        else:
            due.extend((due_ms, as_bytes(profile_id)))
    noted, struck = _set_and_taken_out(commit.notes)
    meta: list[Arg] = []
    for name, attribute in MAPS.items():
        for field, value in getattr(commit, attribute).items():
            meta.extend((f"{name}:{field}", value))
    if commit.wake is not None:
        meta.extend(("wake", commit.wake))
    goods, gone_goods = _set_and_taken_out(commit.goods)
    args: list[Arg] = [commit.token, commit.expected, nonce, commit.trim, commit.clock_ms, commit.t0_ms]
    args.extend((len(commit.profiles), len(ledgers), len(deleted), len(due) // 2, len(undue)))
    args.extend((len(commit.outbox), len(commit.population), len(meta) // 2, commit.known))
    args.extend((len(goods) // 2, len(gone_goods), len(watched), commit.unqueue))
    args.append(-1 if commit.queue is None else commit.queue[1])
    args.extend((len(noted) // 2, len(struck)))
    args.extend(islice(stored, len(commit.profiles)))
    for fields in ledgers.values():
        args.append(len(fields) // 2)
        args.extend(fields)
    args.extend(deleted)
    args.extend(due)
    args.extend(undue)
    args.extend(commit.outbox)
    for name, change in commit.population.items():
        args.extend((as_bytes(name), change))
    args.extend(meta)
    args.extend(goods)
    args.extend(gone_goods)
    for comes, goes in watched.values():
        args.extend((len(comes) // 2, len(goes)))
        args.extend(comes)
        args.extend(goes)
    args.extend(noted)
    args.extend(struck)
    return keys, args


def _set_and_taken_out(changes: Mapping[str, bytes | None]) -> tuple[list[Arg], list[Arg]]:
    """Fields of a hash with their new values, one after the other; and those to take out."""
    pairs: list[Arg] = []
    gone: list[Arg] = []
    for name, value in changes.items():
        if value is None:
            gone.append(as_bytes(name))
        else:
            pairs.extend((as_bytes(name), value))
    return pairs, gone


def as_bytes(name: str) -> bytes:
    """An id as bytes; a lone surrogate, which UTF-8 forbids, passes through and back, so no id can stop a batch."""
    return name.encode("utf-8", "surrogatepass")


def as_text(name: bytes) -> str:
    """An id from what `as_bytes` made of it."""
    return name.decode("utf-8", "surrogatepass")


def read_text(stored: bytes, head: bytes, kind: str, profile_id: str) -> bytes:
    """The text of a stored profile or ledger entry. Raises Refused where it can't be read."""
    try:
        return unpack(stored)
    except Unreadable as error:
        raise Refused(
            f"what lies at the key {as_text(head)}{kind}{profile_id} can't be read: {error}. "
            f"Start the release that wrote it, or restore the partition, or make it anew (`regulars rebuild`)"
        ) from error


def read_ledger(flat: list[bytes], head: bytes, profile_id: str) -> dict[str, bytes]:
    """The texts of a ledger by order id, from the fields and values of its hash. Raises Refused where one can't be read."""
    return {as_text(field): read_text(stored, head, "l:", profile_id) for field, stored in in_pairs(flat)}


def in_pairs(flat: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Fields and values, members and scores: Redis tells them one after the other."""
    return zip(flat[::2], flat[1::2], strict=True)


def read_meta(flat: list[bytes], key: bytes) -> Meta | None:
    """Meta from the fields and values of its hash at this key; None when the key is not there. Raises Refused for damage."""
    if not flat:
        return None
    try:
        return _meta_of(flat)
    except (KeyError, ValueError) as error:
        raise Refused(
            f"the key {as_text(key)} is damaged ({type(error).__name__}: {error}): something else wrote it. Restore the "
            f"partition from a copy, or delete that key and make the partition anew (`regulars rebuild`)"
        ) from error


def _meta_of(flat: list[bytes]) -> Meta:
    fields = {as_text(field): value.decode() for field, value in in_pairs(flat)}
    meta = Meta(
        token=fields["token"],
        epoch=int(fields["epoch"]),
        commits=int(fields["commits"]),
        offsets={},
        clock_ms=int(fields.get("clock_ms", "0")),
        t0_ms=int(fields.get("t0_ms", "0")),
        outbox_base=int(fields.get("outbox_base", "0")),
        wake=fields.get("wake", ""),
    )
    for field, value in fields.items():
        name, colon, rest = field.partition(":")
        if colon and name in MAPS:
            getattr(meta, MAPS[name])[rest] = value if name in _TEXTS else int(value)
    return meta
