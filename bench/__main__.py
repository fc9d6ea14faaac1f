"""`python -m bench`: the benchmarks there are, one after the other, at sizes that end within a few minutes."""

import runpy
import sys

BENCHMARKS = ("bench.delivery", "bench.profile_job", "bench.collector")


def main() -> None:
    """Run the benchmark named as the first argument, or all of them."""
    chosen = [f"bench.{name}" for name in sys.argv[1:2]] or list(BENCHMARKS)
    for name in chosen:
        print(f"== {name}", flush=True)
        sys.argv = [name, *sys.argv[2:]]
        runpy.run_module(name, run_name="__main__")


if __name__ == "__main__":
    main()
