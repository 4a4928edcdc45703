"""The cases for a worker service: one folder for each family, with its remedies.

The constants are the files of the reference workers, of which remedies name functions.
"""

from __future__ import annotations

STDLIB = "examples/worker_stdlib.py"
CORE = "examples/worker_core.py"
FLASK = "examples/worker_flask.py"
FASTAPI = "examples/worker_fastapi.py"
