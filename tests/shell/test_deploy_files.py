"""The files under deploy/ and beside it say the same as each other and as the code."""

import asyncio
import json
import re
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from streams import cli, kafka_producer, worker
from streams.bridge import readers
from streams.health import Report, Status
from streams.local.redis_server import DEFAULT_CONFIG
from streams.metrics import Metrics
from streams.pages import Pages
from streams.relay.addresses import is_public
from streams.setting_sections import Http
from streams.settings import SettingsError, build_settings

ROOT = Path(__file__).parents[2]
HTTP_PORT = 8080
SERVE_PORT = 8000
PODS = ["worker_pod", "serve_pod", "fit_pod", "relay_pod", "bridge_pod"]
KUBERNETES = ROOT / "deploy/kubernetes"
LOCKED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
CACHED_PROFILE_BYTES = 16_000
"""Of a typical buyer (bench/typical_buyer.py) whom a worker has worked on, measured by what the process grew."""


@pytest.fixture
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


@pytest.fixture
def worker_pod() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "deploy/kubernetes/worker.yaml").read_text())
    pod: dict[str, Any] = loaded["spec"]["template"]["spec"]
    return pod


@pytest.fixture
def serve_pod() -> dict[str, Any]:
    _, deployment, _ = yaml.safe_load_all((ROOT / "deploy/kubernetes/serve.yaml").read_text())
    pod: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return pod


