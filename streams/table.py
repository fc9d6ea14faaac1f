"""The table of profiles: what the partition loop asks of a store, and the words both stores answer in.

`MemoryTable` (streams.memory_table) and `RedisTable` (streams.redis_table) keep this contract; one test suite holds
both to it. A partition's profiles, ledgers, timers, outbox and input offsets change together in one commit, or not at
all.
"""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

from msgspec import Struct

INTEGER_MAX = 2**53 - 1
"""Largest number stored: scores of sorted sets and Lua's numbers are 64-bit floats, exact up to here."""

NO_COUNTERS: Final[Mapping[str, int]] = MappingProxyType({})

SCHEMA = 2
"""Version of what lies in a store, and where. A worker that meets a higher one does not start."""

SCHEMA_OF_TEXTS = 1
"""The version of a store in which no profile was ever compressed: releases from before that may go on with it."""


class Mark(Struct, frozen=True, gc=False):
    """Where an output partition stood when everything before it was known to be published and trimmed."""

    topic: str
    offset: int


class Meta(Struct, kw_only=True):
    """What a partition remembers of itself. `offsets` is the next offset to read of each input topic.

    `commits` counts commits, `epoch` claims. `clock_ms` never goes back. `t0_ms` is the newest wall time up to which
    everything is known to have been read. `tails` are output end offsets by topic, `origins` the highest offset taken
    from each foreign source ("topic/partition/mark") of internal records, and where that began (`streams.onwards`).
    `topic_ids` are Kafka's ids of the topics read.
    `outbox_base` is the number of outbox rows ever trimmed, so row k of the outbox has number `outbox_base + k`. `wake` is the
    change of a product that not all its watchers have heard of, as text; empty where there is none.
    `rules` says by which rules it is worked on: their `version` and `digest`, as `replanned` the digest of those by which all
    its timers were planned, as `segments` the fingerprint of the definitions that all its profiles were looked at by ("under
    way" as soon as some may be looked at by others), and as `visitors` "forgotten" where all visitors have a timer that forgets
    them.
    """

    token: str
    epoch: int
    commits: int
    offsets: dict[str, int] = {}
    clock_ms: int = 0
    t0_ms: int = 0
    tails: dict[str, int] = {}
    origins: dict[str, int] = {}
    topic_ids: dict[str, str] = {}
    rules: dict[str, str] = {}
    outbox_base: int = 0
    wake: str = ""


class Held(NamedTuple):
    """What an owner goes by: the token of its claim, and how many commits there were by its last one."""

    token: str
    commits: int


class Claim(Struct, kw_only=True):
    """The answer to a claim: the partition's meta with the fresh token, and the rows not yet known to be published.

    `fresh` says that this partition had no meta at all before.
    """

    meta: Meta
    outbox: list[bytes]
    fresh: bool


class Loaded(Struct, kw_only=True):
    """The answer to a load. `profiles` and `entries` hold bytes, or None where there is nothing.

    `entries` is keyed by (profile id, order id). `whole` holds all entries of profiles whose ledger was asked whole.
    `due` lists (profile id, due_ms) of the earliest timers, at most the limit asked for. `watchers` lists (profile id, score)
    of those who watch a product, or who stand in the queue, by score and id.
    """

    profiles: dict[str, bytes | None] = {}
    entries: dict[tuple[str, str], bytes | None] = {}
    whole: dict[str, dict[str, bytes]] = {}
    due: list[tuple[str, int]] = []
    watchers: list[tuple[str, int]] = []


class Waiting(Struct, frozen=True):
    """Profiles that have a timer, or any profiles, and where to go on asking; "" when these were the last."""

    profile_ids: list[str]
    cursor: str


class Commit(Struct, kw_only=True):
    """Everything one batch changed. `expected` is the commit counter before it.

    The last `known` of `profiles` were read, or written, by this owner before: their keys need no look at what they hold.
    `due` maps profile ids to their earliest timer, None to take it out. `outbox` rows are appended after the first
    `trim` rows are taken off. `offsets`, `tails`, `origins` and `rules` name only what moved. `population` is added up; a
    counter goes no further than INTEGER_MAX, on either side of zero.
    `deleted` profiles and their ledgers go before the rest is written: one deleted and named again starts anew. `notes`
    are set, or with None taken out.
    `clock_ms` and `t0_ms` only move forward: a smaller number than the stored one, such as 0, changes nothing.

    `goods` are products by key, None to take one out. `watchers` maps (product key, profile id) to a score, None to take the
    watcher out. `queue` names a product and a number: its watchers from that number on, as they stood before this commit,
    take the place of the queue. The first `unqueue` are taken off the queue. `wake`: see `Meta`; None leaves it.
    """

    token: str
    expected: int
    profiles: dict[str, bytes] = {}
    known: int = 0
    entries: dict[tuple[str, str], bytes] = {}
    deleted: list[str] = []
    due: dict[str, int | None] = {}
    outbox: list[bytes] = []
    trim: int = 0
    offsets: dict[str, int] = {}
    clock_ms: int = 0
    t0_ms: int = 0
    tails: dict[str, int] = {}
    origins: dict[str, int] = {}
    topic_ids: dict[str, str] = {}
    rules: dict[str, str] = {}
    population: dict[str, int] = {}
    notes: dict[str, bytes | None] = {}
    goods: dict[str, bytes | None] = {}
    watchers: dict[tuple[str, str], int | None] = {}
    queue: tuple[str, int] | None = None
    unqueue: int = 0
    wake: str | None = None


