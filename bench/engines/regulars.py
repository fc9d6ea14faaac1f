"""Regulars itself, as a user would start it: `regulars worker` with settings in the environment, from the environment of
`make compiled` as in the container image, and once more as Python alone.

The rules differ from the built-in ones only where the job says so (delay of the cart trigger, no cap on how many a customer
gets), and where the stream's age would change the outcome: its events lie months back, and a trigger or cart that old
would expire. It does more than the job: brands, sessions, touches, margin, decisions with reasons, conversions.
"""

import json
import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final

from typing_extensions import override

from bench.durable import Progress, RedisOffsets
from bench.engines.engine import Ground
from bench.job import CartTrigger, Expected, Totals
from bench.observed_worker import VARIABLE, Sheet
from bench.redis_state import key_batches, keys_bytes
from profiles.interests import read
from profiles.profile import Profile, decode_profile
from profiles.rules import table_of
from profiles.triggers import BY_NAME
from schemas.topics import TOPICS
from streams.packing import unpack

_JOB: Final = """\
version = "profile-ltv"
soft_opt_in = true

[caps]
max_in_24h = 1000000000
max_in_7d = 1000000000
max_in_day = 1000000000

[quiet_hours]
enabled = false

[cart_abandoned]
delay = "30min"
cooldown = "0ms"
max_in_window = 0
max_lateness = "3650d"
forget = "3650d"
"""
RULES: Final = _JOB + "".join(f"[{table_of(name)}]\nenabled = false\n" for name in BY_NAME if name != "cart.abandoned")
"""The job's one trigger; all others are off."""


ROOT: Final = Path(__file__).parents[2]
COMPILED: Final = ROOT / ".venv-compiled/bin/regulars"


class Regulars:
    """This project's worker, its hot path compiled; a study may give it other rules and settings (variables)."""

    name = "regulars"
    title = "Regulars"
    guarantee = "exactly once"
    durable_state = "Redis, append-only file"
    needs_redis = True
    runs_prefix = False

    def __init__(self, rules: str = RULES, settings: Mapping[str, str] | None = None) -> None:
        self._rules, self._settings = rules, dict(settings or {})

    def build(self) -> None:
        """Compile it unless that was done. Raises RuntimeError with the end of the output."""
        done = subprocess.run(
            ["make", "-C", str(ROOT), "compiled"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"make compiled failed:\n{(done.stdout + done.stderr)[-2000:]}")

    def versions(self) -> Mapping[str, str]:
        names = ("regulars", "faust-streaming", "aiokafka", "redis", "msgspec")
        return {name: version(name) for name in names} | {"Python": platform.python_version()}

    def commands(self, ground: Ground) -> list[list[str]]:
        return [[str(COMPILED), "worker"] for _ in range(ground.threads)]

    def environment(self, ground: Ground) -> Mapping[str, str]:
        assert ground.redis is not None
        rules = ground.state / "rules.toml"
        rules.write_text(self._rules)
        return {
            "REGULARS_KAFKA_BOOTSTRAP": ground.servers.kafka.bootstrap,
            "REGULARS_KAFKA_TOPIC_PREFIX": ground.topic(""),
            "REGULARS_KAFKA_GROUP": ground.prefix,
            "REGULARS_KAFKA_PARTITIONS": str(ground.partitions),
            "REGULARS_REDIS_URL": ground.redis.url,
            "REGULARS_FILES_RULES": str(rules),
            "REGULARS_HTTP_PORT": "0",
            "REGULARS_LOG_LEVEL": "WARNING",
            **self._settings,
        }

    def topics(self, ground: Ground) -> None:
        ground.servers.make_topics([ground.topic(topic.name) for topic in TOPICS], ground.partitions)

    def progress(self, ground: Ground) -> Progress:
        assert ground.redis is not None
        return RedisOffsets(ground.redis.client(), "regulars", "clickstream", ground.ends)

    def state_bytes(self, ground: Ground) -> dict[str, int]:
        assert ground.redis is not None
        return {"Redis keys": keys_bytes(ground.redis)}

    def trigger(self, value: bytes) -> CartTrigger | None:
        found = json.loads(value)
        if found["name"] != "cart.abandoned":
            return None
        customer = found["customer"]["user_id"]
        return CartTrigger(customer, found["details"]["cart_id"], found["due_at_ms"], found["value_minor"])

    def totals(self, ground: Ground, expected: Expected) -> dict[str, Totals]:
        assert ground.redis is not None
        totals = {}
        with ground.redis.client(timeout_s=60.0) as client:
            for keys in key_batches(client, "regulars:{*}:c:*"):
                for stored in client.mget(keys):
                    profile = decode_profile(unpack(stored))
                    totals[profile.id.partition(":")[2]] = _totals(profile, expected.end_ms)
        return totals


class RegularsInPython(Regulars):
    """The same, none of it compiled."""

    name = "regulars-python"
    title = "Regulars, not compiled"

    @override
    def build(self) -> None:
        """Nothing to build."""

    @override
    def commands(self, ground: Ground) -> list[list[str]]:
        return [[sys.executable, "-m", "streams", "worker"] for _ in range(ground.threads)]


class RegularsInTexts(Regulars):
    """The same with profiles and ledgers as they are, not compressed."""

    name = "regulars-texts"
    title = "Regulars, not compressing"

    def __init__(self) -> None:
        super().__init__(settings={"REGULARS_REDIS_COMPRESSED": "false"})


class ObservedRegulars(RegularsInPython):
    """The same with a view of its inside (bench/observed_worker.py)."""

    @override
    def commands(self, ground: Ground) -> list[list[str]]:
        assert ground.threads == 1, "all workers would count on one sheet"
        return [[sys.executable, "-m", "bench.observed_worker"]]

    @override
    def environment(self, ground: Ground) -> Mapping[str, str]:
        Sheet.make(self._path(ground))
        return {**super().environment(ground), VARIABLE: str(self._path(ground))}

    def sheet(self, ground: Ground) -> Sheet:
        """The numbers."""
        return Sheet(self._path(ground))

    def _path(self, ground: Ground) -> Path:
        return ground.state / "observed"


def _totals(profile: Profile, at_ms: int) -> Totals:
    money, interests = profile.ltv, profile.interests
    return Totals(
        orders=profile.orders.count,
        gross_minor=money.gross,
        discount_minor=money.discount,
        refund_minor=money.refund,
        net_minor=money.net,
        interests={name: read(units, interests.landmark_ms, at_ms) for name, units in interests.categories.items()},
    )


REGULARS = Regulars()
REGULARS_IN_PYTHON = RegularsInPython()
REGULARS_IN_TEXTS = RegularsInTexts()
