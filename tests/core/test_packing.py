"""Profiles lie compressed in Redis, and come back as they were: today's, and those of releases long gone."""

import hashlib
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from streams.packing import DICTIONARY_ID, MAGIC, Unreadable, dictionary, pack, pack_all, unpack

PROFILE = (
    b'{"id":"user_id:ana","v":2,"ids":{"user_id":["ana"]},"activity":{"first_ms":1704067205000,'
    b'"last_ms":1711843285000,"events":21,"sessions":4}}'
)
FRAME_OF_THE_FIRST_RELEASE = b64decode("KLUv/SIBgItlAQDDwQQtLYqOqX63hs2m1lLSOCeOc+IECPy+ebisRVaBGai1OHnQQ6o39uXcIQ==")


@given(st.binary(max_size=3000))
def test_what_was_packed_comes_back(text: bytes) -> None:
    assert unpack(pack(text)) == text


@given(st.binary(max_size=300))
def test_what_was_not_packed_is_left_as_it_is(rest: bytes) -> None:
    assert unpack(b"{" + rest) == b"{" + rest


@given(st.lists(st.binary(min_size=1, max_size=3000), max_size=20))
def test_many_are_packed_as_each_alone(texts: list[bytes]) -> None:
    assert pack_all(texts) == [pack(text) for text in texts]


def test_threads_that_pack_at_the_same_time_do_not_disturb_each_other() -> None:
    tasks = [[b'{"id":"user_id:%d","n":%d}' % (number, task) for number in range(500)] for task in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(pack_all, tasks))

    assert found == [[pack(text) for text in texts] for texts in tasks]


def test_what_the_first_release_wrote_is_read_for_ever() -> None:
    assert unpack(FRAME_OF_THE_FIRST_RELEASE) == PROFILE


def test_a_dictionary_never_changes_since_what_was_written_with_it_needs_it() -> None:
    assert hashlib.sha256(dictionary()).hexdigest() == (
        "0db7b1aaad0218aa8a4d5c14466b1e938a2ae28eedf485aecb23f471683b65e7"
    )
    assert zstandard.ZstdCompressionDict(dictionary()).dict_id() == DICTIONARY_ID


def test_any_zstd_library_reads_a_frame_with_the_dictionary() -> None:
    known = zstandard.ZstdCompressionDict(dictionary())

    assert zstandard.ZstdDecompressor(dict_data=known).decompress(pack(PROFILE)) == PROFILE
    assert zstandard.get_frame_parameters(pack(PROFILE)).dict_id == DICTIONARY_ID


def test_a_small_profile_is_less_than_half() -> None:
    assert len(pack(PROFILE)) < len(PROFILE) / 2


@pytest.mark.parametrize(
    "damage", [lambda frame: frame[:-3], lambda frame: MAGIC, lambda frame: frame[:9] + b"\xff" * (len(frame) - 9)]
)
def test_a_damaged_frame_is_called_that(damage: object) -> None:
    with pytest.raises(Unreadable, match="it is damaged"):
        unpack(damage(pack(PROFILE)))  # type: ignore[operator]


def test_a_frame_of_a_later_release_is_called_that() -> None:
    samples: list[bytes | bytearray | memoryview] = [
        b'{"id":"user_id:%d","v":3,"points":%d}' % (number, number * 7919) for number in range(2_000)
    ]
    later = zstandard.train_dictionary(1024, samples, dict_id=DICTIONARY_ID + 1)

    with pytest.raises(Unreadable, match=f"needs dictionary {DICTIONARY_ID + 1}.*a later release wrote it"):
        unpack(zstandard.ZstdCompressor(dict_data=later).compress(PROFILE))
