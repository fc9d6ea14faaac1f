"""The commits of one claim of a partition, one after the other: each is sent until it is known what became of it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from streams.faults import Faults
from streams.stats import Stats, StopReason
from streams.table import Commit, Held, Meta, Refused, Table, Unavailable

_log = logging.getLogger(__name__)

COMMIT_PAUSE_S: Final = 0.1
COMMIT_PAUSE_MAX_S: Final = 5.0


class Claimed:
    """Who holds partition `number`, how many commits it has, and how the claim is doing (`state`, in words).

    Once `stopping` is set, a commit that can't be made is given up in the place of being sent for ever.
    """

    def __init__(
        self, number: int, table: Table, *, stats: Stats, faults: Faults, sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self.number = number
        self.token = ""
        self.commits = 0
        self.state = "new"
        self.stopping = False
        self._table, self._stats, self._faults, self._sleep = table, stats, faults, sleep
        self._often = {"facts": {"partition": number}, "often": True}

    def begin(self, meta: Meta) -> None:
        """The partition was claimed, and is as `meta` says."""
        self.token, self.commits = meta.token, meta.commits

    @property
    def held(self) -> Held:
        """What a load is to find, if nobody else claimed the partition and nothing of it was lost."""
        return Held(self.token, self.commits)

    @property
    def mark(self) -> str:
        """Names the next commit, as no other one of any claim."""
        return f"{self.token}|{self.commits}"

    async def send(self, commit: Commit) -> None:
        """Send the next commit until it is known what became of it. Raises Fenced and RolledBack; others only when stopping."""
        pause_s = COMMIT_PAUSE_S
        told = ""
        while True:
            try:
                await self._send_once(commit)
            except (Refused, Unavailable) as error:
                reason: StopReason = "refused" if isinstance(error, Refused) else "unavailable"
                self.state = f"{reason}: {error}"
                if self.state != told:  # the same one every few seconds would bury all else
                    told = self.state
                    _log.warning("a commit waits: %s", error, extra=self._often)
                self._stats.stopped(self.number, reason, str(error))
                if self.stopping:
                    raise
                await self._sleep(pause_s)
                pause_s = min(pause_s * 2, COMMIT_PAUSE_MAX_S)
            else:
                self._faults.at("after_reply")
                self.commits += 1
                self.state = "running"
                if told:
                    _log.info("the commit that waited is in", extra=self._often)
                return

    async def _send_once(self, commit: Commit) -> None:
        self._faults.at("before_send")
        sending = asyncio.ensure_future(self._table.commit(self.number, commit))
        try:
            await asyncio.sleep(0)
            self._faults.at("after_send")
            await sending
        except BaseException:
            sending.cancel()
            raise
        finally:
            # Its failure remembers this frame: the circle would keep all of this claim in memory (streams.worker).
            del sending
