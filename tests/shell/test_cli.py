"""The command line as a user meets it: help, exit codes, errors in one plain line."""

import errno
import io
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import click
import pytest
from msgspec.structs import replace

from schemas.outputs import Receipt
from streams import cli
from streams.commands.errors import explain
from streams.commands.requests import readable
from streams.settings import SETTINGS
from streams.trigger_registry import TriggerLoadError

TWO_LEVELS = {
    "topics": {"create", "list"},
    "profile": {"show", "explain"},
    "offsets": {"show", "accept-gap"},
    "settings": {"show"},
}


def regulars(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, as a shell would."""
    return subprocess.run(
        [sys.executable, "-m", "streams", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


def test_help_lists_every_command_with_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--help"]) == 0

    shown = capsys.readouterr().out
    for name in cli.COMMANDS:
        assert f"\n  {name} " in shown, name
    for name, verbs in TWO_LEVELS.items():
        assert cli.run([name, "--help"]) == 0
        text = capsys.readouterr().out
        assert all(f"\n  {verb} " in text for verb in verbs), name


@pytest.mark.parametrize("name", sorted(set(cli.COMMANDS) - {"services"}))
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = cli.cli.get_command(click.Context(cli.cli), name)

    assert command is not None
    assert command.name == name
    assert command.help
    assert cli.run([name, "--help"]) == 0
    assert "Usage: regulars" in capsys.readouterr().out


def test_the_overview_imports_nothing_heavy() -> None:
    code = (
        "import sys; from streams import cli; cli.run(['--help']); "
        "print([m for m in ('pandas', 'numpy', 'pyarrow', 'faust', 'kafka', 'aiokafka', 'redis', 'rich') if m in sys.modules])"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.splitlines()[-1] == "[]"
    assert time.monotonic() - began < 10  # a fifth of a second on an idle machine


def test_an_unknown_command_or_option_is_told_in_plain_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["dmeo"]) == 2
    assert "No such command 'dmeo'" in capsys.readouterr().err
    assert cli.run(["feed"]) == 2
    assert "Missing argument" in capsys.readouterr().err
    assert cli.run(["tail", "--topic", "trigers"]) == 2
    assert "no output topic 'trigers'; there are triggers" in capsys.readouterr().err
    assert cli.run(["profile", "explain", "7", "--trigger", "cart.abandond"]) == 2
    assert "no trigger 'cart.abandond'; did you mean cart.abandoned?" in capsys.readouterr().err


def test_a_users_mistake_is_one_message_without_a_traceback(tmp_path: Path) -> None:
    done = regulars("settings", "show", "--settings", str(tmp_path / "missing.toml"))

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("regulars: settings file")
    assert "Traceback" not in done.stderr


def test_a_fault_of_ours_is_named_and_offers_its_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(cli.cli, "main", broken)
    monkeypatch.setattr(sys, "argv", ["regulars", "doctor", "--redis-url", "redis://app:hunter2@cache"])

    assert cli.run(["demo"]) == 70
    told = capsys.readouterr().err
    assert "unexpected ZeroDivisionError" in told
    assert "regulars --traceback" in told
    assert "hunter2" not in told
    with pytest.raises(ZeroDivisionError):
        cli.run(["--traceback", "demo"])


def test_ctrl_c_ends_with_130_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.cli, "main", interrupted)

    assert cli.run(["demo"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_ctrl_c_while_an_error_is_told_ends_like_any_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: Exception) -> tuple[str, int]:
        raise KeyboardInterrupt

    monkeypatch.setattr("streams.cli.told", interrupted)

    assert cli.run(["settings", "show", "--settings", "missing.toml"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


CTRL_C = "os.kill(os.getpid(), signal.SIGINT)"


def meeting(tmp_path: Path, code: str) -> subprocess.CompletedProcess[str]:
    """`regulars --version` in a process that has run this code before anything of ours."""
    (tmp_path / "sitecustomize.py").write_text(f"import atexit, os, signal, sys\n{code}\n")
    return regulars("--version", PYTHONPATH=f"{tmp_path}:{Path(__file__).parents[2]}")


@pytest.mark.parametrize(
    "moment",
    [
        f"sys.meta_path.insert(0, type('', (), {{'find_spec': lambda name, *_: name == 'click' and {CTRL_C} or None}}))",
        f"import streams.cli; streams.cli._run = lambda _: exec({CTRL_C!r})",
        f"atexit.register(lambda: {CTRL_C})",
    ],
    ids=["while the program is loaded", "while a library makes a class", "while the process ends"],
)
def test_ctrl_c_is_one_line_also(moment: str, tmp_path: Path) -> None:
    done = meeting(tmp_path, f"signal.signal(signal.SIGINT, signal.default_int_handler)\n{moment}")

    assert (done.returncode, done.stderr) == (130, "interrupted\n")


def test_who_has_ctrl_c_ignored_goes_on_ignoring_it(tmp_path: Path) -> None:
    """As a shell has it for what it runs in the background."""
    done = meeting(tmp_path, f"signal.signal(signal.SIGINT, signal.SIG_IGN)\natexit.register(lambda: {CTRL_C})")

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["worker", "--kafka-bootstrap", "127.0.0.1:1"], "127.0.0.1:1"),
        (["serve", "--kafka-bootstrap", "127.0.0.1:1"], "127.0.0.1:1"),
        (["bridge"], "there is no topic to read"),
        (["relay", "crm"], "there is no relay 'crm'"),
        (["worker", "--limits-cache-profiles", "many"], "limits.cache_profiles"),
        (["worker", "--shadow", "A B"], "--shadow NAME"),
        (["serve", "--nothing"], "No such option"),
    ],
)
def test_a_start_that_fails_is_a_line_of_json_where_programs_read_the_log(arguments: list[str], said: str) -> None:
    given = {
        "REGULARS_LOG_FORMAT": "json",
        "REGULARS_SOURCES_WEB_KEY": "wk_something_long",
        "REGULARS_SOURCES_WEB_KIND": "client",
    }
    done = regulars(*arguments, **given)

    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.returncode == 2
    assert (lines[-1]["level"], lines[-1]["source"]) == ("ERROR", arguments[0])
    assert said in lines[-1]["message"]


@pytest.mark.parametrize("worse", ["[kafka]\nbootstrp = 'x'", "[limits]\ncache_profiles = -1"])
def test_the_form_of_the_log_is_known_where_other_settings_are_wrong(worse: str, tmp_path: Path) -> None:
    (tmp_path / "regulars.toml").write_text(f"[log]\nformat = 'json'\n{worse}\n")

    done = regulars("worker", "--settings", str(tmp_path / "regulars.toml"))

    assert done.returncode == 2
    assert "regulars.toml" in json.loads(done.stderr)["message"]


def test_a_fault_of_ours_in_a_log_of_json_has_its_traceback_along(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("streams.bridge.run", broken)
    before = logging.getLogger().handlers[:]
    try:
        assert cli.run(["bridge", "--log-format", "json"]) == 70
    finally:
        logging.getLogger().handlers[:] = before
    line = json.loads(capsys.readouterr().err)
    assert line["message"].startswith("unexpected ZeroDivisionError")
    assert "in broken" in line["exception"]


@pytest.mark.parametrize(
    "arguments", [("doctor", "--kafka-bootstrap", "127.0.0.1:1"), ("settings", "show"), ("--help",)]
)
def test_whoever_has_read_enough_is_told_by_an_exit_code_of_its_own(arguments: tuple[str, ...]) -> None:
    """1 is what `audit` says of profiles that disagree, and `regulars audit | head` is no such."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "streams", *arguments],
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writing)

    assert (done.returncode, done.stderr) == (cli.EXIT_PIPE_CLOSED, b"")


