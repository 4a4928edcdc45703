"""The cases for a worker service, and the client, frames and tasks they are made with.

Nothing in this folder imports anything of the package but ``conformance.report``: what a case
sends and expects is written out here a second time, so that our own service is checked like any
other and cannot pass by sharing our bugs.

What is unpickled, and from whom: only ``result_pickle``, ``error_pickle`` and ``exception_pickle``
of answers of the service under check, only in cases that judge a value, and only by
``unpickling.load``, which builds plain values and built-in exceptions and refuses every other name.
A hostile service cannot run code in the checker.
"""
