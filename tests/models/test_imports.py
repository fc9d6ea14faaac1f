"""Workers predict without numpy and scipy: neither library is loaded by anything a worker runs."""

import json
import subprocess
import sys

HEAVY = ("numpy", "scipy", "pandas", "streams.fitting")


def loaded_by(*modules: str) -> list[str]:
    """Which of HEAVY a fresh interpreter has loaded after importing these."""
    script = f"import json, sys, {', '.join(modules)}; print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert isinstance(found, list)
    return found


def test_a_worker_and_the_models_it_predicts_with_load_no_numpy() -> None:
    assert (
        loaded_by("streams.commands.worker", "streams.worker", "profiles.value.forecast", "profiles.value.tallies")
        == []
    )


def test_a_fit_loads_them_so_the_test_above_can_fail() -> None:
    assert loaded_by("streams.fitting.build") == ["numpy", "scipy", "streams.fitting"]
