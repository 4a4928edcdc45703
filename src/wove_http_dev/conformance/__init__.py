"""Cases, each of which checks one requirement for a worker service or an executor.

This file imports nothing, so that ``pytest --pyargs wove_http_dev.conformance`` finds the folder
without loading Wove. README.md is the guide.
"""
