"""``Pickler``: writes what clients load, in the format of cloudpickle."""

from __future__ import annotations

from collections import ChainMap
from typing import Any

import cloudpickle


class _WithoutTblib(ChainMap[Any, Any]):
    """Reducers by type, without those of tblib.

    ``import distributed`` lets tblib pickle every exception, in the whole process (its
    ``pickling_support.install()``). A client without tblib cannot load such a pickle, and gets an
    ``ImportError`` in place of the task's own error.
    """

    def __getitem__(self, kind: Any) -> Any:
        reduce = super().__getitem__(kind)
        function = getattr(reduce, "func", reduce)  # tblib registers a partial, too
        if str(getattr(function, "__module__", "")).partition(".")[0] == "tblib":
            raise KeyError(kind)
        return reduce


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """cloudpickle's pickler. An exception is pickled as its class does it, whatever tblib has
    registered."""

    dispatch_table = _WithoutTblib(cloudpickle.Pickler.dispatch_table)
