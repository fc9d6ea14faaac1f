"""Fits of the customer value models, from the counts that partitions keep. Needs numpy and scipy (extra `fit`).

Start with `streams.fitting.build` (counts to a model document); `likelihood` and `optimum` are the heart of it. Only commands
that fit may import this: workers predict with `profiles.value`, which needs neither library.
"""

import os

# A fit solves systems of four equations at a time. With threads of its own the linear algebra behind scipy waits for them at
# each one: a sixth of the processor time is left without, and a tenth of the time on a machine that does other things too. It has
# to be said before scipy is loaded, and whoever says something else is heard.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
