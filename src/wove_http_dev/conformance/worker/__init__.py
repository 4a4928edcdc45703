"""The cases for a worker service, and the client, frames and tasks they are made with.

Nothing here imports anything of the package but ``conformance.case``: what a case sends and expects
is written out a second time, so that the package's own service is checked like any other and cannot
pass by sharing a bug with its checker.

What is unpickled, and from whom: only ``result_pickle``, ``error_pickle`` and ``exception_pickle``
in answers of the service under test, only in cases that need the value, and only by
``unpickling.load``, which builds plain values and built-in exceptions and refuses every other name.
A hostile service cannot run code in the checker.
"""
