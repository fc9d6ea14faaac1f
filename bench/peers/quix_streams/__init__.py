"""Quix Streams with its RocksDB state."""
