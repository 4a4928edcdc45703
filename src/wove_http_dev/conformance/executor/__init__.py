"""The cases for an executor, Wove's side of the wire, and the weaves and workers they need.

An executor is a subclass of ``wove.environment.EnvironmentExecutor``. The cases sit at the top of
the house: they let the executor drive our own worker through the fault catalogue, in real weaves,
and judge what the author of the weave sees and what the worker saw. Nothing here knows how the
executor is built.
"""