def test_a_terminal_without_our_letters_is_no_reason_to_fail(tmp_path: Path) -> None:
    done = regulars("doctor", "--files-rules", str(tmp_path / "none.toml"), PYTHONIOENCODING="latin-1", PYTHONUTF8="0")

    assert done.returncode == 2, done.stderr
    assert "\\u2713 settings" in done.stdout


def test_every_setting_is_a_flag_a_variable_and_a_line_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "regulars.toml"
    file.write_text('[kafka]\ngroup = "from-file"\ntopic_prefix = "from-file."\npartitions = 3\n')
    done = regulars(
        "settings",
        "show",
        "--changed",
        "--settings",
        str(file),
        "--kafka-group",
        "from-flag",
        REGULARS_KAFKA_TOPIC_PREFIX="from-env.",
        REGULARS_KAFKA_SASL_PASSWORD="hunter2",
        COLUMNS="300",
    )

    assert done.returncode == 0, done.stderr
    shown = {line.split()[0]: line.split()[1] for line in done.stdout.splitlines()[1:]}
    assert shown == {
        "kafka.group": "from-flag",
        "kafka.topic_prefix": "from-env.",
        "kafka.partitions": "3",
        "kafka.sasl_password": "********",
    }


def test_settings_show_lists_all_of_them(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "300")

    assert cli.run(["settings", "show"]) == 0

    shown = capsys.readouterr().out
    assert all(setting.path in shown for setting in SETTINGS)


