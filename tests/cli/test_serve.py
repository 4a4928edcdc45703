"""``wove-http-dev serve``: what it prints, serves and keeps in its state directory."""

from __future__ import annotations

import shlex
from pathlib import Path

from tests.support import MakeWorker
from wove_http_dev.cli.serve import _how_to_reach


def test_printed_paths_are_quoted(make_worker: MakeWorker, tmp_path: Path) -> None:
    """The printed shell lines quote a state directory with a blank in its name."""
    state = tmp_path / "two words"
    state.mkdir()
    worker = make_worker()
    line = next(text for text in _how_to_reach(worker, state).splitlines() if "cat " in text)
    assert shlex.quote(str(state / f"secret-{worker.port}")) in line