@pytest.fixture
def fit_pod() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "deploy/kubernetes/fit.yaml").read_text())
    pod: dict[str, Any] = loaded["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return pod


@pytest.fixture
def relay_pod() -> dict[str, Any]:
    _, deployment = yaml.safe_load_all((ROOT / "deploy/kubernetes/relay.yaml").read_text())
    pod: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return pod


@pytest.fixture
def bridge_pod() -> dict[str, Any]:
    _, deployment = yaml.safe_load_all((ROOT / "deploy/kubernetes/bridge.yaml").read_text())
    pod: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return pod


def pods_by_component() -> dict[str, tuple[dict[str, str], dict[str, Any]]]:
    """Labels and spec of each kind of pod that the manifests make."""
    found = {}
    for file in KUBERNETES.glob("*.yaml"):
        for one in yaml.safe_load_all(file.read_text()):
            template = one.get("spec", {}).get("jobTemplate", one).get("spec", {}).get("template")
            if template is not None:
                labels = template["metadata"]["labels"]
                found[labels["app.kubernetes.io/component"]] = (labels, template["spec"])
    return found


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether a label selector of Kubernetes takes a pod with these labels."""
    assert selector.keys() <= {"matchLabels", "matchExpressions"}
    wanted = selector.get("matchExpressions", ())
    assert all(one["operator"] == "In" for one in wanted)
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(one["key"]) in one["values"] for one in wanted
    )


def let_through(labels: dict[str, str], direction: str) -> set[tuple[str, Any]]:
    """Whom the policies let a pod speak to ("Egress"), or be spoken to by ("Ingress"), with the ports. Fails for a pod that is
    open to all for want of a policy.
    """
    policies = [
        policy["spec"]
        for policy in yaml.safe_load_all((KUBERNETES / "network.yaml").read_text())
        if selects(policy["spec"]["podSelector"], labels)
    ]
    assert any(direction in policy["policyTypes"] for policy in policies)
    peers = "to" if direction == "Egress" else "from"
    return {
        (named(peer), port["port"])
        for policy in policies
        for rule in policy.get(direction.lower(), ())
        for peer in rule[peers]
        for port in rule["ports"]
    }


def named(peer: dict[str, Any]) -> str:
    """A peer of a policy by the last thing it asks for."""
    if "ipBlock" in peer:
        return str(peer["ipBlock"]["cidr"])
    selector = peer.get("podSelector") or peer["namespaceSelector"]
    (label,) = selector["matchLabels"].values()
    return str(label)


def redis_settings() -> dict[str, str]:
    lines = (ROOT / "deploy/redis.conf").read_text().splitlines()
    pairs = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    return {key: value.strip() for key, value in pairs}


def test_compose_starts_a_worker_only_when_kafka_redis_and_topics_are_there(compose: dict[str, Any]) -> None:
    conditions = {name: entry["condition"] for name, entry in compose["services"]["worker"]["depends_on"].items()}

    assert conditions == {
        "kafka": "service_healthy",
        "redis": "service_healthy",
        "topics": "service_completed_successfully",
    }


def test_every_service_waited_for_until_healthy_has_a_health_check(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        after = service.get("depends_on", {})
        for name in after if isinstance(after, dict) else ():
            if after[name]["condition"] == "service_healthy":
                assert "test" in compose["services"][name]["healthcheck"], name


def test_compose_opens_ports_to_this_machine_only(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", ())]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_programs_of_ours_have_no_more_rights_in_compose_than_in_kubernetes(compose: dict[str, Any]) -> None:
    ours = [service for service in compose["services"].values() if service["image"].startswith("regulars")]

    assert len(ours) == 4
    for service in ours:
        assert (service["read_only"], service["tmpfs"], service["cap_drop"]) == (True, ["/tmp"], ["ALL"])
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_files_mounted_by_compose_exist(compose: dict[str, Any]) -> None:
    mounts = [volume for service in compose["services"].values() for volume in service.get("volumes", ())]
    files = [mount.split(":")[0] for mount in mounts if mount.startswith("./")]

    assert files
    assert all((ROOT / file).is_file() for file in files)


def test_the_image_and_the_local_broker_are_the_same_kafka(compose: dict[str, Any]) -> None:
    pom = ET.parse(ROOT / "deploy/kafka/pom.xml")
    version = pom.findtext("./m:properties/m:kafka.version", namespaces={"m": "http://maven.apache.org/POM/4.0.0"})

    assert compose["services"]["kafka"]["image"] == f"apache/kafka:{version}"


def test_redis_is_configured_alike_in_deploy_and_locally() -> None:
    wanted = {key: DEFAULT_CONFIG[key] for key in ("appendonly", "appendfsync", "maxmemory-policy", "save")}

    assert {key: redis_settings()[key] for key in wanted} == wanted


def test_the_image_does_not_run_as_root() -> None:
    assert re.search(r"^USER (?!0|root)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("status", ["ok", "failing"])
def test_the_checks_of_containers_hold_while_the_page_says_so_whatever_proxy_there_is(
    compose: dict[str, Any], status: Status
) -> None:
    image = re.search(r"HEALTHCHECK [^\n]*\\\n +CMD (\[.*\])", (ROOT / "Dockerfile").read_text())
    assert image is not None
    checks = {HTTP_PORT: json.loads(image[1]), SERVE_PORT: compose["services"]["serve"]["healthcheck"]["test"][1:]}

    async def codes() -> list[int]:
        pages = Pages(Http(host="127.0.0.1", port=0), report=lambda: Report(status=status), metrics=Metrics())
        await pages.start()
        try:
            return [await asyncio.to_thread(code_of, check, port, pages.port) for port, check in checks.items()]
        finally:
            await pages.stop()

    def code_of(check: list[str], port: int, here: int) -> int:
        assert check[:2] == ["python", "-c"]
        script = check[2].replace(str(port), str(here))
        return subprocess.run(
            [sys.executable, "-c", script], env={"http_proxy": "http://127.0.0.1:9"}, check=False
        ).returncode

    assert asyncio.run(codes()) == [0 if status == "ok" else 1] * 2


def test_every_command_of_the_image_finds_its_libraries_but_the_demo() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    extras = re.search(r'^ARG EXTRAS="(.*)"$', dockerfile, re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert extras is not None
    assert set(extras[1].split()) == set(project["optional-dependencies"]) - {"demo", "testing"}
    assert re.findall(
        r"^RUN uv sync .*\$\(printf -- ' --extra %s' \$EXTRAS\)$", dockerfile, re.MULTILINE
    ) == re.findall(r"^RUN uv sync .*$", dockerfile, re.MULTILINE)


def test_what_compose_and_kubernetes_run_are_commands(
    compose: dict[str, Any],
) -> None:
    for service in compose["services"].values():
        if service["image"].startswith("regulars"):
            assert cli.run([*service["command"], "--help"]) == 0
    for _, pod in pods_by_component().values():
        for container in [*pod.get("initContainers", ()), *pod["containers"]]:
            assert cli.run([*container["args"], "--help"]) == 0


def test_the_image_and_the_makefile_install_with_the_same_uv() -> None:
    in_image = re.search(r"uv==([\d.]+)", (ROOT / "Dockerfile").read_text())
    in_makefile = re.search(r"^UV +:= ([\d.]+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert in_image is not None
    assert in_makefile is not None
    assert in_image[1] == in_makefile[1]


def test_kubernetes_starts_no_worker_anew_because_kafka_or_redis_is_away_or_a_person_is_waited_for(
    worker_pod: dict[str, Any],
) -> None:
    """It would not start while they are, and after that only when Kubernetes tries again. One that stalls ends by itself."""
    worker = worker_pod["containers"][0]

    assert worker["ports"] == [{"name": "http", "containerPort": HTTP_PORT}]
    assert worker["livenessProbe"]["httpGet"] == {"path": "/live", "port": "http"}
    for probe in ("startupProbe", "readinessProbe"):
        assert worker[probe]["httpGet"] == {"path": "/health", "port": "http"}
    assert build_settings().health.exit_ms > 0


def test_kubernetes_gives_a_worker_the_memory_that_its_settings_allow_it(worker_pod: dict[str, Any]) -> None:
    given = re.fullmatch(r"(\d+)Gi", worker_pod["containers"][0]["resources"]["limits"]["memory"])
    config = yaml.safe_load((ROOT / "deploy/kubernetes/configmap.yaml").read_text())["data"]

    assert given is not None
    assert (
        int(given[1]) * 2**30 >= build_settings({}, config).limits.cache_profiles * CACHED_PROFILE_BYTES + 512 * 2**20
    )


def test_kubernetes_probes_of_the_http_side_tell_a_dead_process_from_an_absent_kafka(serve_pod: dict[str, Any]) -> None:
    serve = serve_pod["containers"][0]

    assert serve["ports"] == [{"name": "http", "containerPort": SERVE_PORT}]
    assert build_settings().serve.port == SERVE_PORT
    assert serve["livenessProbe"]["httpGet"] == {"path": "/health", "port": "http"}
    assert serve["readinessProbe"]["httpGet"] == {"path": "/ready", "port": "http"}


def test_kubernetes_waits_longer_for_the_http_side_than_it_may_take_to_stop(serve_pod: dict[str, Any]) -> None:
    grace_s = serve_pod["terminationGracePeriodSeconds"]

    assert grace_s > build_settings().serve.shutdown_ms / 1000 + kafka_producer.STOP_PATIENCE_S + 5


def test_a_worker_is_waited_for_as_long_as_it_may_take_to_stop(
    compose: dict[str, Any], worker_pod: dict[str, Any]
) -> None:
    """Killed before, it leaves its group without a word, and its partitions wait for the session timeout."""
    takes_s = worker.STOP_PATIENCE_S + worker.LEAVE_PATIENCE_S + kafka_producer.STOP_PATIENCE_S

    assert worker_pod["terminationGracePeriodSeconds"] > takes_s
    assert int(compose["services"]["worker"]["stop_grace_period"].removesuffix("s")) > takes_s


@pytest.mark.parametrize("pod", PODS)
def test_kubernetes_pods_have_no_more_rights_than_they_need(pod: str, request: pytest.FixtureRequest) -> None:
    found = request.getfixturevalue(pod)

    assert found["automountServiceAccountToken"] is False
    assert found["securityContext"]["runAsNonRoot"] is True
    for container in [*found.get("initContainers", ()), *found["containers"]]:
        assert container["securityContext"] == LOCKED


@pytest.mark.parametrize("pod", PODS)
def test_kubernetes_tells_pods_of_no_service_in_variables_that_are_taken_for_settings(
    pod: str, request: pytest.FixtureRequest
) -> None:
    """By default it gives every pod REGULARS_SERVE_PORT=tcp://... for the Service regulars-serve."""
    *_, service = yaml.safe_load_all((ROOT / "deploy/kubernetes/serve.yaml").read_text())
    name = service["metadata"]["name"].upper().replace("-", "_")

    with pytest.raises(SettingsError):
        build_settings({}, {f"{name}_PORT": "tcp://10.43.7.9:80"})
    assert request.getfixturevalue(pod)["enableServiceLinks"] is False


def test_what_compose_and_kubernetes_set_is_accepted(compose: dict[str, Any]) -> None:
    config = yaml.safe_load((ROOT / "deploy/kubernetes/configmap.yaml").read_text())["data"]
    serve, _, _ = yaml.safe_load_all((ROOT / "deploy/kubernetes/serve.yaml").read_text())
    secret = {"REGULARS_SOURCES_WEB_KEY": "wk_12345678", "REGULARS_SOURCES_BACK_END_KEY": "sk_12345678"}

    assert build_settings({}, config).kafka.partitions == 32
    assert build_settings({}, config | serve["data"] | secret).sources["web"].kind == "client"
    for service in compose["services"].values():
        environment = service.get("environment", {})
        given = {
            name: re.sub(r"\$\{\w+:-(.*)\}", r"\1", value)
            for name, value in environment.items()
            if name.startswith("REGULARS_")
        }
        build_settings({}, given)


def test_the_relay_of_kubernetes_is_one_of_its_settings_and_its_liveness_is_no_matter_of_kafka(
    relay_pod: dict[str, Any],
) -> None:
    config = yaml.safe_load((ROOT / "deploy/kubernetes/configmap.yaml").read_text())["data"]
    its, _ = yaml.safe_load_all((ROOT / "deploy/kubernetes/relay.yaml").read_text())
    secret = {"REGULARS_RELAYS_CRM_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
    relay = relay_pod["containers"][0]

    command, name = relay["args"]
    assert (command, list(build_settings({}, config | its["data"] | secret).relays)) == ("relay", [name])
    assert relay["ports"] == [{"name": "http", "containerPort": HTTP_PORT}]
    assert relay["livenessProbe"]["httpGet"] == {"path": "/health", "port": "http"}


def test_the_bridge_of_kubernetes_has_a_topic_to_read_and_its_liveness_is_no_matter_of_kafka(
    bridge_pod: dict[str, Any],
) -> None:
    config = yaml.safe_load((KUBERNETES / "configmap.yaml").read_text())["data"]
    its, _ = yaml.safe_load_all((KUBERNETES / "bridge.yaml").read_text())
    bridge = bridge_pod["containers"][0]

    assert readers(build_settings({}, config | its["data"])).keys() == {its["data"]["REGULARS_RAW_WEB_TOPIC"]}
    assert bridge["ports"] == [{"name": "http", "containerPort": HTTP_PORT}]
    assert bridge["livenessProbe"]["httpGet"] == {"path": "/health", "port": "http"}


def test_kubernetes_lets_each_pod_speak_to_what_it_needs_and_to_nothing_else() -> None:
    config = build_settings({}, yaml.safe_load((KUBERNETES / "configmap.yaml").read_text())["data"])
    kafka, kafka_port = config.kafka.bootstrap.split(":")
    redis = urlsplit(config.redis.url)
    all_need = {("kube-dns", 53), (kafka, int(kafka_port))}
    profiles = {(redis.hostname, redis.port)}
    spoken_to = {
        "worker": all_need | profiles,
        "serve": all_need | profiles,
        "fit": all_need | profiles,
        "bridge": all_need,
        "relay": all_need | {("0.0.0.0/0", 443), ("2000::/3", 443)},
    }

    assert {name: let_through(labels, "Egress") for name, (labels, _) in pods_by_component().items()} == spoken_to


def test_kubernetes_lets_a_relay_reach_no_private_address() -> None:
    policies = yaml.safe_load_all((KUBERNETES / "network.yaml").read_text())
    (relay,) = [policy for policy in policies if policy["metadata"]["name"] == "regulars-relay"]
    closed = [ip_network(one) for one in relay["spec"]["egress"][0]["to"][0]["ipBlock"]["except"]]

    for address in ("10.96.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.31.0.1", "192.168.1.1"):
        assert not is_public(address)
        assert any(ip_address(address) in block for block in closed)


def test_kubernetes_lets_nobody_speak_to_pods_but_prometheus_and_to_the_http_side_the_ingress() -> None:
    for name, (labels, pod) in pods_by_component().items():
        allowed = let_through(labels, "Ingress")

        assert allowed == {
            "fit": set(),
            "serve": {("monitoring", "http"), ("ingress-nginx", "http")},
        }.get(name, {("monitoring", "http")})
        assert {port for _, port in allowed} == {port["name"] for port in pod["containers"][0].get("ports", ())}


def test_kubernetes_drains_of_several_pods_one_at_a_time() -> None:
    budgets = [budget["spec"] for budget in yaml.safe_load_all((KUBERNETES / "disruption.yaml").read_text())]

    assert all(budget["maxUnavailable"] == 1 for budget in budgets)
    for name, (labels, _) in pods_by_component().items():
        covered = [budget for budget in budgets if selects(budget["selector"], labels)]
        assert len(covered) == (1 if name in {"worker", "serve"} else 0)


def test_who_has_the_source_distribution_alone_can_set_it_up_and_run_its_tests() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packed = {name.strip("/") for name in project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]}

    assert {"Makefile", "uv.lock"} <= packed  # `make setup` installs from the lock
    assert {"tests", "Dockerfile", ".dockerignore", "docker-compose.yml", "deploy", "docs", "bench"} <= packed


def test_the_lock_file_names_no_index_but_the_public_one() -> None:
    sources = set(re.findall(r"registry = \"([^\"]*)\"", (ROOT / "uv.lock").read_text()))

    assert sources == {"https://pypi.org/simple"}
