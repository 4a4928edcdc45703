"""How other commands find a ``serve`` that is running: a file of it in the state directory.

The file is there while ``serve`` takes requests, and ``serve`` holds a lock on it. The kernel
releases the lock of a process that was killed, so a file without a lock was left by such a
``serve``. Process ids would say nothing in containers that share the directory.
"""

from __future__ import annotations

import io
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wove_http_dev.cli.state_directory import StateDirectory
from wove_http_dev.client.definition import CA_VARIABLES
from wove_http_dev.client.restore import restored_by
from wove_http_dev.errors import UsageError
from wove_http_dev.forks import close_in_forks
from wove_http_dev.private_files import locked, read_own
from wove_http_dev.secret import Secret
from wove_http_dev.worker import HttpWorker

_FILES = "running-*.json"
START = "start one: wove-http-dev serve"
Fields = Mapping[str, "str | int | None"]


def secret_file(worker: HttpWorker, state: StateDirectory) -> str | None:
    """Return the file in ``state`` with the secret of ``worker``, written if it is absent; ``None``
    for a worker without credentials."""
    if worker.credentials.mode == "none":
        return None
    return str(state.file_with(worker.secret, worker.port))


def ready_fields(
    worker: HttpWorker,
    state: StateDirectory,
    *,
    page_url: str | None = None,
    api_url: str | None = None,
    token_file: str | None = None,
) -> dict[str, str | int | None]:
    """Return what another program needs to reach ``worker``, which is started: addresses, the
    files with its secrets and its CAs, this process's id, and where task bodies run. ``None``
    stands for what is not there. Writes the files that it names, but no secret is in what it
    returns."""
    return {
        "url": worker.url,
        "page_url": page_url,
        "api_url": api_url,
        "token_file": token_file,
        "secret_file": secret_file(worker, state),
        "ca_file": worker.ca_file if worker.options.tls else None,
        "bundle_file": worker.client_env.get(CA_VARIABLES[0]) if worker.options.tls else None,
        "pid": os.getpid(),
        "runner": worker._runner.place,
    }


@contextmanager
def announced(
    directory: Path, port: int, fields: Fields, complain: Callable[[str], None]
) -> Iterator[None]:
    """Keep a file with ``fields`` in ``directory`` during the block, for :func:`find_serve`; remove
    those that a killed ``serve`` has left. ``complain`` is called with a line if there can be no
    file, for example in a directory that cannot be written."""
    path = directory / f"running-{port}.json"
    held: list[io.FileIO] = []

    def restore() -> None:
        for file in held:
            if not file.closed and _same(path, file):
                path.unlink()
            file.close()

    with restored_by(restore):
        try:
            with locked(directory):  # or the file of a serve that starts now could be removed
                _remove_stale(directory)
                _write_locked(path, json.dumps(fields).encode(), held)
        except (OSError, UsageError) as exc:
            complain(f"ctl will not find this worker by itself ({exc}); give it --api")
        yield


def _write_locked(path: Path, content: bytes, held: list[io.FileIO]) -> None:
    """Write the file, mode 0600, in place of an older one. Adds it open to ``held``, with its lock,
    which it has before it has its name."""
    import fcntl

    new = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    # Added by no call: an interruption between two of them would lose the file.
    held += [open(new, "xb", buffering=0, opener=_open_private)]  # noqa: SIM115
    file = held[-1]
    try:
        close_in_forks(file)  # a lock lives as long as any copy of its descriptor
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(content)
        os.replace(new, path)
    except BaseException:
        file.close()
        with suppress(OSError):
            new.unlink()
        raise


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _same(path: Path, file: io.FileIO) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(file.fileno()))
    except OSError:
        return False


def _remove_stale(directory: Path) -> None:
    for path in directory.glob(_FILES):
        with suppress(OSError):
            if not _is_locked(path):
                path.unlink()


def _is_locked(path: Path) -> bool:
    """Whether a process has the lock of the file."""
    import fcntl

    with open(path, "rb", opener=_open_to_read) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(file, fcntl.LOCK_UN)
        return False


def _open_to_read(path: str, _: int) -> int:
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)


@dataclass(frozen=True)
class Serve:
    """A ``serve`` that has a file in the state directory."""

    url: str
    """Where it takes tasks."""
    api_url: str | None
    token_file: str | None


def find_serve(directory: Path) -> Serve:
    """Return the ``serve`` with a control API that keeps its file in ``directory``.

    Raises :class:`UsageError`, which says what to do, if there is none or more than one.
    """
    running, ended = _serves(directory)
    steerable = [each for each in running if each.api_url is not None]
    if len(steerable) == 1:
        return steerable[0]
    if steerable:
        choices = " or ".join(f"--api {each.api_url} (tasks at {each.url})" for each in steerable)
        raise UsageError(f"{len(steerable)} serves are running; give {choices}")
    if running:
        raise UsageError(
            f"the serve at {running[0].url} has no control API; start it without --no-page"
        )
    left = f" (one that was killed left {ended[0]})" if ended else ""
    raise UsageError(
        f"no serve is running with the state directory {directory}{left}; {START}, or name another"
        " --state-dir"
    )


def token_in(directory: Path) -> Secret:
    """Return the token of the control API of each ``serve`` with the state directory
    ``directory``. Raises :class:`UsageError` if there is none."""
    path = directory / "token"
    try:
        return Secret(read_own(path, private=True).decode("ascii"))
    except FileNotFoundError:
        raise UsageError(
            f"there is no {path}: no serve with a control API has had this --state-dir; name"
            " another, or give --token-file"
        ) from None
    except UsageError:
        raise
    except (OSError, ValueError) as exc:
        raise UsageError(f"{path} cannot be read ({exc}); give --token-file") from None


def _serves(directory: Path) -> tuple[list[Serve], list[Path]]:
    """The serves that are running, and the files of those that were killed. What cannot be read is
    left out, and nothing is changed."""
    running, ended = [], []
    for path in sorted(directory.glob(_FILES)):
        with suppress(OSError, ValueError, TypeError, LookupError):  # a UsageError is a ValueError
            serve = _serve_of(json.loads(read_own(path, private=True)))
            if _is_locked(path):
                running.append(serve)
            else:
                ended.append(path)
    return running, ended


def _serve_of(fields: dict[str, Any]) -> Serve:
    found = Serve(str(fields["url"]), fields["api_url"], fields["token_file"])
    if not all(each is None or isinstance(each, str) for each in (found.api_url, found.token_file)):
        raise TypeError("not the file of a serve")
    return found
