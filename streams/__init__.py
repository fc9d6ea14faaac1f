"""The shell around the core: Kafka, Redis, the clock, the outbox, the command line and everything else that touches the world.

It holds no business rule. Follow an event from `streams.delivery` (records arrive in chunks) to the commit and the outbox.
"""
