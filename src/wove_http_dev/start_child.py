"""The program of a child process: makes this package importable, then runs one of its modules.

``python -I`` leaves the test's import path out, and with it everything that was installed with
``pip --user`` or ``--target``, is on PYTHONPATH, or is found by an editable install's hook. So the
parent passes the directories of this package, and of the modules that it needs, as an argument.
This file imports only the standard library before it has added them.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec

NEEDED = (
    "wove_http_dev",
    # what it imports
    "cloudpickle",
    "cryptography",
    "httptools",
    "trustme",
    "werkzeug",
    "wove",
    # what those import
    "_cffi_backend",
    "idna",
    "markupsafe",
    "typing_extensions",
)


class NeededModules:
    """Finds the top-level modules ``places`` (name to directory) for Python's import system, as an
    element of ``sys.meta_path``."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = places

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: object = None
    ) -> ModuleSpec | None:
        """Return the spec of a module of ``places``; ``None`` for every other module."""
        place = self._places.get(name)
        return PathFinder.find_spec(name, [place]) if place is not None else None


def places() -> dict[str, str]:
    """Return the directory in which this process found each module of :data:`NEEDED`."""
    found = {}
    for name in NEEDED:
        try:
            spec = find_spec(name)
        except ValueError:  # a module without __spec__: a test's stand-in
            continue
        if spec is not None and spec.origin is not None:
            inside = spec.submodule_search_locations is not None  # a package: name/__init__.py
            parent = os.path.dirname(os.path.abspath(spec.origin))
            found[name] = os.path.dirname(parent) if inside else parent
    return found


def installed_in(places: Mapping[str, str]) -> list[str]:
    """Return the directories of ``places`` in which packages are installed, such as a user site or
    pip's ``--target``. A directory of sources is not one of them: it may also have modules of the
    test."""
    return [place for place in sorted({*places.values()}) if _has_packages(place)]


def _has_packages(directory: str) -> bool:
    try:
        return any(name.endswith(".dist-info") for name in os.listdir(directory))
    except OSError:  # a zip file
        return False


def arguments(module: str, descriptor: int) -> list[str]:
    """Return Python's command line arguments: this program, and that it calls ``main`` of
    ``module``, which serves the parent on ``descriptor``."""
    program = [__file__]
    if not os.path.isfile(__file__):  # imported from a zip file
        import inspect

        program = ["-c", inspect.getsource(sys.modules[__name__])]
    return [*program, str(descriptor), json.dumps(places()), module]


def main() -> None:
    """Serve the parent on the socket whose descriptor is the first argument; never returns."""
    descriptor, needed, module = int(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3]
    sys.meta_path.insert(0, NeededModules(needed))
    sys.path += [place for place in installed_in(needed) if place not in sys.path]
    gc.disable()  # it finds nothing in what is imported, and takes an eighth of the time
    child = import_module(module)
    gc.enable()
    child.main(descriptor)


if __name__ == "__main__":
    main()