class TableError(Exception):
    """Base of what a table may answer instead of doing as asked."""


class Fenced(TableError):
    """Another worker claimed the partition since. This one is a zombie: it must stop the partition and drop its cache.

    Operator action: none; the new owner goes on. A growing count of these means rebalances overlap.
    """


class RolledBack(TableError):
    """The store went back in time (restored from an older copy, or failed over) under a live owner.

    The partition drops its cache, claims again and reads from the offsets it finds; replay heals the state.
    Operator action: none for the data; find out why the store lost its newest writes.
    """


class Refused(TableError):
    """The store refused the write as a whole and nothing was changed: out of memory, read-only, a key of a wrong type.

    The message says what. The partition keeps the batch and tries again with growing pauses.
    """

    @classmethod
    def of_profile(cls, profile_id: str, partition: int, error: Exception) -> "Refused":
        """The error for a stored profile that is damaged."""
        return cls(
            f"the profile {profile_id} (partition {partition}) can't be read: {error}. Restore the partition from a copy, or "
            f"make it anew: regulars rebuild --partition {partition}"
        )


class Unavailable(TableError):
    """The store did not answer, and it is known that nothing was changed, or asked again it still does not answer.

    A commit may thus have been applied or not, or may be applied late. Repeat the very same commit, unchanged, until it
    is answered (it is counted once), or claim the partition again. A different commit in its place is answered with
    RolledBack when the first one did arrive.
    """


class WrongInstall(TableError):
    """The store belongs to an installation with another number of partitions, or to a later release.

    Nothing was changed and nothing is read. Operator action: the message says which setting to change.
    """

    @classmethod
    def of_keys(cls) -> "WrongInstall":
        """The error for other keys of identifiers than the installation's, or for none where it has some, or the reverse."""
        return cls(
            "e-mail addresses and phone numbers of this installation were protected under another key, or not at all. Keys of "
            "identifiers are fixed for the life of an installation, since customers are known by what they make: set "
            "protection.key_file as it was, or give a new installation a prefix of its own"
        )

    @classmethod
    def unreadable(cls) -> "WrongInstall":
        """The error for notes of an installation that are no numbers."""
        return cls(
            "what is noted of the installation (key <prefix>:install, fields partitions and schema) is no number: something else "
            "writes under this prefix. Restore the key, or give the installation a prefix of its own"
        )

    @classmethod
    def of_partitions(cls, stored: int, wanted: int) -> "WrongInstall":
        """The error for a number of partitions that is not the installation's."""
        return cls(
            f"this installation was made with {stored} partitions, but {wanted} are configured. The number is fixed "
            f"for the life of an installation, since it decides where each customer lives: set the partitions to "
            f"{stored}, or give a new installation a prefix of its own"
        )


class NotInstalled(TableError):
    """There is nothing of an installation under this prefix, so a command that works on one has nothing to work on.

    Nothing was changed. Operator action: correct `redis.prefix`, or the server or database in `redis.url`. Of a new
    installation start a worker first: it notes the number of partitions, which stays for good.
    """


def broken_number(commit: Commit) -> str | None:
    """What is wrong with the numbers of a commit, None if nothing: a store checks this before it changes anything."""
    if min(commit.trim, commit.expected, commit.unqueue) < 0:
        return "a commit can't trim, expect or take off the queue fewer than 0"
    groups: tuple[tuple[str, Iterable[int | None]], ...] = (
        ("due time", commit.due.values()),
        ("offset", commit.offsets.values()),
        ("tail", commit.tails.values()),
        ("origin", commit.origins.values()),
        ("population change", commit.population.values()),
        ("watcher's score", commit.watchers.values()),
        ("clock", (commit.clock_ms, commit.t0_ms, commit.trim, commit.expected)),
    )
    for what, numbers in groups:
        for number in numbers:
            if number is not None and not -INTEGER_MAX <= number <= INTEGER_MAX:
                return f"a {what} of {number} is beyond the integers that stay exact (2^53)"
    return None


