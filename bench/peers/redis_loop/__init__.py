"""A plain consumer loop: kafka-python and redis-py, batches and pipelines, no script inside Redis."""
