"""`python -m bench`: run the benchmarks, or write the report from the results there are.

python -m bench run [--quick] [--label NAME]     all studies; with --quick some of them, small and once, in five minutes
python -m bench STUDY [--quick] [--label NAME] [options of the study]
python -m bench check [--accept]   instructions of an event against their thresholds
python -m bench report
python -m bench stream [CASE]      what the generated stream of a scenario looks like
"""

import argparse
import shlex
import signal
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from bench import report
from bench.engines import ENGINES, OTHER_FORMS
from bench.machine import this_machine
from bench.results import RESULTS, Result, new_label, write_result
from bench.stream_file import DEFAULT_CACHE, open_stream
from bench.studies import IN_FIVE_MINUTES, STUDIES, Study
from bench.studies.guard import check
from bench.studies.profile_ltv import QUICK, SCENARIOS
from bench.studies.study import Session


def main() -> None:
    """Read the command and do it."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    all_studies = _run_command(commands.add_parser("run", help="run all benchmarks"), list(STUDIES.values()))
    all_studies.set_defaults(studies=list(STUDIES.values()))
    for study in STUDIES.values():
        one = _run_command(commands.add_parser(study.name, help=f"run {study.name} alone"), [study])
        one.set_defaults(studies=[study])
    guard = commands.add_parser("check", help="compare the instructions of an event with their thresholds")
    guard.add_argument("--accept", action="store_true", help="take what is counted as the new thresholds")
    commands.add_parser("report", help="write docs/benchmarks.md from the committed results")
    show = commands.add_parser("stream", help="make the stream of a scenario and tell what is in it")
    show.add_argument("case", choices=[*SCENARIOS, *QUICK])
    show.add_argument("--cache", type=Path, default=DEFAULT_CACHE)
    chosen = parser.parse_args()
    if chosen.command == "report":
        for path in report.write():
            print(f"wrote {path}")
    elif chosen.command == "check":
        sys.exit(check(accept=chosen.accept))
    elif chosen.command == "stream":
        _show_stream(chosen)
    else:
        _run(chosen)


def _run_command(parser: argparse.ArgumentParser, studies: list[Study]) -> argparse.ArgumentParser:
    parser.add_argument("--quick", action="store_true", help="small sizes, one round, to see that it works")
    parser.add_argument("--rounds", type=int, default=None, help="instead of the study's own number")
    parser.add_argument(
        "--engines",
        nargs="+",
        choices=list(ENGINES),
        default=None,
        metavar="ENGINE",
        help="only these, of those that a study compares (default: all; with `run --quick` one form of each)",
    )
    parser.add_argument("--label", default=None, help="the folder under bench/results (default: date and time)")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="generated streams (default: %(default)s)")
    parser.add_argument("--folder", type=Path, default=None, help="where servers and state live meanwhile")
    for study in studies:
        study.options(parser)
    return parser


def _run(chosen: argparse.Namespace) -> None:
    # Servers and engines are stopped on the way out, which a plain SIGTERM would leave out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    label = chosen.label or new_label()
    in_five_minutes = chosen.quick and chosen.command == "run"
    studies = IN_FIVE_MINUTES if in_five_minutes else chosen.studies
    if chosen.engines is None:
        chosen.engines = [name for name in ENGINES if not (in_five_minutes and name in OTHER_FORMS)]
    command = shlex.join(["python", "-m", "bench", *sys.argv[1:]])
    for study in studies:
        print(f"== {study.name}", flush=True)
        began = datetime.now(UTC).isoformat(timespec="seconds")
        # Each study has servers of its own, which find nothing that another left.
        with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
            session = Session(folder=Path(folder), cache=chosen.cache, quick=chosen.quick)
            for case in study.run(session, chosen):
                result = Result(
                    study=study.name,
                    case=case.name,
                    label=label,
                    began=began,
                    command=command,
                    machine=this_machine(),
                    data=case.data,
                    quick=chosen.quick,
                )
                # Quick figures are no results to keep: they lie where git does not look.
                kept_in = chosen.cache / "results" if chosen.quick else RESULTS
                print(f"   wrote {write_result(result, kept_in)}", flush=True)


def _show_stream(chosen: argparse.Namespace) -> None:
    scenario = (SCENARIOS | QUICK)[chosen.case]
    facts = open_stream(scenario, chosen.cache).facts
    print(f"{scenario.name}: {facts.records:,} records of {facts.customers:,} customers over {facts.days:.1f} days")
    print(f"{facts.mean_bytes:.0f} bytes on average; {facts.orders:,} orders, {facts.triggers:,} triggers")
    for kind, share in facts.mix.items():
        print(f"  {kind:16} {share:6.2%}")


if __name__ == "__main__":
    main()
