"""CDNOW: every purchase of 23,570 customers of an online record shop, first purchase in the first quarter of 1997.

The papers fit on the first 39 weeks and look at the next 39; so do we. The files ship with `lifetimes`; they are read by path,
since its own loaders need what newer Pythons no longer have.
"""

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from profiles.value.history import History, history_of
from profiles.value.tallies import tallies
from streams.fitting.population import Population, added, population_of

EPOCH = pd.Timestamp("1970-01-01")
CALIBRATED_UNTIL = (pd.Timestamp("1997-09-30") - EPOCH).days
HOLDOUT_UNTIL = (pd.Timestamp("1998-06-30") - EPOCH).days

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Buyers:
    """One row a customer, in the order of their ids: weeks and dollars, as the papers have them."""

    x: Ints
    t_x: Floats
    age: Floats
    repeat_dollars: Floats
    holdout_orders: Ints
    holdout_dollars: Floats


def data_file(name: str) -> Path:
    spec = find_spec("lifetimes")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "datasets" / name


@cache
def purchase_days(name: str) -> pd.DataFrame:
    """Customer, day and cents of each purchase day of "master" or "sample"."""
    columns = {"master": (0, 1, 3), "sample": (1, 2, 4)}[name]
    table = pd.read_csv(data_file(f"CDNOW_{name}.txt"), sep=r"\s+", header=None, dtype=str)
    if name == "master":
        table = table.iloc[1:]  # its first line is a heading
    table = table[list(columns)].set_axis(["customer", "date", "dollars"], axis=1)
    table["day"] = (pd.to_datetime(table["date"], format="%Y%m%d") - EPOCH).dt.days
    table["cents"] = (table["dollars"].astype(float) * 100).round().astype("int64")
    return table.groupby(["customer", "day"])["cents"].sum().reset_index()


@cache
def buyers(name: str) -> Buyers:
    """The papers' summary at the end of the calibration, computed by pandas alone."""
    days = purchase_days(name)
    known = days[days["day"] <= CALIBRATED_UNTIL].groupby("customer")
    first, last, count = known["day"].min(), known["day"].max(), known.size()
    later = days[days["day"] > CALIBRATED_UNTIL].groupby("customer")["cents"]
    return Buyers(
        x=(count - 1).to_numpy().astype(np.int64),
        t_x=((last - first) / 7).to_numpy(),
        age=((CALIBRATED_UNTIL - first) / 7).to_numpy(),
        repeat_dollars=((known["cents"].sum() - known["cents"].first()) / 100).to_numpy(),
        holdout_orders=later.size().reindex(count.index).fillna(0).to_numpy().astype(np.int64),
        holdout_dollars=(later.sum().reindex(count.index).fillna(0) / 100).to_numpy(),
    )


def histories(name: str, until: int = CALIBRATED_UNTIL) -> list[History]:
    """The same customers as our own histories; margin is taken to be a third of what was paid."""
    days = purchase_days(name)
    days = days[days["day"] <= until]
    found: dict[str, list[tuple[int, int, int]]] = {}
    for customer, day, cents in zip(
        days["customer"].tolist(), days["day"].tolist(), days["cents"].tolist(), strict=True
    ):
        found.setdefault(customer, []).append((day, cents, cents // 3))
    return [history for purchases in found.values() if (history := history_of(purchases)) is not None]


@cache
def counters(name: str, until: int = CALIBRATED_UNTIL) -> dict[str, int]:
    """What the customers add to the counters, all together."""
    return added(tallies(history) for history in histories(name, until))


@cache
def population(name: str, until: int = CALIBRATED_UNTIL) -> Population:
    return population_of(counters(name, until))
