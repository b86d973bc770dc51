"""Measurements, each one command: `python -m bench.NAME`. Nothing here is a test, and no test asserts a time."""
