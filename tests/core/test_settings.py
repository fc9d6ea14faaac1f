"""Settings: three sources, unknown names refused with a suggestion, secrets never shown, reference files kept complete."""

import re
import tomllib
from pathlib import Path
from typing import Any, get_origin
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.setting import Setting
from streams.setting_serve import ENTRIES
from streams.settings import ENTRY_SETTINGS, SETTINGS, SettingsError, build_settings, load_settings

DEPLOY = Path(__file__).parents[2] / "deploy"


def test_nothing_given_is_a_working_installation_on_this_machine() -> None:
    settings = build_settings()

    assert settings.kafka.bootstrap == "127.0.0.1:9092"
    assert settings.kafka.partitions == 32
    assert settings.redis.url == "redis://127.0.0.1:6379/0"


def test_a_flag_wins_over_the_environment_and_that_over_the_file() -> None:
    document = {"kafka": {"partitions": 4, "group": "file", "bootstrap": "file:1"}}
    environment = {"REGULARS_KAFKA_PARTITIONS": "8", "REGULARS_KAFKA_GROUP": "environment", "HOME": "/root"}

    settings = build_settings(document, environment, {"kafka.partitions": 16, "kafka.group": None})

    assert (settings.kafka.partitions, settings.kafka.group, settings.kafka.bootstrap) == (16, "environment", "file:1")


