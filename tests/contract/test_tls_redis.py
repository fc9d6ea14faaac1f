"""A Redis reached by TLS, with a private authority, client certificates and users with no more rights than the docs say."""

import re
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from streams.local.process import LocalServiceError, free_ports
from streams.local.redis_server import RedisServer
from streams.redis_checks import check_redis
from streams.redis_table import RedisTable
from streams.table import Commit, TableError
from tests.conftest import MakeRedis
from tests.contract.certificate_kit import Certificates
from tests.contract.table_kit import in_loop
from tests.needed import missing

P = 3
PASSWORD = "p@ss:w/rd#1%?"
HOW_TO = Path(__file__).parents[2] / "docs/how-to/secure-connections.md"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


class Secured:
    """A Redis that asks for TLS and a client's certificate at `port`, and for neither at its server's own."""

    def __init__(self, own_redis: MakeRedis, certificates: Certificates) -> None:
        self.made = certificates
        (self.port,) = free_ports(1)
        authority = {"tls-port": str(self.port), "tls-ca-cert-file": certificates.pem("ca"), "tls-auth-clients": "yes"}
        try:
            self.server: RedisServer = own_redis(config=authority | self._shown_by("server"))
        except LocalServiceError as error:
            if "tls" not in str(error):
                raise
            missing("this redis-server was built without TLS: a package of your system, or `make BUILD_TLS=yes`")

    def _shown_by(self, name: str) -> dict[str, str]:
        return {"tls-cert-file": self.made.pem(name), "tls-key-file": self.made.key(name)}

    def shows(self, name: str) -> None:
        """From now on it shows this certificate."""
        with self.server.client() as admin:
            admin.execute_command("CONFIG", "SET", *(part for pair in self._shown_by(name).items() for part in pair))

    def add(self, user: str, prefix: str, rules: str) -> None:
        """A user of these rules, confined to keys under the prefix."""
        with self.server.client() as admin:
            keys = rules.replace("~regulars:*", f"~{prefix}:*").split()
            admin.execute_command("ACL", "SETUSER", user, "on", f">{PASSWORD}", *keys)

    def url(self, login: str = "", **parameters: str) -> str:
        """The address with these parameters in place of the right ones; an empty one is left out."""
        right = {
            "ssl_ca_certs": self.made.pem("ca"),
            "ssl_certfile": self.made.pem("client"),
            "ssl_keyfile": self.made.key("client"),
        }
        given = {name: value for name, value in (right | parameters).items() if value}
        return f"rediss://{login}127.0.0.1:{self.port}/0?{urlencode(given)}"


def documented(start: str) -> str:
    """The rules of a user in the how-to, from the line with this start."""
    (rules,) = re.findall(rf"^{re.escape(start)}(.*)$", HOW_TO.read_text(), re.MULTILINE)
    return str(rules)


@in_loop
async def test_a_user_with_the_documented_rights_does_all_that_a_worker_does(
    own_redis: MakeRedis, certificates: Certificates, prefix: str
) -> None:
    secured = Secured(own_redis, certificates)
    secured.add("worker", prefix, documented("ACL SETUSER regulars on >PASSWORD "))
    login = f"worker:{quote(PASSWORD, safe='')}@"
    sealed = {"ssl_keyfile": certificates.key("sealed"), "ssl_password": "key-password"}
    for parameters in ({}, sealed):
        table = RedisTable(secured.url(login, **parameters), prefix=prefix)

        assert await check_redis(table.link) == []
        await table.ensure_install(32)
        claim = await table.claim(P)
        commit = Commit(token=claim.meta.token, expected=claim.meta.commits, profiles={"a": b"1"}, due={"a": 5})
        await table.commit(P, commit)
        loaded = await table.load(P, ["a"], [], whole=["a"], due_before_ms=9)
        assert (loaded.profiles, loaded.due) == ({"a": b"1"}, [("a", 5)])
        assert await table.profile_ids(P) == ["a"]
        assert await table.wipe(P) == 2
        await table.close()

    table = RedisTable(secured.url(login), prefix=f"{prefix}-other")
    with pytest.raises(TableError, match=rf"lacks a permission.*NOPERM at 127\.0\.0\.1:{secured.port}"):
        await table.check_install(32)
    await table.close()


