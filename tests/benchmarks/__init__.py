"""Benchmarks: ``python -m tests.benchmarks`` prints the speed table, each row against a peer."""