@pytest.mark.parametrize(
    "document,environment,flags,message",
    [
        ({"kafka": {"partition": 4}}, {}, {}, "unknown setting kafka.partition; did you mean kafka.partitions?"),
        ({"kafak": {}}, {}, {}, "unknown section [kafak]; did you mean kafka?"),
        ({"kafka": 3}, {}, {}, "kafka must be a table: [kafka]"),
        ({}, {"REGULARS_REDIS_ULR": "x"}, {}, "unknown setting in the environment: REGULARS_REDIS_ULR; did you mean REGULARS_REDIS_URL?"),  # noqa: E501
        ({}, {}, {"http.prt": 1}, "unknown setting flag --http-prt; did you mean http.port?"),
        ({"kafka": {"partitions": 0}}, {}, {}, "kafka.partitions: Expected `int` >= 1"),
        ({"kafka": {"partitions": "4"}}, {}, {}, "kafka.partitions: Expected `int`, got `str`"),
        ({"sources": {"web": {"key": "wk_12345678"}}}, {}, {}, "sources.web: kind is missing; give it there, or as REGULARS_SOURCES_WEB_KIND"),  # noqa: E501
        ({"sources": {"web": {"kee": "x"}}}, {}, {}, "unknown setting sources.web.kee; did you mean key?"),
        ({"sources": {"My-Web": {}}}, {}, {}, "[sources.My-Web]: a name is small letters, digits and _, and begins with a letter"),  # noqa: E501
        ({"sources": {"web": 3}}, {}, {}, "sources.web must be a table: [sources.web]"),
        ({"sources": {"a": {"key": "wk_12345678", "kind": "client"}, "b": {"key": "wk_12345678", "kind": "server"}}}, {}, {}, "sources.a.key and sources.b.key must differ"),  # noqa: E501
        ({"sources": {"a": {"key": "wk_12345678", "kind": "client"}}, "webhooks": {"a": {"scheme": "shopify", "secrets": ["12345678"]}}}, {}, {}, "sources.a and webhooks.a must have different names: it is their events' source"),  # noqa: E501
        ({}, {"REGULARS_TOKENS_CRM_SHA256": "a" * 64}, {}, "tokens.crm: scopes is missing; give it there, or as REGULARS_TOKENS_CRM_SCOPES"),  # noqa: E501
        ({"serve": {"batch_bytes": 100_000, "inflight_bytes": 65_536}}, {}, {}, "serve.batch_bytes must not be above serve.inflight_bytes"),  # noqa: E501
        ({}, {"REGULARS_KAFKA_PARTITIONS": "many"}, {}, "kafka.partitions (REGULARS_KAFKA_PARTITIONS): Expected `int`, got `str`"),  # noqa: E501
        ({"kafka": {"partitions": 4}}, {}, {"kafka.partitions": "0"}, "kafka.partitions (--kafka-partitions): Expected `int` >= 1"),  # noqa: E501
        ({}, {"REGULARS_KAFKA_COMPRESSION": "brotli"}, {}, "kafka.compression (REGULARS_KAFKA_COMPRESSION): Invalid enum value 'brotli'; allowed are none, gzip, snappy, lz4, zstd"),  # noqa: E501
        ({"tokens": {"crm": {"sha256": "a" * 64, "scopes": ["all"]}}}, {}, {}, "tokens.crm.scopes[0]: Invalid enum value 'all'; allowed are profiles, segments, carts, next, privacy"),  # noqa: E501
        ({"shop": {"timezone": "Mars/Base"}}, {}, {}, "shop.timezone: 'Mars/Base' is no IANA time zone such as Europe/Berlin"),
        ({}, {"REGULARS_KAFKA_BOOTSTRAP": "a:1,b:"}, {}, "kafka.bootstrap (REGULARS_KAFKA_BOOTSTRAP): 'b:' is no address; brokers are named host:port, separated by commas"),  # noqa: E501
        ({"kafka": {"bootstrap": ""}}, {}, {}, "kafka.bootstrap: nothing is no address; brokers are named host:port, separated by commas"),  # noqa: E501
        ({"redis": {"url": "localhost:6379"}}, {}, {}, "redis.url: a Redis URL begins with redis://, rediss://, redis+cluster:// or rediss+cluster:// (redis://host:port/db, rediss:// with TLS, redis+cluster:// for a cluster)"),  # noqa: E501
        ({}, {"REGULARS_REDIS_URL": "redis://u:pa/ss@h:6379/0"}, {}, "redis.url (REGULARS_REDIS_URL): in a user name or password write %40 for @, %2F for /, %23 for #, %3F for ? and %25 for % (redis://host:port/db, rediss:// with TLS, redis+cluster:// for a cluster)"),  # noqa: E501
        ({"redis": {"url": "unix:///run/redis.sock"}}, {}, {}, "redis.url: a Redis URL names a host, not a Unix socket (redis://host:port/db, rediss:// with TLS, redis+cluster:// for a cluster)"),  # noqa: E501
        ({"shop": {"currency": "euro"}}, {}, {}, "shop.currency: Expected three capital letters, such as EUR"),
        ({"tokens": {"crm": {"sha256": "A" * 64, "scopes": ["next"]}}}, {}, {}, "tokens.crm.sha256: Expected 64 digits of 0-9 and a-f, as sha256sum prints them"),  # noqa: E501
        ({"sources": {"web": {"key": "wk_12345678", "kind": "client", "origins": ["https://shop.example/"]}}}, {}, {}, "sources.web.origins[0]: Expected an origin without a path, such as https://shop.example, or *"),  # noqa: E501
        ({"redis": {"prefix": "{shop}"}}, {}, {}, "redis.prefix: Expected 1 to 100 letters, digits, `.`, `_`, `:` and `-`"),
        ({"kafka": {"heartbeat_ms": 5000}}, {}, {}, "kafka.heartbeat_ms must be at most a third of kafka.session_timeout_ms"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_what_would_be_right(
    document: dict[str, Any], environment: dict[str, str], flags: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        build_settings(document, environment, flags)

    assert str(refused.value) == message


WEBHOOK = {"scheme": "standard", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}
RELAY = {"url": "https://crm.example", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
NO_SECRET = "a Standard Webhooks secret is base64, with or without whsec_ before it"


@pytest.mark.parametrize(
    "table, entries, told",
    [
        ("webhooks", {"till": WEBHOOK | {"format": "shopware"}}, "webhooks.till.format: there is no source 'shopware'; there are shopify, shopify_pixel, "),  # noqa: E501
        ("webhooks", {"till": WEBHOOK | {"secrets": [*WEBHOOK["secrets"], "no base64 at all"]}}, f"webhooks.till.secrets: {NO_SECRET}"),  # noqa: E501
        ("webhooks", {"till": WEBHOOK | {"secrets": ["geheimer Schlüssel"]}}, f"webhooks.till.secrets: {NO_SECRET}"),
        ("relays", {"crm": RELAY | {"secret": "no base64 at all"}}, f"relays.crm.secret: {NO_SECRET}"),
        ("relays", {"crm": RELAY | {"secret_before": "no base64 at all"}}, f"relays.crm.secret_before: {NO_SECRET}"),
        ("relays", {"crm": RELAY | {"url": "https://10.0.0.7/hook"}}, "relays.crm.url: 10.0.0.7 is no public address; if the receiver is your own, set allow_private"),  # noqa: E501
        ("relays", {"crm": RELAY | {"url": "http://[::ffff:127.0.0.1]:80/"}}, "relays.crm.url: ::ffff:"),
        ("relays", {"crm": RELAY | {"url": "https://crm.example:99999/"}}, "relays.crm.url: Port out of range 0-65535"),
        ("relays", {"crm": RELAY | {"url": "https://127.1/hook"}}, "relays.crm.url: 127.1 is no public address"),
        ("relays", {"crm": RELAY | {"url": "https://ann:hunter@rest.example", "format": "braze"}}, "relays.crm.url: no login can stand in it: braze knows its callers by the key in `secret`"),  # noqa: E501
        ("relays", {"crm": RELAY | {"format": "customerio"}}, "relays.crm.user: Customer.io asks for the site id beside the key"),
        ("raw", {"web": {"topic": "t", "format": "matomo"}}, "raw.web.format: there is no source 'matomo'; there are shopify, "),
        ("raw", {"a": {"topic": "t", "format": "ga4"}, "b": {"topic": "t", "format": "segment"}}, "raw.b.topic: t is raw.a's already"),  # noqa: E501
        ("raw", {"web": {"topic": "orders", "format": "segment"}}, "raw.web.topic: workers read orders themselves, in any form"),
    ],
)  # fmt: skip
def test_an_entry_that_nothing_could_start_with_is_refused_wherever_settings_are_read(
    table: str, entries: dict[str, Any], told: str
) -> None:
    """`doctor` and `settings show` took it, and `serve`, `relay` and `bridge` did not."""
    with pytest.raises(SettingsError) as refused:
        build_settings({table: entries})

    assert str(refused.value).startswith(told)


def test_a_wrong_entry_is_named_with_where_it_stands() -> None:
    given = {"REGULARS_RAW_WEB_TOPIC": "hits", "REGULARS_RAW_WEB_FORMAT": "matomo"}

    with pytest.raises(SettingsError, match=r"raw\.web\.format \(REGULARS_RAW_WEB_FORMAT\): there is no source"):
        build_settings({}, given)


def test_what_is_wrong_in_a_file_is_named_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "shop.toml"
    for text, wrong in (
        ("partitions = 0", f"kafka.partitions (settings file {path}): Expected `int` >= 1"),
        ("partition = 4", f"settings file {path}: unknown setting kafka.partition; did you mean kafka.partitions?"),
    ):
        path.write_text(f"[kafka]\n{text}\n")
        with pytest.raises(SettingsError) as refused:
            load_settings(path)

        assert str(refused.value) == wrong


def test_a_password_in_a_wrong_url_is_not_told() -> None:
    with pytest.raises(SettingsError) as refused:
        build_settings({"redis": {"url": "redis+cluster://app:hunter2@a:1,b:2/3"}})

    assert "database 0" in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "redis://app:hunter#2@cache:6379/0",
        "redis://app:hunter/2@cache:6379/0",
        "redis://app:4711?hunter@cache:6379/0",
        "redis://app:hun@ter/2@cache:6379/0",
        "redis://app:hunter℀@cache:6379/0",
        "redis://app:hun[ter@cache:6379/0",
    ],
)
def test_a_password_that_cuts_its_url_in_two_is_told_no_part_of(url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        build_settings({"redis": {"url": url}})

    assert not any(part in str(refused.value) for part in ("4711", "hun", "ter/2"))
    assert "%23 for #" in str(refused.value)


@pytest.mark.parametrize(
    "url, told",
    [
        ("rediss://cache?ssl_ca_cert=/ca.pem", "the Redis URL has no parameter ssl_ca_cert ("),
        ("redis://cache?ssl_ca_certs=/ca.pem", "no parameter ssl_ca_certs without TLS: it then begins with rediss://"),
        ("rediss://cache?ssl_cert_reqs=maybe", "Requirements Flag: maybe"),
        ("redis://cache?max_connections=3", "the Redis URL has no parameter max_connections"),
        ("redis:///run/redis.sock", "has the number of a database, or nothing"),
        ("redis://cache:port/0", "names a server as host:port"),
    ],
)
def test_a_url_that_redis_py_would_only_stumble_over_later_is_refused(url: str, told: str) -> None:
    with pytest.raises(SettingsError) as refused:
        build_settings({"redis": {"url": url}})

    assert told in str(refused.value)


def test_texts_of_the_environment_become_the_type_of_their_setting() -> None:
    environment = {
        "REGULARS_KAFKA_SSL_CHECK_HOSTNAME": "no",
        "REGULARS_HEALTH_REJECTED_SHARE": "0.2",
        "REGULARS_HTTP_PORT": "0",
    }

    settings = build_settings({}, environment)

    assert settings.kafka.ssl_check_hostname is False
    assert settings.health.rejected_share == 0.2
    assert settings.http.port == 0


def test_entries_come_from_the_file_and_from_the_environment_alike() -> None:
    document = {"sources": {"web": {"key": "wk_from_file", "kind": "client", "origins": ["https://a.example"]}}}
    environment = {
        "REGULARS_SOURCES_WEB_KEY": "wk_from_environment",
        "REGULARS_SOURCES_BACK_END_KEY": "sk_12345678",
        "REGULARS_SOURCES_BACK_END_KIND": "server",
        "REGULARS_WEBHOOKS_SHOP_SCHEME": "shopify",
        "REGULARS_WEBHOOKS_SHOP_SECRETS": "new_secret, old_secret",
    }

    settings = build_settings(document, environment)

    assert settings.sources["web"].key == "wk_from_environment"
    assert settings.sources["web"].origins == ("https://a.example",)
    assert settings.sources["back_end"].kind == "server"
    assert settings.webhooks["shop"].secrets == ("new_secret", "old_secret")


@pytest.mark.parametrize(
    "origin", ["shop.example", "https://shop.example/", "https://shop.example/path", "ftp://x", ""]
)
def test_an_origin_is_a_scheme_and_a_host(origin: str) -> None:
    with pytest.raises(SettingsError, match=r"^sources\.web\.origins\[0\]: "):
        build_settings({"sources": {"web": {"key": "wk_12345678", "kind": "client", "origins": [origin]}}})


def test_no_secret_is_ever_shown() -> None:
    settings = build_settings(
        {
            "kafka": {"sasl_password": "hunter2", "ssl_password": "hunter3", "sasl_username": "ann"},
            "redis": {"url": "rediss://app:hunter4@cache:6380/0"},
            "sources": {"web": {"key": "hunter5_key", "kind": "client"}},
            "webhooks": {"shop": {"scheme": "shopify", "secrets": ["hunter6_secret", "hunter7_secret"]}},
        }
    )

    shown = repr(settings) + str(settings)

    assert "hunter" not in shown
    assert "sasl_username='ann'" in shown
    assert "rediss://app:********@cache:6380/0" in shown


@pytest.mark.parametrize(
    "url, shown",
    [
        ("redis://app:hun@ter:2@cache:6379/0", "redis://app:********@cache:6379/0"),
        ("redis://cache:6379/0?password=hunter&db=1", "redis://cache:6379/0?password=********&db=1"),
        (
            "rediss://cache?ssl_keyfile=/k.pem&ssl_password=hunter",
            "rediss://cache?ssl_keyfile=/k.pem&ssl_password=********",
        ),
    ],
)
def test_a_password_is_masked_wherever_it_stands_in_a_url(url: str, shown: str) -> None:
    assert f"url={shown!r}" in repr(build_settings({"redis": {"url": url}}))


@pytest.mark.parametrize(
    "url, shown",
    [
        ("https://ann:hunter@crm.example:8443/hooks/hunter?token=hunter", "https://crm.example:8443/********"),
        ("https://crm.example?hunter", "https://crm.example/********"),
        ("https://crm.example", "https://crm.example"),
    ],
)
def test_of_a_receivers_url_no_more_is_shown_than_where_it_leads(url: str, shown: str) -> None:
    """Slack, Zapier and others know their callers by the path alone."""
    relay = build_settings({"relays": {"crm": RELAY | {"url": url}}}).relays["crm"]

    assert f"url={shown!r}" in repr(relay)


WAYS = {
    "secret": ["{}", "https://app:{}@crm.example", "https://crm.example/{}", "https://crm.example?token={}"],
    "redis.url": ["redis://app:{}@cache", "redis://:{}@cache/0", "rediss://h:6380/0?password={}", "rediss://h?ssl_password={}&db=1"],
    "kafka.bootstrap": ["SASL_SSL://app:{}@kafka:9093"],
}  # fmt: skip
"""How a setting may hold a secret, for all that are one, and for others by their paths."""
ENTRIES_THAT_WORK: dict[str, dict[str, Any]] = {
    "sources": {"key": "wk_12345678", "kind": "server"}, "webhooks": {"scheme": "bearer", "secrets": ["12345678"]},
    "tokens": {"sha256": "0" * 64, "scopes": ["next"]}, "relays": RELAY, "raw": {"topic": "t", "format": "segment"},
}  # fmt: skip


@given(
    st.sampled_from([
        (setting, way)
        for setting in (*SETTINGS, *ENTRY_SETTINGS)
        for way in WAYS.get("secret" if setting.secret else setting.path, ())
    ]),
    st.text(),
)  # fmt: skip
def test_no_setting_tells_what_is_secret_of_it_shown_or_refused(held: tuple[Setting, str], secret: str) -> None:
    setting, way = held
    value = way.format(quote(f"{secret}hunter{secret}", safe=""))
    table, *_, field = setting.path.split(".")
    given = {field: [value] if get_origin(setting.type) is tuple else value}

    try:
        said = repr(build_settings({table: {"it": ENTRIES_THAT_WORK[table] | given} if table in ENTRIES else given}))
    except SettingsError as refused:
        said = str(refused)

    assert "hunter" not in said


def test_every_setting_that_is_called_a_secret_is_one() -> None:
    called = {s.path for s in (*SETTINGS, *ENTRY_SETTINGS) if re.search("password|secret|key|token", s.name)}
    secret = {s.path for s in (*SETTINGS, *ENTRY_SETTINGS) if s.secret}

    assert called - secret == {"kafka.ssl_keyfile", "protection.key_file"}  # where one lies
    assert secret - called == {"relays.<name>.url"}


def test_a_country_without_phone_numbers_is_refused() -> None:
    assert build_settings({"shop": {"phone_region": "GB"}}).shop.phone_region == "GB"
    with pytest.raises(SettingsError, match=r"shop.phone_region: UK is no country .* GB"):
        build_settings({"shop": {"phone_region": "UK"}})


def test_every_setting_says_what_why_and_what_happens_at_the_extremes() -> None:
    for setting in (*SETTINGS, *ENTRY_SETTINGS):
        for text in (setting.meaning, setting.why, setting.extremes):
            assert text.endswith("."), setting.path
            assert len(text) > 12, setting.path
    assert len({setting.env for setting in SETTINGS}) == len(SETTINGS)


def test_the_reference_file_holds_every_setting_with_its_default() -> None:
    document = tomllib.loads((DEPLOY / "regulars.toml").read_text())

    assert [f"{section}.{name}" for section, table in document.items() for name in table] == [s.path for s in SETTINGS]
    assert build_settings(document) == build_settings()


def test_the_entries_shown_in_the_reference_file_say_everything_and_are_accepted_when_they_are_uncommented() -> None:
    _, shown = (DEPLOY / "regulars.toml").read_text().split("# Entries")
    document = tomllib.loads("\n".join(re.findall(r"^# (\[.*\]|[a-z0-9_]+ = .*)$", shown, re.MULTILINE)))

    build_settings(document)
    said = {
        f"{table}.<name>.{field}"
        for table, entries in document.items()
        for entry in entries.values()
        for field in entry
    }
    assert set(document) == set(ENTRIES)
    assert said == {setting.path for setting in ENTRY_SETTINGS}


def test_the_minimal_file_is_enough() -> None:
    settings = load_settings(DEPLOY / "regulars.minimal.toml", {})

    assert settings.shop.currency == "EUR"


def test_a_settings_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "regulars.toml"
    path.write_bytes(b"\xef\xbb\xbf[kafka]\npartitions = 4\n")

    assert load_settings(path).kafka.partitions == 4


def test_what_is_no_utf_8_is_named_by_where_it_came_from() -> None:
    """It was taken, and failed where it was first written."""
    with pytest.raises(SettingsError, match=r"shop\.id \(REGULARS_SHOP_ID\): this is not UTF-8"):
        build_settings({}, {"REGULARS_SHOP_ID": "\udcff"})
    with pytest.raises(SettingsError, match=r"shop\.id \(--shop-id\): this is not UTF-8"):
        build_settings({}, {}, {"shop.id": "\udcff"})


def test_a_settings_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("[kafka\n")

    with pytest.raises(SettingsError, match=r"missing\.toml can't be read"):
        load_settings(tmp_path / "missing.toml")
    with pytest.raises(SettingsError, match=r"broken\.toml is not valid TOML"):
        load_settings(broken)


def test_both_kafka_clients_get_the_same_connection() -> None:
    settings = build_settings(
        {
            "kafka": {
                "bootstrap": "a:1, b:2",
                "security_protocol": "SASL_SSL",
                "sasl_mechanism": "SCRAM-SHA-512",
                "sasl_username": "ann",
                "sasl_password": "secret",
                "ssl_check_hostname": False,
            }
        }
    )

    ours, theirs = settings.to_aiokafka(), settings.to_kafka_python()

    assert ours["bootstrap_servers"] == ["a:1", "b:2"]
    assert ours["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (ours["sasl_plain_username"], ours["sasl_plain_password"]) == ("ann", "secret")
    assert ours["ssl_context"].check_hostname is False
    assert ours.keys() == theirs.keys()
    assert "ssl_context" not in build_settings().to_kafka_python()


def test_topics_carry_the_prefix() -> None:
    settings = build_settings({"kafka": {"topic_prefix": "eu."}})

    assert settings.topic("orders") == "eu.orders"
    assert settings.consumed()["eu.clickstream"] == "clickstream"
