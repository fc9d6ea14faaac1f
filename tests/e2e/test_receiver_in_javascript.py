"""The receiver in JavaScript that the docs show, run as it stands: it takes what the relay signs, once, and nothing else."""

import os
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from streams.relay.calls import call_of
from streams.setting_relay import Relay
from tests.e2e.kit import free_port, wait_until

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "deliver-triggers-over-http.md"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"trigger_id": "t1", "name": "welcome", "customer": {"id": "user_id:ada"}}'


class Receiver:
    """The script of the docs on a free port; what it prints goes to a file."""

    def __init__(self, node: str, folder: Path) -> None:
        (script,) = re.findall(r"```javascript\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
        port = free_port()
        self.url, self.said = f"http://127.0.0.1:{port}/", folder / "said.txt"
        (folder / "receiver.cjs").write_text(script.replace("listen(3000)", f'listen({port}, "127.0.0.1")'))
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(
                [node, str(folder / "receiver.cjs")], env={**os.environ, "SECRET": SECRET}, stdout=said, stderr=said
            )
        wait_until("the receiver answers", lambda: self.post({}, b"{}") == 401)

    def post(self, headers: Mapping[str, str], body: bytes) -> int:
        """The status of a call; 0 where nobody answers."""
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url, body, dict(headers)), timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    node = shutil.which("node")
    if node is None:
        if os.environ.get("CI"):
            pytest.fail("node was not found. Debian, Ubuntu: apt-get install nodejs")
        pytest.skip("node was not found. Debian, Ubuntu: apt-get install nodejs")
    found = Receiver(node, tmp_path)
    yield found
    found.process.kill()
    found.process.wait()


def signed(at_s: float, secret: str = SECRET, body: bytes = BODY) -> Mapping[str, str]:
    return dict(call_of(Relay(url="https://crm.shop.example/hook", secret=secret), body, int(at_s)).headers)


def test_it_acts_once_on_what_the_relay_signed_and_refuses_all_else(receiver: Receiver) -> None:
    now_s = time.time()
    forged = signed(now_s, "whsec_" + "A" * 32)

    assert [receiver.post(signed(now_s), BODY) for _ in range(2)] == [204, 204]
    assert receiver.post(forged, BODY) == 401
    assert receiver.post(signed(now_s), BODY.replace(b"ada", b"eve")) == 401
    assert receiver.post(signed(now_s - 600), BODY) == 401
    assert receiver.post({}, BODY) == 401
    assert receiver.said.read_text() == "welcome user_id:ada\n"


def test_it_takes_what_became_of_a_trigger_too(receiver: Receiver) -> None:
    """With `topics` a relay delivers these as well; they name the customer by her id alone."""
    taken_back = (
        b'{"trigger_id": "t2", "name": "trigger.cancelled", "of_trigger_id": "t1", "customer_id": "user_id:ada"}'
    )

    assert receiver.post(signed(time.time(), body=taken_back), taken_back) == 204
    assert receiver.said.read_text() == "trigger.cancelled user_id:ada\n"