@pytest.mark.parametrize("columns", ["40", "80", None])
def test_no_terminal_is_too_narrow_for_a_name(columns: str | None) -> None:
    """At 80 columns, which is what a pipe was taken for, a dozen settings ended in dots."""
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    done = subprocess.run(
        [sys.executable, "-m", "streams", "settings", "show"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=environment if columns is None else environment | {"COLUMNS": columns},
    )

    assert "…" not in done.stdout
    if columns is None:
        lines = {line.split()[0]: line for line in done.stdout.splitlines()}
        assert lines.keys() >= {setting.path for setting in SETTINGS}
        assert lines["redis.url"].split()[1] == "redis://127.0.0.1:6379/0"


def test_an_unknown_setting_is_refused_with_a_suggestion() -> None:
    done = regulars("doctor", REGULARS_KAFKA_BOOTSTRP="x:1")

    assert done.returncode == 2
    assert "REGULARS_KAFKA_BOOTSTRAP" in done.stdout


@pytest.mark.parametrize(
    "answer, exit_code, told", [("n\n", 1, "nothing was changed"), ("", 2, "nothing was changed: give --yes to agree")]
)
def test_who_does_not_agree_changes_nothing(
    answer: str, exit_code: int, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))

    assert cli.run(["rebuild", "--redis-url", "redis://127.0.0.1:1"]) == exit_code
    assert told in capsys.readouterr().err


def test_no_kafka_and_no_redis_are_told_plainly() -> None:
    for arguments in (
        ["topics", "list", "--kafka-bootstrap", "127.0.0.1:1"],
        ["profile", "show", "1", "--redis-url", "redis://127.0.0.1:1"],
    ):
        done = regulars(*arguments)

        assert done.returncode == 2, done.stderr
        assert "127.0.0.1:1" in done.stderr
        assert "Traceback" not in done.stderr


def test_health_says_when_nobody_answers() -> None:
    done = regulars("health", "--url", "http://127.0.0.1:1/health")

    assert done.returncode == 1
    assert "no worker answers" in done.stderr


