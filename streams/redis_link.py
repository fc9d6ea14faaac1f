"""Commands to Redis and their replies, each sent once: one server, or a cluster found through any of its nodes.

This is less than redis-py's clients do, on purpose. They send a command again when its reply is late or lost, and a
commit that may have been applied must not be sent again before somebody looked. Here a reply is a value, an error reply
is a value too, and a call whose replies did not all arrive raises `Unanswered`. redis-py still makes the connections
(TLS, login, pool) and packs and parses the bytes (hiredis).

It knows nothing of profiles. All commands of one call go to the node that owns one key.
"""

import asyncio
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import hiredis
from redis.asyncio.connection import BlockingConnectionPool, Connection, SSLConnection, parse_url
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import (
    AskError,
    AuthenticationError,
    BusyLoadingError,
    MovedError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from streams.certificates import CertificateError, Names, tls_context
from streams.table import Refused, TableError, Unavailable

Arg = bytes | str | int
Command = Sequence[Arg]
Reply = Any
Address = tuple[str, int]

CONNECTIONS_MAX = 16
"""Connections to one node: Redis works on one command at a time, so more only wait in another place."""

TIMEOUT_S = 5.0
"""One round trip, from asking for a connection to the last byte of the last reply."""

CONNECT_TIMEOUT_S = 3.0

REDIRECTS_MAX = 4
"""MOVED and ASK answers followed in one call. More means that the nodes disagree, which a pause cures."""

CLUSTER_SCHEMES = {"redis+cluster": "redis", "rediss+cluster": "rediss"}


class Unanswered(Unavailable):
    """No reply, or not all of them: connecting failed, the time was up, or the connection broke.

    Whether the commands were carried out is not known.
    """


_WORDS = re.compile(r"\b-?(OOM|MISCONF|READONLY|NOREPLICAS|MASTERDOWN|LOADING|CLUSTERDOWN|WRONGTYPE|NOPERM)\b")

_FORBIDDEN = re.compile(r"run the '([a-z|-]+)' command")

# What an error reply means. All of these come instead of an execution, so nothing was changed.
_REFUSED = {
    "OOM": "Redis has used all memory it may use (maxmemory): give it more, or move other data out of it",
    "MISCONF": "Redis can't write to its disk and refuses all writes: look at its log and make room on the disk",
    "READONLY": "this Redis is a replica and can't be written: point the Redis URL to the master",
    "NOREPLICAS": "Redis has fewer replicas in step than min-replicas-to-write asks for: bring its replicas back",
    "WRONGTYPE": "a key of ours holds another type of value: something else writes under this prefix",
    "CROSSSLOT": "keys of one partition lie in different slots of the cluster: is a proxy rewriting keys?",
    "NOAUTH": "Redis asks for a password: put it into the Redis URL (redis://user:password@host:port/0)",
    "WRONGPASS": "Redis refuses this user name or password: correct the Redis URL",
    "NOPERM": "this Redis user lacks a permission: allow it the commands that the docs list, on keys under our prefix",
}
_UNAVAILABLE = {
    "LOADING": "Redis is starting and reads its data: it answers when that is done",
    "MASTERDOWN": "this Redis is a replica that lost its master: point the Redis URL to the master or bring that back",
    "CLUSTERDOWN": "the Redis Cluster has no owner for some slots: bring the missing nodes back, or fail over",
    "TRYAGAIN": "the Redis Cluster is moving this partition between nodes: it answers when that is done",
    "BUSY": "Redis is held up by a script of somebody else's: see SCRIPT KILL",
    "MOVED": "this is a node of a Redis Cluster: use redis+cluster://host:port (with TLS rediss+cluster://) as the Redis URL",
    "ASK": "the Redis Cluster is moving this partition between nodes: it answers when that is done",
}

# After these another node, or the same name resolved anew, may be the right one.
_ELSEWHERE = {"READONLY", "CLUSTERDOWN", "MASTERDOWN", "MOVED", "ASK"}


def error_code(error: Exception) -> str:
    """The word an error reply starts with, such as OOM; redis-py takes known ones out of the text."""
    code = getattr(error, "status_code", None)
    word = str(code) if code else str(error).split(" ", 1)[0]
    if word in _REFUSED or word in _UNAVAILABLE:
        return word
    # Before Redis 7 an error inside a script is wrapped: "ERR Error running script (...): ... -OOM command not ...".
    inside = _WORDS.search(str(error))
    return inside.group(1) if inside else word


def as_table_error(error: Exception, key: Arg | None = None) -> TableError:
    """What an error reply means for the table. The commands were not carried out. `key` is the one a read was about."""
    code, where = error_code(error), _where(error)
    at = f"({code} at {where})" if where else f"({code})"
    if code == "WRONGTYPE" and isinstance(key, bytes):
        return Refused(f"{_REFUSED[code]} {at}: {key.decode('utf-8', 'replace')}; look at it, then delete or rename it")
    if code == "NOPERM" and (command := _FORBIDDEN.search(str(error))):
        return Refused(f"{_REFUSED[code]} {at}: it may not use {command[1].upper()}")
    if code in _UNAVAILABLE:
        return Unavailable(f"{_UNAVAILABLE[code]} {at}")
    if code in _REFUSED:
        return Refused(f"{_REFUSED[code]} {at}")
    return Refused(f"Redis{f' at {where}' if where else ''} refused: {error}")


def _where(error: Exception) -> str:
    """Who gave an error reply: `_exchange` notes it."""
    return next(iter(getattr(error, "__notes__", ())), "")


class RedisLink:
    """Connections to the Redis named by `url`.

    `redis://[user:password@]host:port/db` is one server, `rediss://` the same with TLS, `redis+cluster://` and
    `rediss+cluster://` a cluster; several nodes of a cluster may be named as host:port,host:port. Query parameters are
    those of redis-py, such as `ssl_ca_certs`. `options` are further arguments of redis-py's connections and win.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = TIMEOUT_S,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        connections_max: int = CONNECTIONS_MAX,
        options: dict[str, Any] | None = None,
    ) -> None:
        self.clustered, self._seeds, self._options = read_url(url)
        self._options |= {
            "protocol": 2,
            "retry": Retry(NoBackoff(), 0),
            "socket_connect_timeout": connect_timeout_s,
            # The time of a whole round trip is limited instead: replies that drip in would never end otherwise.
            "socket_timeout": None,
            "socket_keepalive": True,
            **(options or {}),
        }
        self._timeout_s = timeout_s
        self._connections_max = connections_max
        self._pools: dict[Address, BlockingConnectionPool] = {}
        self._slots: list[tuple[int, int, Address]] = []
        self._suspect: Address | None = None
        self._heard: set[Address] = set()  # those that ever answered: they speak as the URL says

    @property
    def where(self) -> str:
        """The servers named, and the database: "127.0.0.1:6379/0"."""
        return f"{','.join(map(_name, self._seeds))}/{self._options.get('db') or 0}"

    async def call(self, key: bytes, commands: Sequence[Command]) -> list[Reply]:
        """The replies to commands about one partition, sent together to the owner of `key`, error replies as values.

        Only commands that a node did not carry out since it does not own the key (MOVED, ASK) are sent to another.
        Raises Unanswered, Refused (login) or Unavailable.
        """
        address = await self.owner(key)
        replies = await self._exchange(address, commands, asking=False)
        for _ in range(REDIRECTS_MAX):
            elsewhere = [at for at, reply in enumerate(replies) if isinstance(reply, AskError)]
            if not elsewhere or not self.clustered:
                break
            redirect = replies[elsewhere[0]]
            address = (redirect.host or address[0], redirect.port)
            moved = isinstance(redirect, MovedError)
            if moved:
                self._slots = []  # outdated: the next call asks for the map anew
            # One by one, not the whole call: while a slot moves, each of the two nodes has some of its keys.
            again = await self._exchange(address, [commands[at] for at in elsewhere], asking=not moved)
            for at, reply in zip(elsewhere, again, strict=True):
                replies[at] = reply
        if any(isinstance(reply, ResponseError) and error_code(reply) in _ELSEWHERE for reply in replies):
            await self._forget()
        return replies

    async def call_node(self, address: Address, commands: Sequence[Command]) -> list[Reply]:
        """The replies of one node, error replies as values."""
        return await self._exchange(address, commands, asking=False)

    async def masters(self) -> list[Address]:
        """The nodes that own keys: the one server, or all masters of the cluster."""
        if not self.clustered:
            return self._seeds[:1]
        await self._find_slots()
        return sorted({address for _first, _last, address in self._slots})

    async def close(self) -> None:
        """Close all connections."""
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await pool.disconnect()

    # --- One round trip --------------------------------------------------------------------------------------------

    async def _exchange(self, address: Address, commands: Sequence[Command], *, asking: bool) -> list[Reply]:
        pool = self._pool(address)
        sent = [command for each in commands for command in (("ASKING",), each)] if asking else commands
        try:
            async with asyncio.timeout(self._timeout_s):
                connection = await pool.get_connection()
                try:
                    replies = await _send_and_read(connection, sent, address)
                except BaseException:
                    # What is left of the replies must never answer the next call on this connection.
                    await connection.disconnect(nowait=True)
                    raise
                finally:
                    await pool.release(connection)
        except (BusyLoadingError, AuthenticationError, ResponseError) as error:
            # Of the login or the choice of the database: nothing else was sent yet.
            error.add_note(_name(address))
            raise as_table_error(error) from error
        except TimeoutError as error:
            self._slots, self._suspect = [], address
            raise Unanswered(
                f"Redis at {_name(address)} did not answer within {self._timeout_s:g} s{self._advice(address, error)}"
            ) from error
        except (RedisError, OSError) as error:
            # The node may be gone for good: ask the others first who owns its slots now.
            self._slots, self._suspect = [], address
            advice = self._advice(address, error)
            told = str(error).removesuffix(".") if advice else str(error)
            raise Unanswered(f"no connection to Redis at {_name(address)}: {told}{advice}") from error
        self._heard.add(address)
        return replies[1::2] if asking else replies

    def _advice(self, address: Address, error: Exception) -> str:
        """What to look at where no connection came about, in words that follow the error's."""
        encrypted, text = self._options.get("connection_class") is SSLConnection, str(error)
        if "CERTIFICATE_VERIFY_FAILED" in text:
            of_trust = "self-signed" in text or "issuer" in text
            return ". Whom to trust: ssl_ca_certs in the Redis URL" if of_trust else ""
        if address in self._heard:
            return ""
        cut = any(word in text for word in ("lost", "reset", "closed", "ALERT"))
        if encrypted and cut and not self._options.get("ssl_certfile"):
            return ". Does it ask for a certificate of this client? ssl_certfile and ssl_keyfile in the Redis URL"
        if encrypted and (cut or "SSL" in text or "Timeout" in text or isinstance(error, TimeoutError)):
            return ". Does it speak TLS there? Without TLS the Redis URL begins with redis://"
        if cut:
            return ". Does it speak TLS there? Then the Redis URL begins with rediss://" if not encrypted else ""
        asked_first = address in self._seeds  # of a cluster's other nodes the URL says nothing
        return ". Is it running, and is redis.url right? A local one: regulars services start" if asked_first else ""

    def _pool(self, address: Address) -> BlockingConnectionPool:
        pool = self._pools.get(address)
        if pool is None:
            _check_files(self._options)
            host, port = address
            place = {"host": host, "port": port}
            pool = self._pools[address] = BlockingConnectionPool(
                max_connections=self._connections_max, timeout=None, **(self._options | place)
            )
        return pool

    async def _forget(self) -> None:
        """Find everything anew with the next call: names may point elsewhere after a failover, slots may have moved."""
        self._slots = []
        for pool in self._pools.values():
            await pool.disconnect(inuse_connections=False)

    # --- The cluster's map -----------------------------------------------------------------------------------------

    async def owner(self, key: bytes) -> Address:
        """The node that owns a key. Raises Unavailable when the cluster knows none."""
        if not self.clustered:
            return self._seeds[0]
        if not self._slots:
            await self._find_slots()
        slot = key_slot(key)
        for first, last, address in self._slots:
            if first <= slot <= last:
                return address
        self._slots = []
        raise Unavailable(_UNAVAILABLE["CLUSTERDOWN"] + f" (slot {slot})")

    async def _find_slots(self) -> None:
        """Ask any node that answers which master owns which slots."""
        failure: TableError | None = None
        for address in sorted(dict.fromkeys([*self._pools, *self._seeds]), key=lambda known: known == self._suspect):
            try:
                (reply,) = await self._exchange(address, [("CLUSTER", "SLOTS")], asking=False)
            except TableError as error:
                failure = error
                continue
            if isinstance(reply, ResponseError):
                failure = as_table_error(reply)
                if "cluster support disabled" in str(reply):
                    scheme = "rediss" if "connection_class" in self._options else "redis"
                    raise Refused(f"Redis at {_name(address)} is no cluster: use {scheme}:// as its URL") from reply
            elif reply:
                # [first, last, [host, port, id], replicas ...]; an empty host is the one just asked.
                self._slots = [
                    (int(first), int(last), (bytes(master[0] or b"").decode() or address[0], int(master[1])))
                    for first, last, master, *_replicas in reply
                ]
                return
            else:
                failure = Unavailable(f"{_UNAVAILABLE['CLUSTERDOWN']} (no slots known at {_name(address)})")
        raise failure or Unavailable("no node of the Redis Cluster is known")


async def _send_and_read(connection: Connection, commands: Sequence[Command], address: Address) -> list[Reply]:
    # hiredis packs 5,000 values in 0.3 ms; the connection's own way of packing, in Python, takes 2.4 ms.
    packed = b"".join(
        # Its type information knows commands of one word alone.
        [hiredis.pack_command(tuple(command)) for command in commands]  # type: ignore[arg-type]
    )
    await connection.send_packed_command(packed)
    replies: list[Reply] = []
    for _ in commands:
        try:
            replies.append(await connection.read_response(disable_decoding=True))
        except (BusyLoadingError, RedisConnectionError):
            raise
        except ResponseError as error:
            error.add_note(_name(address))
            replies.append(error)
    return replies


def read_url(url: str) -> tuple[bool, list[Address], dict[str, Any]]:
    """(cluster?, addresses named, arguments for connections). Raises ValueError with what is wrong, without the URL."""
    try:
        parts = urlsplit(url)
    except ValueError:
        # Its own words may quote all that stands before the path.
        raise ValueError(f"the Redis URL can't be read; {_ESCAPES}") from None
    clustered = parts.scheme in CLUSTER_SCHEMES
    if parts.scheme == "unix":
        raise ValueError("a Redis URL names a host, not a Unix socket")
    scheme = CLUSTER_SCHEMES.get(parts.scheme, parts.scheme)
    if scheme not in {"redis", "rediss"}:
        raise ValueError("a Redis URL begins with redis://, rediss://, redis+cluster:// or rediss+cluster://")
    login, at, places = parts.netloc.rpartition("@")
    hosts = places.split(",")
    # What a password cuts off is no host, port or database, and must not be named as one.
    if parts.fragment or (not at and "@" in parts.path + parts.query):
        raise ValueError(_ESCAPES)
    database = unquote(parts.path).strip("/")
    if database and not database.isdecimal():
        # redis-py would take database 0 in its place.
        raise ValueError(
            "after host and port the Redis URL has the number of a database, or nothing"
            + ("@" in database) * f"; {_ESCAPES}"
        )
    if any(not _PLACE.fullmatch(host) for host in hosts):
        raise ValueError(f"the Redis URL names a server as host:port, or as host; {_ESCAPES}")
    if len(hosts) > 1 and not clustered:
        raise ValueError("several hosts are for a cluster only: write redis+cluster://host:port,host:port")
    seeds: list[Address] = []
    options: dict[str, Any] = {}
    for host in hosts:
        options = dict(parse_url(urlunsplit((scheme, login + at + host, parts.path, parts.query, ""))))
        seeds.append((str(options.pop("host", "localhost")), int(options.pop("port", 6379))))
    if clustered and options.pop("db", 0):
        raise ValueError("a Redis Cluster has database 0 alone: take the database number out of the Redis URL")
    _check_parameters(options)
    return clustered, seeds, options


_ESCAPES = "in a user name or password write %40 for @, %2F for /, %23 for #, %3F for ? and %25 for %"
_PLACE = re.compile(r"(?:[^:\[\]]*|\[[0-9A-Fa-f:.%]+\])(?::[0-9]+)?", re.ASCII)


def _check_parameters(options: dict[str, Any]) -> None:
    """Raise ValueError for parameters that connections do not have, or do not take so. Opens none."""
    given = {name: value for name, value in options.items() if name != "connection_class"}
    try:
        options.get("connection_class", Connection)(**given)
    except TypeError as error:
        found = re.search(r"unexpected keyword argument '(\w+)'", str(error))
        name = found[1] if found else ""
        of_tls = name.startswith("ssl_") and "connection_class" not in options
        raise ValueError(
            f"the Redis URL has no parameter {name}{' without TLS: it then begins with rediss://' if of_tls else ''}"
        ) from None
    except RedisError as error:
        raise ValueError(f"the Redis URL: {error}") from None
    if own := given.keys() & {"max_connections", "timeout"}:
        raise ValueError(f"the Redis URL has no parameter {min(own)}")


def _check_files(options: dict[str, Any]) -> None:
    """Raise Refused where the certificates that the URL names can't be used."""
    if options.get("connection_class") is not SSLConnection:
        return
    names = (options.get(name) or "" for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_password"))
    try:
        tls_context(_TLS, *names)
    except CertificateError as error:
        raise Refused(str(error)) from error


_TLS = Names(*(f"{name} of redis.url" for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_password")))


def _name(address: Address) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
