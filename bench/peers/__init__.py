"""The job written for other engines, each as its own users would write it and tuned as far as its documentation goes.

Every peer is a program of its own that is told by variables of the environment what to do (`bench.engines` sets them):
BENCH_BOOTSTRAP, BENCH_INPUT, BENCH_TRIGGERS, BENCH_TOTALS (topics), BENCH_GROUP, BENCH_STATE (a folder), BENCH_THREADS, and
for some BENCH_REDIS or BENCH_BACKEND. What was tuned is said at the top of each. The JVM peers share `jvm-job/`, the Python
peers `python_job.py`: the rules of the job are the same for all, state, timers and output are the engine's own.
"""
