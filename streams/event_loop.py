"""Which event loop the worker's threads run on: uvloop where it exists, asyncio's own elsewhere (Windows)."""

import asyncio
from importlib.util import find_spec


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A new loop that belongs to no thread yet."""
    if find_spec("uvloop") is None:
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()
