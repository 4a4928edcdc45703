"""``serve --reload``: imports the application's modules again after a change on disk.

Tasks sent by name find their module in ``sys.modules``. If a module of the application changed, the
reloader removes all of them from there, so that the next task imports them again. Contents are
compared, not time stamps: two edits may share one, and Python then takes the first one's bytecode
for the second's.

Where bodies run in other processes, each of these compares the modules that it has imported
(:class:`ChangesInProcess`), and new processes take the place of all of them.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.machinery
import linecache
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, ModuleType

from wove_http_dev.client.restore import restored_by

Changes = dict[str, "str | None"]
"""Changed files: by path below the root, the digest of what each contains now; ``None`` if it is
not there."""


class Reloader:
    """Watches the modules that are imported from below ``root``, except installed packages."""

    def __init__(self, root: Path) -> None:
        self._root = str(root) + os.sep
        self.on_change: Callable[[Changes], object] = lambda changes: None
        """Called with the files that have changed."""
        self._lock = threading.Lock()
        self._digests: dict[str, str | None] = {}
        """What each file contained when its module was imported, or was first seen here."""

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Import these modules from their source, never from bytecode, until the block ends."""

        def restore() -> None:
            if self in sys.meta_path:
                sys.meta_path.remove(self)

        with restored_by(restore):
            self.install()
            yield

    def install(self) -> None:
        """Import these modules from their source, never from bytecode."""
        sys.meta_path.insert(0, self)

    def refresh(self) -> None:
        """Remove all modules below ``root`` from ``sys.modules`` if the file of one of them has
        changed since its import. Reads every one of these files."""
        with self._lock:
            names, changes = self._compared()
            if changes:
                for path in self._digests:
                    linecache.cache.pop(path, None)  # the source lines of tracebacks
                self._digests.clear()
                for name in names:
                    sys.modules.pop(name, None)
                self.on_change(changes)

    def changes(self) -> Changes:
        """Return the files of modules below ``root`` that have changed since their import. Reads
        every file of these modules."""
        with self._lock:
            return self._compared()[1]

    def _compared(self) -> tuple[list[str], Changes]:
        """Return the modules below ``root``, and which of their files have changed."""
        # A directory's listing is read again when its time stamp changes; see above.
        importlib.invalidate_caches()
        names = []
        changes: Changes = {}
        for name, module in list(sys.modules.items()):
            path = getattr(module, "__file__", None)
            if not isinstance(path, str) or not self._watches(name, path):
                continue
            names.append(name)
            digest = _digest_of(path)
            if self._digests.setdefault(path, digest) != digest:
                changes[path.removeprefix(self._root)] = digest
        return names, changes

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec that the finders behind this one return, if it is of a module to watch;
        else ``None``. Python's import system calls this method, after it has asked the finders
        before this one."""
        finders = list(sys.meta_path)
        behind = finders[finders.index(self) + 1 :] if self in finders else []
        for finder in behind:
            if not hasattr(finder, "find_spec"):  # Python asks it, and those behind it
                return None
            spec = finder.find_spec(name, path, target)
            if spec is None:
                continue
            if type(spec.loader) is importlib.machinery.SourceFileLoader and self._watches(
                name, spec.loader.path
            ):
                spec.loader = _SourceLoader(name, spec.loader.path, self._imported)
            return spec
        return None

    def _imported(self, path: str, source: bytes) -> None:
        self._digests[path] = _digest(source)

    def _watches(self, name: str, path: str) -> bool:
        return path.startswith(self._root) and not _is_installed(name, path)


class ChangesInProcess:
    """Called in another process before each body that is loaded there: returns which files of the
    modules below ``root`` have changed since their import in that process. Can be pickled."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __call__(self) -> Changes:
        """Return the changed files. From the first call on, this process imports modules below
        ``root`` from their source."""
        reloader = _there.get(self._root)
        if reloader is None:
            reloader = _there[self._root] = Reloader(self._root)
            reloader.install()
        return reloader.changes()


_there: dict[Path, Reloader] = {}
"""The reloaders of this process, in which bodies run."""


class _SourceLoader(importlib.machinery.SourceFileLoader):
    """Compiles a module from its source, even if there is bytecode, and writes no bytecode."""

    def __init__(self, name: str, path: str, imported: Callable[[str, bytes], None]) -> None:
        super().__init__(name, path)
        self._imported = imported

    def get_code(self, fullname: str) -> CodeType:
        source = self.get_data(self.path)
        self._imported(self.path, source)
        code: CodeType = self.source_to_code(source, self.path)
        return code


def _digest_of(path: str) -> str | None:
    try:
        return _digest(Path(path).read_bytes())
    except OSError:
        return None


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content).hexdigest()


def _is_installed(name: str, path: str) -> bool:
    # A virtual environment is often below the application. Its classes, and this package's, must
    # stay the same objects.
    if name.partition(".")[0] in ("__main__", __name__.partition(".")[0]):
        return True
    return not {"site-packages", "dist-packages"}.isdisjoint(Path(path).parts)
