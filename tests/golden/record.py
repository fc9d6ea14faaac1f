"""Replays the recorded histories; as a program it writes their expected files anew."""

import json
import subprocess
import sys
from pathlib import Path

HISTORIES = [folder for folder in sorted(Path(__file__).parent.iterdir()) if (folder / "events.jsonl").exists()]
OUTPUTS = (
    "profiles.jsonl",
    "triggers.jsonl",
    "decisions.jsonl",
    "identities.jsonl",
    "rejected.jsonl",
    "population.json",
    "summary.json",
)
UNTIL = "2026-05-15"


def replay_history(history: Path, out: Path) -> None:
    """Run `regulars replay` on a history, as its users do; the speed is taken out of the summary."""
    subprocess.run(
        [
            *(sys.executable, "-m", "streams", "replay", str(history / "events.jsonl"), "--out", str(out)),
            *("--settings", str(history / "settings.toml"), "--catalogue", str(history / "catalogue.csv")),
            *("--rates", str(history / "rates.csv"), "--until", UNTIL),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    del summary["events_per_s"]
    (out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    for folder in HISTORIES:
        (folder / "expected").mkdir(exist_ok=True)
        replay_history(folder, folder / "expected")
        for path in (folder / "expected").iterdir():
            if path.name not in OUTPUTS:  # megabytes of plots that follow from the rest
                path.unlink()
