"""The shell around the core: Kafka, Redis, the clock, the outbox, the command line and all that touches the world.

It holds no business rule. Follow an event from `streams.delivery`, where chunks of records arrive, to the commit.
"""
