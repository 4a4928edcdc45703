"""``python -m wove_http_dev``."""

from __future__ import annotations

import sys

from wove_http_dev.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
