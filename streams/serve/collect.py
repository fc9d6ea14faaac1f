"""Events in: tracking calls of Segment's and RudderStack's libraries, and signed webhooks.

Follow one request down `Collector.track`: who is calling, the body in bounds, the messages, the records, the log, and only
then 200.
"""

from collections.abc import Callable, Mapping
from typing import Final

from schemas.adapters.adapter import content_id
from schemas.reasons import Problem
from streams.metrics import Metrics
from streams.serve.answer import Answer, Refusal, json_answer
from streams.serve.body import CLOSE, check_headers, read_body
from streams.serve.budget import Budget, Hold
from streams.serve.call import Call
from streams.serve.envelope import CALLS, Envelope, read_batch, read_call
from streams.serve.event_log import EventLog, LogAway
from streams.serve.formats import CUSTOMERIO, SEGMENT, SHOPIFY, Formats
from streams.serve.intake import Intake, Taken
from streams.serve.keys import Sender, Senders, basic_user, check_origin
from streams.serve.signatures import check_bearer, check_customerio, check_shopify, check_standard, standard_secret
from streams.setting_serve import Serve, Webhook

ReadBody = Callable[[bytes], Envelope]
WallMs = Callable[[], int]

SUCCESS: Final = json_answer({"success": True})
AWAY_RETRY_S: Final = 5
"""A leader election takes a second or two; clients add their own growing pauses."""


class Hook:
    """A source of webhooks as the collector knows it."""

    def __init__(self, name: str, webhook: Webhook) -> None:
        self.sender = Sender(name, "server")
        self.scheme = webhook.scheme
        self.format = webhook.format or {"shopify": SHOPIFY, "customerio": CUSTOMERIO}.get(webhook.scheme, SEGMENT)
        read = standard_secret if webhook.scheme == "standard" else str.encode
        self.keys = tuple(read(secret) for secret in webhook.secrets)


class Collector:
    """Takes requests with events. `wall_ms` is the wall clock."""

    def __init__(
        self,
        settings: Serve,
        *,
        senders: Senders,
        hooks: Mapping[str, Hook],
        formats: Formats,
        intake: Intake,
        log: EventLog,
        budget: Budget,
        metrics: Metrics,
        wall_ms: WallMs,
    ) -> None:
        self._settings = settings
        self.senders = senders
        self._hooks = hooks
        self._intake = intake
        self._log = log
        self._budget = budget
        self._metrics = metrics
        self._formats = formats
        self._wall_ms = wall_ms

    async def track(self, call: Call) -> Answer:
        """POST /v1/track and its like: one message. The path says of which type."""
        kind = CALLS[call.path.rpartition("/")[2]]
        return await self._collect(call, self._settings.event_bytes, lambda body: read_call(body, kind))

    async def batch(self, call: Call) -> Answer:
        """POST /v1/batch: many messages."""
        return await self._collect(call, self._settings.batch_bytes, read_batch)

    async def webhook(self, call: Call) -> Answer:
        """POST /v1/webhooks/<source>: signed as Standard Webhooks or Customer.io say, or with a token."""
        hook = self._hook(call, "standard", "customerio", "bearer")
        return await self._deliver(call, hook)

    async def shopify(self, call: Call) -> Answer:
        """POST /v1/webhooks/shopify/<source>."""
        hook = self._hook(call, "shopify")
        return await self._deliver(call, hook)

    # --- tracking calls -------------------------------------------------------------------------------------------

    async def _collect(self, call: Call, limit: int, read: ReadBody) -> Answer:
        sender = self._named_sender(call)
        with Hold(self._budget) as hold:
            body = await self._body(call, hold, limit)
            envelope = read(body)
            if sender is None:
                sender = self.senders.find(envelope.write_key)
                check_origin(sender, call.header("origin"))
            taken = self._intake.take_messages(envelope.messages, sender, self._wall_ms())
            await self._write(taken, sender)
        return SUCCESS

    def _named_sender(self, call: Call) -> Sender | None:
        """The source that header or query name; known before the body is read, so a stranger's body is not."""
        key = basic_user(call.header("authorization")) or next(iter(call.asked("writeKey")), None)
        if not key:
            return None
        sender = self.senders.find(key)
        check_origin(sender, call.header("origin"))
        return sender

    async def _body(self, call: Call, hold: Hold, limit: int) -> bytes:
        gzipped = check_headers(
            call.header("content-type"), call.header("content-encoding"), call.header("content-length"), limit=limit
        )
        return await read_body(call.body, hold, gzipped=gzipped, limit=limit, timeout_ms=self._settings.body_timeout_ms)

    # --- webhooks -------------------------------------------------------------------------------------------------

    def _hook(self, call: Call, *schemes: str) -> Hook:
        hook = self._hooks.get(call.parts["source"])
        if hook is None or hook.scheme not in schemes:
            raise Refusal("not_found", f"no webhook of the scheme {' or '.join(schemes)} has this name", headers=CLOSE)
        if hook.scheme == "bearer":
            check_bearer(call.headers, hook.keys)  # before the body is read, so a stranger's is not
        return hook

    async def _deliver(self, call: Call, hook: Hook) -> Answer:
        with Hold(self._budget) as hold:
            body = await self._body(call, hold, self._settings.batch_bytes)
            received_ms = self._wall_ms()
            delivery_id = _delivery(hook, call, body, received_ms / 1000)
            if not body and hook.scheme == "bearer":
                return SUCCESS  # Braze asks like this whether its token is good
            try:
                events = self._formats.read(
                    hook.format, body, call.headers, delivery_id=delivery_id, received_ms=received_ms
                )
            except Refusal:
                raise
            except Exception as fault:  # noqa: BLE001 -- the body is set aside with the reason, as in a worker
                events = [Problem("decoder_failed", type(fault).__name__)]
            taken = self._intake.take_events(events, body, hook.sender, received_ms)
            await self._write(taken, hook.sender)
        return SUCCESS

    # --- both -----------------------------------------------------------------------------------------------------

    async def _write(self, taken: Taken, sender: Sender) -> None:
        try:
            await self._log.write(taken.rows)
        except LogAway:
            raise Refusal("kafka_away", headers={"Retry-After": str(AWAY_RETRY_S)}) from None
        for topic, count in taken.accepted.items():
            self._metrics.count("regulars_collected_total", count, source=sender.name, topic=topic)
        for reason, count in taken.rejected.items():
            self._metrics.count("regulars_collect_rejected_total", count, source=sender.name, reason=reason)
        if taken.stripped:
            self._metrics.count("regulars_collect_stripped_total", taken.stripped, source=sender.name)


def _delivery(hook: Hook, call: Call, body: bytes, now_s: float) -> str:
    """The id of a delivery, one made of its body where it has none. Raises Refusal where its sender is not who it should be."""
    if hook.scheme == "shopify":
        return check_shopify(call.headers, body, hook.keys)
    if hook.scheme == "standard":
        return check_standard(call.headers, body, hook.keys, now_s)
    if hook.scheme == "customerio":
        check_customerio(call.headers, body, hook.keys, now_s)
    return content_id(body)