@in_loop
async def test_a_user_who_only_reads_looks_at_profiles_and_is_told_what_she_may_not_do(
    own_redis: MakeRedis, certificates: Certificates, prefix: str
) -> None:
    secured = Secured(own_redis, certificates)
    worker = RedisTable(secured.server.url, prefix=prefix)
    await worker.ensure_install(32)
    claim = await worker.claim(P)
    await worker.commit(P, Commit(token=claim.meta.token, expected=0, profiles={"a": b"1"}))
    await worker.close()
    secured.add("reader", prefix, documented("ACL SETUSER reader on >PASSWORD "))
    reader = RedisTable(secured.url(f"reader:{quote(PASSWORD, safe='')}@"), prefix=prefix)

    assert await reader.check_install(32)
    assert await reader.profile(P, "a") == b"1"
    assert await reader.ledger(P, "a") == {}
    with pytest.raises(TableError, match=rf"NOPERM at 127\.0\.0\.1:{secured.port}\): it may not use EVALSHA"):
        await reader.claim(P)
    await reader.close()


@in_loop
async def test_what_is_wrong_with_a_secured_connection_is_said_with_what_to_look_at(
    own_redis: MakeRedis, certificates: Certificates, prefix: str
) -> None:
    secured = Secured(own_redis, certificates)
    made, nowhere = certificates, str(certificates.directory / "nowhere.pem")
    at = f"127.0.0.1:{secured.port}"

    async def told(url: str, shown: str = "server") -> str:
        secured.shows(shown)
        table = RedisTable(url, prefix=prefix, timeout_s=1.0, connect_timeout_s=0.5)
        with pytest.raises(TableError) as raised:
            await table.check_install(32)
        await table.close()
        return str(raised.value)

    assert await told(secured.url(ssl_ca_certs=nowhere)) == (
        f"ssl_ca_certs of redis.url: {nowhere} can't be read: No such file or directory"
    )
    assert "holds no certificates (PEM)" in await told(secured.url(ssl_ca_certs=made.key("ca")))
    assert "the key is not that of the certificate" in await told(secured.url(ssl_keyfile=made.key("server")))
    assert "is the key of a certificate: give ssl_certfile" in await told(secured.url(ssl_certfile=""))
    # Nobody is asked for the password of a key at the terminal.
    assert "ssl_password of redis.url does not open it" in await told(secured.url(ssl_keyfile=made.key("sealed")))

    for url, shown, words in (
        (secured.url(ssl_ca_certs=made.pem("other-ca")), "server", "Whom to trust: ssl_ca_certs in the Redis URL"),
        (secured.url(), "self-signed", "Whom to trust: ssl_ca_certs in the Redis URL"),
        (secured.url(), "expired", "certificate has expired"),
        (secured.url(), "elsewhere", "IP address mismatch"),
        (secured.url(ssl_certfile="", ssl_keyfile=""), "server", "Does it ask for a certificate of this client?"),
        (f"redis://{at}/0", "server", "Then the Redis URL begins with rediss://"),
        (secured.url("nobody:wrong-secret@"), "server", "refuses this user name or password"),
        (secured.url().replace("/0?", "/7?"), "server", "DB index is out of range"),
    ):
        message = await told(url, shown)
        assert at in message, message
        assert words in message, message
        assert "wrong-secret" not in message

    plain = secured.url().replace(at, f"127.0.0.1:{secured.server.port}")
    assert "Does it speak TLS there? Without TLS the Redis URL begins with redis://" in await told(plain)
