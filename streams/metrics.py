"""What a worker and the HTTP side measure: one table, from which the Prometheus objects and the reference page are made.

Everything is counted per batch or request, never per event. Labels name topics, stages, triggers, sources, operations and
reasons and places in the rules; never a customer.
"""

from typing import Literal

from msgspec import Struct
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.registry import Collector

Kind = Literal["counter", "gauge", "histogram"]
Shower = Literal["worker", "serve", "bridge", "relay"]
"""Whose page a metric stands on: that of `regulars worker`, `serve`, `bridge` or `relay`."""

LATENCY_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 75, 90, 120, 180, 300, 900, 3600)
"""Close to each other just above a minute: timers wait for so long on purpose (clock.disorder_ms), and what is late beyond that
is to be told from what is not.
"""
STAGE_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
BATCH_BUCKETS = (1, 10, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)


class Metric(Struct, frozen=True, kw_only=True):
    """One line of the table. `remedy` says what to do when the figure looks wrong. Times are seconds, as Prometheus asks."""

    name: str
    kind: Kind
    unit: str
    meaning: str
    remedy: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    of: Shower = "worker"


METRICS: tuple[Metric, ...] = (
    Metric(
        name="regulars_events_total", kind="counter", unit="records", labels=("topic",),
        meaning="Records processed and committed.",
        remedy="Flat with lag: see /health. Flat without lag: nothing arrives, ask the senders.",
    ),
    Metric(
        name="regulars_lag_events", kind="gauge", unit="records", labels=("topic",),
        meaning="Records in the log that are not committed yet, over this worker's partitions. Absent while that is not known: "
        "Redis or Kafka does not answer, or a partition is being claimed.",
        remedy="Growing: add workers, up to one for each partition, or look at regulars_stage_seconds. "
        "Absent: see /health; regulars_lag_seconds goes on.",
    ),
    Metric(
        name="regulars_lag_seconds", kind="gauge", unit="seconds",
        meaning="How long ago the oldest of this worker's partitions had read everything there was.",
        remedy="As lag in records, which falls while a worker catches up; this falls once all is read that waited when it began. "
        "Triggers are this late.",
    ),
    Metric(
        name="regulars_batch_events", kind="histogram", unit="records", buckets=BATCH_BUCKETS,
        meaning="Records in one commit.", remedy="Small under load: fetches bring little, see kafka.fetch_bytes.",
    ),
    Metric(
        name="regulars_stage_seconds", kind="histogram", unit="seconds", labels=("stage",), buckets=STAGE_BUCKETS_S,
        meaning="Time of one batch in a stage: take (decode and merge), load, work, commit, publish.",
        remedy="load or commit slow: Redis or the way to it. publish slow: Kafka. work slow: this machine.",
    ),
    Metric(
        name="regulars_cache_hits_total", kind="counter", unit="profiles",
        meaning="Profiles that a batch needed and found in memory.",
        remedy="Few against misses: raise limits.cache_profiles, if there is memory.",
    ),
    Metric(
        name="regulars_cache_misses_total", kind="counter", unit="profiles",
        meaning="Profiles that a batch needed and had to load.", remedy="As regulars_cache_hits_total.",
    ),
    Metric(
        name="regulars_profiles_written_total", kind="counter", unit="profiles",
        meaning="Profiles written. Records per profile written is the coalescing factor.",
        remedy="None; it tells how much work a batch saves.",
    ),
    Metric(
        name="regulars_commits_total", kind="counter", unit="commits", meaning="Commits that Redis accepted.",
        remedy="Flat with lag: see /health.",
    ),
    Metric(
        name="regulars_conditions_failed_total", kind="counter", unit="evaluations", labels=("condition",),
        meaning="Conditions of the rules that could not be evaluated on a customer's data, and so counted as not met.",
        remedy="Ask has() first, or mend the condition: the log says once an hour what was missing.",
    ),
    Metric(
        name="regulars_rules_read_total", kind="counter", unit="files", labels=("result",),
        meaning="Times that a changed rules file was read under the running worker: taken, or refused.",
        remedy="Refused: the log, /health and regulars_rules_refused say where.",
    ),
    Metric(
        name="regulars_rules_refused", kind="gauge", unit="files", labels=("file", "line"),
        meaning="1 while the rules file is wrong at this line and the rules before it stay in force.",
        remedy="Mend the file; it is read again by itself.",
    ),
    Metric(
        name="regulars_models_as_of_timestamp_seconds", kind="gauge", unit="seconds",
        meaning="The day up to which the models in use know orders, as the epoch seconds at which it begins; 0 without models.",
        remedy="Days ago: `regulars fit` does not run, or finds too little to learn from; its log says which.",
    ),
    Metric(
        name="regulars_fenced_total", kind="counter", unit="commits",
        meaning="Commits refused because another worker had taken the partition. Nothing was lost.",
        remedy="A few at a rebalance are normal. Steady: two installations share a prefix, or workers freeze.",
    ),
    Metric(
        name="regulars_rollbacks_total", kind="counter", unit="events",
        meaning="Times Redis was found to have gone back in time. Replay healed it.",
        remedy="Find out why Redis lost writes: failover, restore, a disk that does not sync.",
    ),
    Metric(
        name="regulars_stops_total", kind="counter", unit="stops", labels=("reason",),
        meaning="Times a partition stopped or paused: fenced (another worker has it), rolled_back (Redis went back in time), "
        "refused or unavailable (Redis is full or away, each try), log (Kafka), lost_state, engine_errors, bug.",
        remedy="The log names the cause. The last three need a hand: read it, and /health.",
    ),
    Metric(
        name="regulars_timers_fired_total", kind="counter", unit="timers",
        meaning="Profiles that were looked at because a timer was due.",
        remedy="None; a wave after an outage is normal.",
    ),
    Metric(
        name="regulars_visitors_forgotten_total", kind="counter", unit="profiles",
        meaning="Profiles of visitors nobody knows that were deleted, since they did not come back.",
        remedy="None; [visitors] in the rules says after how long. Flat where it should not be: is forget_after \"0d\"?",
    ),
    Metric(
        name="regulars_outbox_rows", kind="gauge", unit="rows",
        meaning="Rows committed and not yet known to be in Kafka.",
        remedy="Growing: Kafka does not take what is published; the log says why, and /health names a right that lacks.",
    ),
    Metric(
        name="regulars_triggers_total", kind="counter", unit="triggers", labels=("name",),
        meaning="Triggers committed, by name.",
        remedy="None where some are expected: consent, cooldown? See `regulars profile explain`.",
    ),
    Metric(
        name="regulars_triggers_failed_total", kind="counter", unit="failures", labels=("name",),
        meaning="Times that a trigger failed on an event, a timer or new rules, and was left out of it.",
        remedy="The log says what was raised, and where. Mend the trigger, or switch it off (enabled = false).",
    ),
    Metric(
        name="regulars_decisions_total", kind="counter", unit="decisions", labels=("state", "reason"),
        meaning="Decisions committed, by what became of a trigger (armed, emitted, suppressed ...) and why.",
        remedy="Much suppressed for one reason: that gate holds triggers back; see the reference of rules.",
    ),
    Metric(
        name="regulars_rejected_total", kind="counter", unit="records", labels=("reason",),
        meaning="Records set aside, by reason.", remedy="Read the rejected topic: it holds the originals.",
    ),
    Metric(
        name="regulars_forwarded_total", kind="counter", unit="records",
        meaning="Records that arrived in another partition than their customer's home, and were sent on.",
        remedy="Above a fifth of all: have trackers key by user id with murmur2 (librdkafka: partitioner=murmur2_random).",
    ),
    Metric(
        name="regulars_cause_to_trigger_seconds", kind="histogram", unit="seconds", buckets=LATENCY_BUCKETS_S,
        meaning="From the arrival of the causing record, or from when a timer was due, to the acknowledged trigger.",
        remedy="Timers are later by clock.disorder_ms or clock.grace_ms on purpose. Beyond that: lag.",
    ),
    Metric(
        name="regulars_partitions", kind="gauge", unit="partitions",
        meaning="Partitions this worker works on; those it holds and that wait, for Redis say, are not among them.",
        remedy="0: more workers than partitions, or all of them wait; /health lists them and says for what.",
    ),
    Metric(
        name="regulars_partitions_waiting", kind="gauge", unit="partitions", labels=("reason",),
        meaning="Partitions this worker holds and does not work on, by why: starting, or what regulars_stops_total calls it.",
        remedy="The log names the cause. lost_state, engine_errors and bug need a hand: read it, and /health.",
    ),
    Metric(
        name="regulars_partitions_held_back", kind="gauge", unit="partitions",
        meaning="Partitions of which something that is to be published waits for a right at Kafka, for a topic that was "
        "deleted, or for the brokers that have it.",
        remedy="Give the right back that /health names, `regulars topics create`, or start the brokers; what waits goes out by "
        "itself.",
    ),
    Metric(
        name="regulars_topic_partitions", kind="gauge", unit="partitions",
        meaning="Partitions of each topic (kafka.partitions): so many should be worked on by all workers together.",
        remedy="None; it is what regulars_partitions is compared with.",
    ),
    Metric(
        name="regulars_stalled_seconds", kind="gauge", unit="seconds",
        meaning="For how long the slowest of this worker's partitions has had lag, or nobody knows whether it has, "
        "without any progress.",
        remedy="Beyond health.stall_ms /health fails: it names the partition, and the log the cause.",
    ),
    Metric(
        name="regulars_rebalances_total", kind="counter", unit="rebalances", meaning="Times partitions were handed out anew.",
        remedy="Steady: a worker is restarted again and again, or freezes beyond kafka.session_timeout_ms.",
    ),
    Metric(
        name="regulars_redis_used_bytes", kind="gauge", unit="bytes", labels=("node",),
        meaning="Memory that a Redis master uses. Absent while one does not answer, and where INFO is forbidden.",
        remedy="Near regulars_redis_max_bytes: raise maxmemory, before commits are refused.",
    ),
    Metric(
        name="regulars_redis_max_bytes", kind="gauge", unit="bytes", labels=("node",),
        meaning="Memory that a Redis master may use (maxmemory); 0 where it has no bound.",
        remedy="None; it is what regulars_redis_used_bytes is compared with.",
    ),
    Metric(
        name="regulars_cached_profiles", kind="gauge", unit="profiles", meaning="Profiles in memory.",
        remedy="None; bounded by limits.cache_profiles.",
    ),
    Metric(
        name="regulars_http_requests_total", kind="counter", unit="requests", labels=("operation", "status"), of="serve",
        meaning="Requests answered, by operation and status.",
        remedy="Many 4xx: regulars_http_refused_total says why. Any 500: report it, the log names the place.",
    ),
    Metric(
        name="regulars_http_refused_total", kind="counter", unit="requests", labels=("reason",), of="serve",
        meaning="Requests refused as a whole, by reason.",
        remedy="busy: Kafka is slow, or serve.inflight_bytes is small. kafka_away: look at the brokers. no_key: ask the sender. "
        "slow_head, slow_reader, large_head: connections that were cut off; many of them are an attack or a broken proxy.",
    ),
    Metric(
        name="regulars_http_seconds", kind="histogram", unit="seconds", labels=("operation",), buckets=STAGE_BUCKETS_S,
        of="serve", meaning="From the request's headers to its answer.",
        remedy="Collecting slow: Kafka, or slow clients. Reading slow: Redis.",
    ),
    Metric(
        name="regulars_collected_total", kind="counter", unit="events", labels=("source", "topic"), of="serve",
        meaning="Events written to Kafka and acknowledged, by source and topic.",
        remedy="Flat for one source: look at its key, its origins, its page.",
    ),
    Metric(
        name="regulars_collect_rejected_total", kind="counter", unit="events", labels=("source", "reason"), of="serve",
        meaning="Events set aside by the collector, by source and reason.",
        remedy="Read the rejected topic: it holds the originals.",
    ),
    Metric(
        name="regulars_collect_stripped_total", kind="counter", unit="values", labels=("source",), of="serve",
        meaning="Traits, costs and marks taken out of events since a client key may not set them.",
        remedy="Send them from a server, or change serve.protected_traits.",
    ),
    Metric(
        name="regulars_http_ready", kind="gauge", unit="processes", of="serve",
        meaning="1 while this process takes events, 0 while Kafka takes none or it stops: what /ready says.",
        remedy="Look at the brokers; clients keep their events meanwhile.",
    ),
    Metric(
        name="regulars_http_inflight_bytes", kind="gauge", unit="bytes", of="serve",
        meaning="Bytes of requests and of records not yet acknowledged, in memory.",
        remedy="Near serve.inflight_bytes requests are answered with 429: Kafka is slow, or add processes.",
    ),
    Metric(
        name="regulars_bridged_total", kind="counter", unit="records", labels=("source", "topic"), of="bridge",
        meaning="Records written by `regulars bridge`, by the entry [raw.<source>] they came by and the topic they went to.",
        remedy="Much on rejected: the topic holds another form than its entry says. None though it is written to: see the log.",
    ),
    Metric(
        name="regulars_relay_records_total", kind="counter", unit="records", labels=("relay", "outcome"), of="relay",
        meaning="Triggers of a relay by what became of them: delivered, tried again, or set aside with the reason.",
        remedy="retried without delivered: the receiver is away. Set aside: `regulars undelivered list`.",
    ),
    Metric(
        name="regulars_relay_taken_timestamp_seconds", kind="gauge", unit="seconds", labels=("relay",), of="relay",
        meaning="When the receiver last took something, in epoch seconds; the start of the relay before that.",
        remedy="Long ago though triggers come: the receiver is away, or its key is wrong. The log has the status.",
    ),
)  # fmt: skip
"""Every metric, in the order of the reference."""


