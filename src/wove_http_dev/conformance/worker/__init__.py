"""The cases for a worker service, and the HTTP client, frames and task functions they use.

These modules import nothing else of the package but ``conformance.case``. The protocol is
implemented here a second time, so that a bug in the package's own service is not hidden by the same
bug in its checker.

The checker loads pickles only from ``result_pickle``, ``error_pickle`` and ``exception_pickle`` in
the answers of the service under test, only in cases that need the value, and only with
``unpickling.load``, which builds plain values and built-in exceptions and refuses every other name.
A hostile service cannot run code in the checker.
"""
