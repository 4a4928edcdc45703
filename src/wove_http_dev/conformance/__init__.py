"""Numbered cases that check a worker service somebody else wrote.

``report`` is the one room every case may use; ``worker`` holds the cases for a worker service and
owes nothing to the rest of the package, so that it cannot pass by sharing our bugs. This file
imports nothing: ``pytest --pyargs wove_http_dev.conformance`` only needs the folder.
"""
