"""The worked example of docs/explanation/customer-value.md runs and gives what the page says."""

import doctest
from pathlib import Path

from profiles.value.absent import Absent
from profiles.value.forecast import Forecast
from profiles.value.horizon import Horizon
from profiles.value.pulse import Pulse

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "customer-value.md"


def test_the_worked_example_is_true() -> None:
    examples = doctest.DocTestParser().get_doctest(PAGE.read_text(), {}, PAGE.name, str(PAGE), 0)
    assert len(examples.examples) > 15

    assert doctest.DocTestRunner().run(examples).failed == 0


def test_every_figure_of_a_customer_is_explained() -> None:
    shown = {
        *("p_alive", "p_order", "band", "band_worsens_day", "next_order_day", "orders", "orders_interval"),
        *("order_net_minor", "order_margin_minor", "rfm"),
    }
    headings = (
        "model_id",
        "method",
        "heuristic_reason",
        "as_of_day",
        "currency",
        "pulse",
        "horizons",
        "days",
        "absent",
    )
    fields = {name for kind in (Forecast, Horizon, Pulse) for name in kind.__struct_fields__} - set(headings)

    assert {name for name in fields if not name.startswith(("historic_", "residual_", "total_"))} == shown
    page = PAGE.read_text()
    assert [name for name in sorted(shown) if f"| `{name}` |" not in page] == []
    assert all(f"`{group}_*`" in page for group in ("historic", "residual", "total"))
    assert Absent.HEURISTIC.value in page
