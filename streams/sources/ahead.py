"""Running a source in a process of its own, a little ahead of whoever reads it: making events then takes no time of the reader.

What the reader sees is the same as without. The pipe between the two holds little, so a slow reader slows the source.
"""

import multiprocessing
import pickle
import signal
from collections.abc import Callable, Iterator
from itertools import islice
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection

from streams.sources import Line
from streams.sources.errors import SourceError

_LINES_AT_ONCE = 500


def ahead(make: Callable[[], Iterator[Line]]) -> Iterator[Line]:
    """The lines of `make()`, which is called in another process and must therefore be picklable.

    Raises what the source raised there, and SourceError when its process died.
    """
    # A fresh process, not a fork: this one may have threads by now.
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_produce, args=(make, sender), daemon=True, name="source")
    # Ctrl-C reaches both processes. The new one does not hear it from its first moment on; the reader ends it. (The helper
    # process of multiprocessing is there before, since making that one lets the signal through again.)
    resource_tracker.ensure_running()
    heard = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)
    sender.close()  # so that the other process's end is the only one, and its death is seen
    try:
        while True:
            try:
                found = pickle.loads(receiver.recv_bytes())  # noqa: S301 - made by our own process
            except EOFError:
                raise SourceError(
                    "the process that reads the source ended early (out of memory?).\n  Run the command again"
                ) from None
            if isinstance(found, Exception):
                raise found
            if not found:
                return
            yield from found
    finally:
        receiver.close()
        process.terminate()
        process.join()


def _produce(make: Callable[[], Iterator[Line]], sender: Connection) -> None:
    try:
        try:
            lines = make()
            while batch := list(islice(lines, _LINES_AT_ONCE)):
                sender.send_bytes(pickle.dumps(batch, pickle.HIGHEST_PROTOCOL))
            sender.send_bytes(pickle.dumps([]))
        except BrokenPipeError:
            return
        except Exception as error:  # noqa: BLE001 - it is raised again where somebody can tell the user
            sender.send_bytes(pickle.dumps(error))
    except BrokenPipeError:
        return
