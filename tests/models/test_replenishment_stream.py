"""The Complete Journey through the engine, the fit and the profile reaches the bars of the protocol (bench.replenishment)."""

import pytest

from bench.replenishment import BARS, BARS_MOST, figures, foretell, hit_share


@pytest.mark.long
def test_the_streaming_implementation_reaches_the_bars() -> None:
    rows = foretell()
    found = figures(rows)

    assert len(rows) == 16_710
    assert hit_share(rows, "customer_mean") == pytest.approx(0.2306, abs=5e-5)  # published with the protocol
    assert hit_share(rows, "category_median") == pytest.approx(0.2151, abs=5e-5)
    assert hit_share(rows, "customer_median") == pytest.approx(0.2627, abs=5e-5)
    assert {name: figure for name, figure in found.items() if name in BARS and figure < BARS[name]} == {}
    assert {name: figure for name, figure in found.items() if name in BARS_MOST and figure > BARS_MOST[name]} == {}
