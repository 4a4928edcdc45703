"""The cases for a worker service, with the HTTP client, the command frames and the task functions
that they send.

These modules import nothing else of the package but ``conformance.case``. They implement the
protocol a second time, so that the package's own service and its checker cannot share a bug.

The checker loads pickles only from ``result_pickle``, ``error_pickle`` and ``exception_pickle`` in
the answers of the service under test, only in cases that need the value, and only with
``unpickling.load``, which builds plain values and built-in exceptions and refuses every other name.
A hostile service cannot run code in the checker.
"""