@pytest.mark.parametrize(
    "host, asked",
    [
        ("0.0.0.0", "http://127.0.0.1:8080/health"),
        ("::", "http://[::1]:8080/health"),
        ("fd00::7", "http://[fd00::7]:8080/health"),
        ("worker-1", "http://worker-1:8080/health"),
    ],
)
def test_health_asks_where_the_worker_of_these_settings_listens(
    host: str, asked: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A socket for "::" takes no IPv4, and an address with colons is no host of a URL."""
    pages: list[str] = []

    def nobody(_: object, page: str, **__: object) -> None:
        pages.append(page)
        raise ConnectionRefusedError

    monkeypatch.setattr("urllib.request.OpenerDirector.open", nobody)

    assert cli.run(["health", "--http-host", host]) == 1
    assert pages == [asked]


@pytest.mark.parametrize(
    "arguments, told",
    [
        (("--url", "http://[bad"), "'http://[bad' is no http URL"),
        (("--url", "http://127.0.0.1:port/"), "'http://127.0.0.1:port/' is no http URL"),
        (("--http-port", "0"), "http.port is 0: workers of these settings show no page"),
    ],
)
def test_health_says_what_is_wrong_with_where_it_is_to_look(
    arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["health", *arguments]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ("profile", "show", "\udcff"),
        ("profile", "explain", "\udcff"),
        ("profile", "split", "user_id:\udcff", "user_id:1"),
        ("privacy", "receipt", "\udcff"),
        ("privacy", "erase", "user_id:1", "email:\udcff@example.org"),
        ("privacy", "export", "user_id:1", "--request-id", "\udcff"),
        ("privacy", "orders", "\udcff"),
        ("explain", "\udcff"),
    ],
)
def test_what_the_terminal_did_not_send_as_utf_8_is_named(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run([*arguments, "--redis-url", "redis://127.0.0.1:1"]) == 2
    assert "is not UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, named",
    [
        (["replay", "events.jsonl", "--out", "out", "--until", ""], "--until"),
        (["replay", "events.jsonl", "--out="], "--out"),
        (["replay", "", "--out", "out"], "FILE..."),
        (["rejected", "list", "--source", ""], "--source"),
        (["rejected", "list", "--reason", "bad_json", "--reason", ""], "--reason"),
        (["simulate", "--out", ""], "--out"),
        (["demo", "--out", ""], "--out"),
        (["health", "--url", ""], "--url"),
        (["report", "", "--page", "page.html"], "[DIR]"),
        (["settings", "show", "--settings", ""], "--settings"),
    ],
)
def test_what_is_given_empty_is_refused_rather_than_passed_over(
    arguments: list[str],
    named: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """It is mostly a variable of the shell that has no value."""
    monkeypatch.chdir(tmp_path)

    assert cli.run(arguments) == 2
    assert f"Invalid value for '{named}': it is empty" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_setting_may_be_given_empty(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["settings", "show", "--changed", "--http-host", ""]) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("fit", "events.jsonl", "--out"),
        ("pairs", "events.jsonl", "--out"),
        ("pairs", "--state"),
        ("report", "out", "--page"),
        ("report", "out", "--json"),
        ("privacy", "export", "user_id:1", "--out"),
    ],
)
def test_a_result_that_could_not_be_written_is_refused_before_the_work(
    arguments: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The work was done, a customer's data exported, and then there was no such folder."""
    assert cli.run([*arguments, str(tmp_path / "nowhere" / "result")]) == 2
    assert f"there is no folder '{tmp_path / 'nowhere'}'" in capsys.readouterr().err


def test_health_of_something_that_is_no_worker_is_bad(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def greet() -> None:
            connection, _ = other.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"+PONG\r\n")

        greeting = threading.Thread(target=greet)
        greeting.start()
        assert cli.run(["health", "--url", f"http://127.0.0.1:{other.getsockname()[1]}/health"]) == 1
        greeting.join()
    assert "no worker answers" in capsys.readouterr().err


def test_health_asks_the_worker_itself_and_no_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as worker:

        def say_it_is_well() -> None:
            connection, _ = worker.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n{}")

        worker.settimeout(5)
        saying = threading.Thread(target=say_it_is_well)
        saying.start()
        code = cli.run(["health", "--http-host", "127.0.0.1", "--http-port", str(worker.getsockname()[1])])
        saying.join()

    assert code == 0


def test_a_port_that_is_taken_is_told_with_how_to_choose_another() -> None:
    told = explain(OSError(errno.EADDRINUSE, "error while attempting to bind on address ('0.0.0.0', 8080)"))

    assert told is not None
    assert "8080" in told
    assert "--http-port, or --serve-port" in told


def test_the_topics_of_a_shadow_run_bear_no_name_that_its_worker_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["topics", "create"], ["worker"]):
        assert cli.run([*command, "--shadow", "New Rules"]) == 2
        assert "a-z, 0-9 and -" in capsys.readouterr().err


def test_a_request_about_nobody_who_is_known_says_so() -> None:
    """A mistyped address looked like one that was erased."""
    about = Receipt(request_id="T-1", command="erase", final=True, homes=1, waiting=0, counts={}, kept_ms={}, at_ms=0)
    known, refused = replace(about, counts={"profiles": 1}), replace(about, refused="by_hand")

    said = ["nothing was known of them" in "\n".join(readable(one)) for one in (about, known, refused)]
    assert said == [True, False, False]


def test_only_what_a_user_can_mend_is_explained() -> None:
    assert explain(ZeroDivisionError()) is None
    assert explain(TriggerLoadError("entry point ours can't be loaded")) == "entry point ours can't be loaded"
    assert explain(FileNotFoundError(2, "No such file or directory", "x.jsonl")) == "x.jsonl: No such file or directory"


def test_serve_starts_for_nobody_only_after_saying_how_to_name_somebody() -> None:
    done = regulars("serve")

    assert done.returncode == 2
    assert "nobody may call" in done.stderr
    assert "REGULARS_SOURCES_WEB_KEY" in done.stderr


def test_entries_are_shown_with_their_secrets_masked() -> None:
    done = regulars(
        "settings",
        "show",
        "--changed",
        REGULARS_SOURCES_WEB_KEY="wk_hunter2_key",
        REGULARS_SOURCES_WEB_KIND="client",
        COLUMNS="200",
    )

    assert done.returncode == 0, done.stderr
    assert "sources.web.kind" in done.stdout
    assert "sources.web.key" in done.stdout
    assert "hunter2" not in done.stdout
    assert "sources.web.origins" not in done.stdout, "it has its default"
