"""That a document as JSON reads it holds no number that is none."""

import math
from typing import Any


def assert_finite(value: Any) -> None:
    """Neither NaN nor an infinity, however deep."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            assert_finite(part)
    elif isinstance(value, float):
        assert math.isfinite(value)
