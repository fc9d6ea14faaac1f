"""How a process ends: in good order, or, where clients of Kafka still wait for a broker that does not answer, without them.

Python waits at its end for all threads, and asyncio for all tasks; theirs would come to no end before the broker is back, and
whoever runs the process again would never get to it.
"""

import os
import signal
import sys
import threading
from typing import Final, NoReturn

EXIT_INTERRUPTED: Final = 130  # 128 + SIGINT
INTERRUPTED: Final = "interrupted"

_at_once: Final = threading.Event()


def end_on_interrupt() -> None:
    """Let Ctrl-C end this process at once, in one line: for its start and its end, where nothing has to be put in order.

    Whoever started it with Ctrl-C ignored has it ignored.
    """
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _end)


def raise_on_interrupt() -> None:
    """Let Ctrl-C be KeyboardInterrupt, as Python has it, after `end_on_interrupt`."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(*_: object) -> NoReturn:
    os.write(2, f"{INTERRUPTED}\n".encode())
    os._exit(EXIT_INTERRUPTED)


def wait_for_nobody() -> None:
    """What has to be done before this process ends is done: `leave` does not wait for its threads."""
    _at_once.set()


def leave(code: int) -> NoReturn:
    """End the process with this exit code.

    Once interrupted Python would not always do so: where KeyboardInterrupt had passed through an exec() of a text (libraries make
    classes by it while they are imported), it ends itself by the signal in the end.
    """
    if _at_once.is_set() or code == EXIT_INTERRUPTED:
        import logging

        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        os._exit(code)
    sys.exit(code)
