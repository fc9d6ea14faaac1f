"""What is said where Kafka refuses an administrative call."""

from types import SimpleNamespace

import pytest
from kafka.errors import KafkaError, NotLeaderForPartitionError, PolicyViolationError

from streams import kafka_admin
from streams.kafka_admin import AdminError, admin_client
from streams.settings import build_settings


@pytest.mark.parametrize(
    "error, told, again",
    [
        (NotLeaderForPartitionError("TopicPartition(topic='orders', partition=0), " * 800), "NotLeader", True),
        (PolicyViolationError("three copies, please"), "three copies, please", False),
    ],
)
def test_a_refusal_is_a_few_lines_and_says_whether_to_try_again(
    monkeypatch: pytest.MonkeyPatch, error: KafkaError, told: str, again: bool
) -> None:
    """Of topics just made, `regulars topics list` was told the name of each partition."""
    monkeypatch.setattr(kafka_admin, "KafkaAdminClient", lambda **_: SimpleNamespace(close=lambda: None))

    with pytest.raises(AdminError) as refused, admin_client(build_settings()):
        raise error

    said = str(refused.value)
    assert told in said
    assert len(said) < 400
    assert ("Try again in a moment" in said) == again
