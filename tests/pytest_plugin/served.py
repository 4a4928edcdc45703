"""A ``serve`` in another process, and the pytest options that lead to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cli.served import serving
from wove_http_dev.inspector.client import ControlClient


@dataclass
class Control:
    """The control API of a running ``serve``."""

    ready: dict[str, Any]
    """What ``--ready-file`` says."""

    @property
    def client(self) -> ControlClient:
        """What a person may do on the page meanwhile."""
        return ControlClient(self.ready["api_url"], Path(self.ready["token_file"]).read_text())

    @property
    def arguments(self) -> list[str]:
        """The options of a test run against this ``serve``."""
        return [
            f"--wove-http-control={self.ready['api_url']}",
            f"--wove-http-control-token-file={self.ready['token_file']}",
            f"--wove-http-secret-file={self.ready['secret_file']}",
        ]


@contextmanager
def controllable(directory: Path, *arguments: str) -> Iterator[Control]:
    """Run ``serve``, with its files in ``directory``, until the block ends."""
    ready = directory / "ready.json"
    options = ("--page-port=0", f"--state-dir={directory / 'state'}", f"--ready-file={ready}")
    with serving(*options, *arguments):
        yield Control(json.loads(ready.read_text()))
