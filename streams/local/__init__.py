"""A real Kafka and a real Redis on this machine without Docker: for `make services`, for benchmarks and for the tests.

`kafka_server`, `redis_server` and `redis_cluster` each start, stop, kill, freeze and restart one kind of server on
loopback ports in a directory of its own; `services` is the command that keeps one of each under ./.services.
Nothing here is used by a worker.
"""
