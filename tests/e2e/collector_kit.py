"""`regulars serve` as a process for end-to-end tests, and the real senders that call it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from hashlib import sha256
from pathlib import Path
from typing import Any

from streams.local.process import free_ports
from tests.e2e.kit import Shop, wait_until
from tests.needed import missing

WEB_KEY = "wk_web_12345678"
BACK_KEY = "sk_back_1234567"
TOKEN = "a-token-of-thirty-two-random-bytes"
CLIENTS = Path(__file__).parent / "clients"
EVENT_TOPICS = ("identities", "consents", "clickstream", "carts", "orders", "feedback", "messages")
START_PATIENCE_S = 30.0
NPM_PATIENCE_S = 150.0


class Collector:
    """A serving process of a shop; its log goes to a file that is shown when a check fails."""

    def __init__(self, shop: Shop, *, page_port: int = 0, **extra: str) -> None:
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_path = shop.folder / f"serve-{self.port}.log"
        environment = {
            **os.environ,
            **shop.environment(),
            "REGULARS_SHOP_CURRENCY": "EUR",
            "REGULARS_SERVE_HOST": "127.0.0.1",
            "REGULARS_SERVE_PORT": str(self.port),
            "REGULARS_SOURCES_WEB_KEY": WEB_KEY,
            "REGULARS_SOURCES_WEB_KIND": "client",
            "REGULARS_SOURCES_WEB_ORIGINS": f"http://localhost:{page_port}",
            "REGULARS_SOURCES_BACK_KEY": BACK_KEY,
            "REGULARS_SOURCES_BACK_KIND": "server",
            "REGULARS_TOKENS_CRM_SHA256": sha256(TOKEN.encode()).hexdigest(),
            "REGULARS_TOKENS_CRM_SCOPES": "profiles,segments,carts,next",
            **extra,
        }
        self._log = self.log_path.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "streams", "serve"], env=environment, stdout=self._log, stderr=subprocess.STDOUT
        )

    def wait_ready(self) -> None:
        """Wait until it says that it takes events."""

        def ready() -> bool:
            assert self.process.poll() is None, self.log()
            return self.get("/ready")[0] == 200

        wait_until("the collector is ready", ready, START_PATIENCE_S)

    def get(self, path: str, token: str | None = None) -> tuple[int, Any]:
        """Status and JSON of a page; 0 where nobody answers."""
        request = urllib.request.Request(self.url + path)
        if token is not None:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())
        except OSError:
            return 0, None

    def stop(self, patience_s: float = 30.0) -> int:
        """SIGTERM, and its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(patience_s)

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._log.close()


def events_of(shop: Shop) -> list[dict[str, Any]]:
    """Every event in Kafka, each with the topic, key and partition it was found at."""
    return [
        json.loads(record.value) | {"topic": topic, "key": record.key.decode(), "partition": record.partition}
        for topic in EVENT_TOPICS
        for record in shop.records(topic)
    ]


def node_clients() -> str:
    """The path of node, with the client libraries installed; skips at home and fails in CI where that can't be."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        missing("node and npm were not found. Debian, Ubuntu: apt-get install nodejs npm    (Node 18 or later)")
    assert node is not None
    assert npm is not None
    installed = CLIENTS / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < (CLIENTS / "package-lock.json").stat().st_mtime:
        done = subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=CLIENTS,
            capture_output=True,
            text=True,
            timeout=NPM_PATIENCE_S,
            check=False,
        )
        if done.returncode != 0:
            missing(f"npm could not install the client libraries:\n{done.stderr[-1000:]}")
        installed.touch()
    return node


def chromium() -> str:
    """The path of Chromium; skips at home and fails in CI where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        missing("no Chromium was found. Debian: apt-get install chromium")
    assert found is not None
    return found


def run_node(script: str, *arguments: str, patience_s: float = 60.0) -> str:
    """Run one of the client scripts to its end; what it printed."""
    done = subprocess.run(
        [node_clients(), str(CLIENTS / script), *arguments],
        capture_output=True,
        text=True,
        timeout=patience_s,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
