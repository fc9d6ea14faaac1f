"""Alerts and the dashboard ask for metrics that exist, the docs tell of each alert, and Prometheus agrees with both."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args

import pytest
import yaml

from profiles.triggers import BUILT_IN
from schemas.outputs import State
from schemas.reasons import REASONS
from schemas.topics import CONSUMED
from streams.metrics import METRICS
from streams.relay.delivery import FAILED
from streams.rows import OUTCOME_TOPICS
from streams.serve.answer import REASONS as REFUSALS
from streams.stats import StopReason
from tests.needed import missing

ROOT: Final = Path(__file__).parents[2]
PROMETHEUS: Final = ROOT / "deploy/prometheus"
RULES: Final = PROMETHEUS / "regulars.rules.yml"
DASHBOARD: Final = ROOT / "deploy/grafana/regulars.json"
OPERATE: Final = ROOT / "docs/how-to/operate.md"

TARGET: Final = {"job", "instance"}
"""Labels that Prometheus puts on every series."""
OF_OTHERS: Final[dict[str, set[str]]] = {
    "up": set(),
    "ALERTS": {"alertname", "alertstate"},
    "process_resident_memory_bytes": set(),
    "process_cpu_seconds_total": set(),
}
VALUES: Final[dict[tuple[str, str], set[str]]] = {
    ("regulars_partitions_waiting", "reason"): {"starting", *get_args(StopReason)},
    ("regulars_rejected_total", "reason"): set(REASONS),
    ("regulars_http_refused_total", "reason"): set(REFUSALS),
    ("regulars_relay_records_total", "outcome"): {"delivered", "retried", *FAILED},
    ("regulars_decisions_total", "state"): set(get_args(State)),
    ("regulars_events_total", "topic"): set(CONSUMED),
    ("regulars_triggers_total", "name"): {*(one.name for one in BUILT_IN), *OUTCOME_TOPICS},
    ("regulars_stage_seconds_sum", "stage"): {"take", "load", "work", "commit", "publish"},
    ("regulars_stage_seconds_count", "stage"): {"take", "load", "work", "commit", "publish"},
    ("regulars_stage_seconds_bucket", "stage"): {"take", "load", "work", "commit", "publish"},
    ("regulars_bridged_total", "topic"): {*CONSUMED, "rejected"},
}
"""By series and label: what a query may ask for by name."""


def series() -> dict[str, set[str]]:
    """Every series that a process of ours shows, with its labels."""
    found = dict(OF_OTHERS)
    for metric in METRICS:
        labels = set(metric.labels)
        if metric.kind == "histogram":
            found |= {f"{metric.name}_{part}": labels for part in ("sum", "count")}
            found[f"{metric.name}_bucket"] = labels | {"le"}
        else:
            found[metric.name] = labels
    return found


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return [panel for panel in found if panel["type"] != "row"]


def queries() -> Iterator[tuple[str, str]]:
    """Where a query stands, and the query as Prometheus would get it."""
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            plain = target["expr"].replace("$__rate_interval", "5m").replace("$__range", "1h").replace("$job", ".*")
            yield panel["title"], plain


SELECTOR: Final = re.compile(r"\b(regulars_\w+|process_\w+|up|ALERTS)\b(?:\s*\{([^}]*)\})?")
MATCHER: Final = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')
GROUPING: Final = re.compile(r"\b(?:by|on|ignoring|without)\s*\(([^)]*)\)")


@pytest.mark.parametrize("where, query", sorted(set(queries())))
def test_a_query_asks_for_series_labels_and_values_that_there_are(where: str, query: str) -> None:
    known = series()
    asked = SELECTOR.findall(query)
    names = {name for name, _ in asked}

    assert names
    assert names <= known.keys()
    for name, matchers in asked:
        for label, value in MATCHER.findall(matchers):
            assert label in known[name] | TARGET, f"{where}: {name} has no label {label}"
            if (name, label) in VALUES:
                assert set(value.split("|")) <= VALUES[name, label], f"{where}: {name} is never {label}={value}"
    labels = {label.strip() for group in GROUPING.findall(query) for label in group.split(",") if label.strip()}
    assert labels <= set().union(TARGET, *(known[name] for name in names))


def test_a_legend_names_labels_that_its_query_keeps() -> None:
    for panel in panels():
        for target in panel["targets"]:
            kept = {label.strip() for group in GROUPING.findall(target["expr"]) for label in group.split(",")}
            shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            assert shown <= (kept or TARGET), panel["title"]


def test_each_alert_is_in_the_docs_and_the_docs_tell_of_no_other() -> None:
    told = re.findall(r"^\| `(Regulars\w+)` \|", OPERATE.read_text(), re.MULTILINE)

    assert told == [rule["alert"] for rule in rules()]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_how_bad_it_is_what_to_do_and_where_to_read_on(rule: dict[str, Any]) -> None:
    said = rule["annotations"]
    page, _, anchor = said["runbook"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(), re.MULTILINE)

    assert rule["labels"] == {"severity": rule["labels"]["severity"]}
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert said["summary"].endswith((".", ")"))
    assert said["description"].endswith((".", ")"))
    assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_each_alert_is_seen_to_fire_by_its_tests() -> None:
    tests = yaml.safe_load((PROMETHEUS / "regulars.tests.yml").read_text())["tests"]
    samples = [
        sample for test in tests for asked in test["promql_expr_test"] for sample in asked.get("exp_samples", ())
    ]
    fired = {name for sample in samples for name in re.findall(r'alertname="(\w+)"', sample["labels"])}

    assert fired == {rule["alert"] for rule in rules()}


def test_no_two_panels_share_their_place() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {(place["x"] + across, place["y"] + down) for across in range(place["w"]) for down in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert max(across for across, _ in cells) < 24
        taken |= cells


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        missing(
            "promtool was not found, which looks at alerts as Prometheus does. Debian, Ubuntu: apt-get install prometheus"
        )
    return found


def agrees(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_configuration_and_rules(promtool: str) -> None:
    agrees(promtool, "check", "config", str(PROMETHEUS / "prometheus.yml"))


def test_alerts_fire_when_they_should_and_none_does_on_a_quiet_day(promtool: str) -> None:
    agrees(promtool, "test", "rules", str(PROMETHEUS / "regulars.tests.yml"))


def test_prometheus_understands_what_the_dashboard_asks(promtool: str, tmp_path: Path) -> None:
    asked = [{"record": f"asked:{number}", "expr": query} for number, (_, query) in enumerate(queries())]
    file = tmp_path / "asked.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "asked", "rules": asked}]}))

    agrees(promtool, "check", "rules", str(file))
