"""Where a customer lives is what Kafka's own partitioner says."""

from hypothesis import example, given
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2 as kafka_murmur2

from streams.home import home_partition, murmur2


@given(st.binary(max_size=64))
@example(b"")
@example(bytes(range(256)))
def test_the_hash_is_that_of_kafka_clients(data: bytes) -> None:
    assert murmur2(data) == kafka_murmur2(data) & 0xFFFFFFFF


def test_the_hash_is_that_of_kafkas_own_test() -> None:
    """Values of org.apache.kafka.common.utils.UtilsTest.testMurmur2."""
    expected = {
        b"21": -973932308,
        b"foobar": -790332482,
        b"a-little-bit-long-string": -985981536,
        b"a-little-bit-longer-string": -1486304829,
        b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
        b"abc": 479470107,
    }

    assert {data: murmur2(data) - (1 << 32) * (murmur2(data) >> 31) for data in expected} == expected


@given(st.text(max_size=20), st.integers(1, 64))
def test_every_text_has_a_home(text: str, partitions: int) -> None:
    assert 0 <= home_partition(text, partitions) < partitions
