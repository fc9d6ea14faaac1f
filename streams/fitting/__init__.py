"""Fits of the customer value models, from the counts that partitions keep. Needs numpy and scipy (extra `fit`).

Start with `streams.fitting.build` (counts to a model document); `likelihood` and `optimum` are the heart of it. Only commands
that fit may import this: workers predict with `profiles.value`, which needs neither library.
"""
