"""A stored profile says which version wrote it, so that an older release stops before what it can't read."""

import json

import pytest

from profiles.kept import VERSION
from profiles.profile import Profile, UnsupportedVersion, decode_profile


def test_a_stored_profile_names_the_version_that_wrote_it() -> None:
    assert json.loads(Profile("user_id:ada").pack())["v"] == VERSION


def test_one_of_the_first_version_which_left_it_out_is_read_and_written_as_of_now() -> None:
    old = decode_profile(b'{"id":"user_id:ada"}')

    assert old.v == 1
    assert decode_profile(old.pack()).v == VERSION


def test_one_of_a_newer_release_is_refused_by_name() -> None:
    stored = json.dumps({"id": "user_id:ada", "v": VERSION + 1}).encode()

    with pytest.raises(
        UnsupportedVersion, match=rf"user_id:ada has version {VERSION + 1}, this release reads up to {VERSION}"
    ):
        decode_profile(stored)
