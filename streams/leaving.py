"""How a process ends: in good order, or, where clients of Kafka still wait for a broker that does not answer, without them.

Python waits at its end for all threads, and asyncio for all tasks; theirs would come to no end before the broker is back, and
whoever runs the process again would never get to it.
"""

import os
import sys
import threading
from typing import Final, NoReturn

_at_once: Final = threading.Event()


def wait_for_nobody() -> None:
    """What has to be done before this process ends is done: `leave` does not wait for its threads."""
    _at_once.set()


def leave(code: int) -> NoReturn:
    """End the process with this exit code."""
    if _at_once.is_set():
        import logging

        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        os._exit(code)
    sys.exit(code)
