"""What a worker imports holds no numerical library, and reports that need none load none."""

import subprocess
import sys

import pytest

HEAVY = ("numpy", "pandas", "pyarrow", "scipy", "streams.insight")
WORKER = (
    "import importlib, pkgutil, profiles, schemas, streams.worker\n"
    "for room in (schemas, profiles):\n"
    "    for module in pkgutil.walk_packages(room.__path__, room.__name__ + '.'):\n"
    "        importlib.import_module(module.name)\n"
)


def loaded(program: str, names: tuple[str, ...]) -> list[str]:
    """Which of these modules a fresh interpreter holds after a program."""
    report = f"\nimport sys\nprint(*[name for name in {names!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program + report], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_a_worker_with_all_of_the_core_loads_no_numerical_library() -> None:
    assert loaded(WORKER, HEAVY) == []


@pytest.mark.parametrize("report", ["effect", "nps_report", "cohort_report"])
def test_reports_load_no_numerical_library(report: str) -> None:
    assert loaded(f"import streams.insight.{report}", HEAVY[:-1]) == []


def test_a_heavy_import_would_be_noticed() -> None:
    assert "numpy" in loaded("import streams.insight.fit_repurchase", HEAVY)
