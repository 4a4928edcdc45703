"""Conformance cases for an executor: a subclass of ``wove.environment.EnvironmentExecutor``.

Each case runs real weaves with the executor against a real worker with one fault injected, and
checks what the author of the weave sees and what the worker received.
"""