class Metrics:
    """The Prometheus objects of one process. A registry of its own, so that tests and workers do not share figures."""

    def __init__(self, of: Shower = "worker") -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._made: dict[str, Collector] = {}
        for metric in METRICS:
            if metric.of == of:
                self._made[metric.name] = _make(metric, self.registry)

    def count(self, name: str, amount: float = 1, /, **labels: str) -> None:
        """Add to a counter."""
        made = self._made[name]
        assert isinstance(made, Counter)
        (made.labels(**labels) if labels else made).inc(amount)

    def show(self, name: str, value: float, /, **labels: str) -> None:
        """Set a gauge."""
        made = self._made[name]
        assert isinstance(made, Gauge)
        (made.labels(**labels) if labels else made).set(value)

    def hide(self, name: str, /, **labels: str) -> None:
        """Show no value of a gauge with these labels: it is not known."""
        made = self._made[name]
        assert isinstance(made, Gauge)
        made.remove(*labels.values())

    def observe(self, name: str, value: float, /, **labels: str) -> None:
        """Add a value to a histogram."""
        made = self._made[name]
        assert isinstance(made, Histogram)
        (made.labels(**labels) if labels else made).observe(value)

    def value(self, name: str, /, **labels: str) -> float:
        """What a counter or gauge stands at; 0 where it was never touched."""
        return self.registry.get_sample_value(name, labels) or 0.0

    def total(self, name: str) -> float:
        """A counter's sum over all its labels."""
        return sum(
            sample.value for family in self._made[name].collect() for sample in family.samples if sample.name == name
        )

    def page(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)


def _make(metric: Metric, registry: CollectorRegistry) -> Collector:
    match metric.kind:
        case "counter":
            return Counter(metric.name, metric.meaning, metric.labels, registry=registry)
        case "gauge":
            return Gauge(metric.name, metric.meaning, metric.labels, registry=registry)
        case "histogram":
            return Histogram(metric.name, metric.meaning, metric.labels, registry=registry, buckets=metric.buckets)
