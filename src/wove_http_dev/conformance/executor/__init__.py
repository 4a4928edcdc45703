"""Conformance cases for an executor: a subclass of ``wove.environment.EnvironmentExecutor``.

Each case runs real weaves with the executor against a real worker that shows one of the faults of
the catalogue, and judges what the author of the weave sees and what the worker received.
"""