class Table(Protocol):
    """A store of partitions. All methods may raise `Unavailable`."""

    async def ensure_install(self, partitions: int, key_mark: str = "") -> None:
        """Note the number of partitions and the mark of the identifiers' key ("" without one) at the first start; raise
        WrongInstall when the store has others.
        """

    async def claim(self, partition: int) -> Claim:
        """Take ownership with a fresh random token and epoch + 1; commits under older ones are refused from now on."""

    async def load(
        self,
        partition: int,
        profiles: list[str],
        entries: list[tuple[str, str]],
        *,
        whole: list[str] = ...,
        due_before_ms: int | None = None,
        due_limit: int = 1000,
        watchers_of: str | None = None,
        watchers_limit: int = 0,
        held: Held | None = None,
    ) -> Loaded:
        """Read what is missing in one round trip. `due_before_ms` asks for timers strictly before that moment.

        With a `watchers_limit` the watchers of a product are read, or, where none is named, the queue. `held` is what an owner
        goes by: raises Fenced or RolledBack where the store is at something else. Without that a zombie might keep what
        its successor wrote, and, should the store then go back to before the succession, commit it as its own.
        """

    async def waiting(self, partition: int, cursor: str, count: int) -> Waiting:
        """About `count` profiles with timers, in no order, from a cursor on ("" is the beginning).

        Whoever has a timer from the first call to the last one is among them, perhaps more than once.
        """

    async def everybody(self, partition: int, cursor: str, count: int) -> Waiting:
        """Some of all profiles, redirects among them, in no order, from a cursor on ("" is the beginning): the next ones after
        a look at about `count` keys, which may be none.

        Whoever is there from the first call to the last one is among them, perhaps more than once.
        """

    async def commit(self, partition: int, commit: Commit) -> None:
        """Apply a commit whole or not at all, exactly once however often the call had to be repeated.

        Raises Fenced, RolledBack, Refused or Unavailable; see there what to do with the commit.
        """

    async def meta(self, partition: int) -> Meta | None:
        """The partition's meta as it stands, None if it was never claimed. Takes no ownership."""

    async def set_offsets(self, partition: int, offsets: dict[str, int | None]) -> None:
        """Move or (None) forget stored offsets by an operator's decision. Whoever holds the partition loses it.

        The ids of these topics are forgotten: the next claim takes them as it finds them.
        """

    async def wipe(
        self, partition: int, *, spared: Collection[str] = (), population: Mapping[str, int] = NO_COUNTERS
    ) -> int:
        """Delete everything of the partition except the notes and the fence (`regulars rebuild`); gives the number of keys.

        What the log says again must not bring back who was erased, whether it still holds the command or not. Profiles that are
        `spared` stay, with their ledgers; the counters become `population`.
        Whoever holds the partition loses it. Wiped half, it can't be claimed until it is wiped again.
        """

    async def models(self) -> bytes | None:
        """The document of models that is in use, None before the first fit."""

    async def put_models(self, document: bytes) -> None:
        """Put another document of models in its place."""

    async def population(self, partition: int) -> dict[str, int]:
        """The partition's population counters."""

    async def notes(self, partition: int) -> dict[str, bytes]:
        """All notes of the partition (streams.notes)."""

    async def note(self, partition: int, name: str) -> bytes | None:
        """One of them."""

    async def goods(self, partition: int, keys: list[str] | None = None) -> dict[str, bytes]:
        """What is kept of the products that are watched in the partition: of these, or of all."""

    async def profile(self, partition: int, profile_id: str) -> bytes | None:
        """One stored profile."""

    async def ledger(self, partition: int, profile_id: str) -> dict[str, bytes]:
        """All stored ledger entries of one profile."""

    async def profile_ids(self, partition: int) -> list[str]:
        """Ids of all profiles of the partition, in no order (audit, export)."""

    async def close(self) -> None:
        """Let go of connections."""


def check_held(partition: int, meta: Meta | None, held: Held) -> Meta:
    """The meta of a partition, if it is what its owner goes by. Raises Fenced, or RolledBack where it is gone or elsewhere."""
    if meta is None:
        raise meta_is_gone(partition)
    if meta.token != held.token:
        raise Fenced(f"partition {partition} was claimed by another worker (epoch {meta.epoch})")
    if meta.commits != held.commits:
        raise RolledBack(f"partition {partition} is at commit {meta.commits}, not at {held.commits}")
    return meta


def meta_is_gone(partition: int) -> RolledBack:
    """What an owner hears where the store has lost everything."""
    return RolledBack(f"partition {partition} has no meta any more, though it was claimed")
