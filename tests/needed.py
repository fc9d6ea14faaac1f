"""What tests need of a machine: at home they do without, in CI they may not."""

import os
from typing import NoReturn

import pytest


def missing(told: str) -> NoReturn:
    """Skip the test with the advice; with CI=true fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(told, pytrace=False)
    pytest.skip(told)
