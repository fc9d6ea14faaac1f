"""Benchmarks: the same job side by side with other engines, generators of load, and the figures measured."""
