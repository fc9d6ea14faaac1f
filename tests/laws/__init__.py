"""Laws: what holds for whatever Hypothesis can think of."""

import pytest

pytest.register_assert_rewrite("tests.laws.owners")
