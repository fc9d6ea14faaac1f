"""What streams.serve overrides in uvicorn is still there and still called as it was."""

import inspect

from uvicorn import Server
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from streams.serve.http_guard import GuardedProtocol

OVERRIDDEN = {
    "connection_made": ["self", "transport"],
    "connection_lost": ["self", "exc"],
    "data_received": ["self", "data"],
    "on_message_begin": ["self"],
    "on_header": ["self", "name", "value"],
    "on_headers_complete": ["self"],
    "on_body": ["self", "body"],
    "pause_writing": ["self"],
    "resume_writing": ["self"],
    "on_response_complete": ["self"],
    "timeout_keep_alive_handler": ["self"],
    "send_400_response": ["self", "msg"],
}


def test_every_overridden_method_takes_what_it_took() -> None:
    for name, parameters in OVERRIDDEN.items():
        assert list(inspect.signature(getattr(HttpToolsProtocol, name)).parameters) == parameters, name
        assert name in vars(GuardedProtocol), name
    assert list(inspect.signature(Server.capture_signals).parameters) == ["self"]


def test_the_guard_overrides_nothing_else_and_clashes_with_no_name() -> None:
    own = {name for name in vars(GuardedProtocol) if not name.startswith("__")}

    assert {name for name in own if hasattr(HttpToolsProtocol, name)} == set(OVERRIDDEN)
