"""``WorkerOptions``: the options of a worker as a type, so that a type checker finds a misspelt
one in ``HttpWorker(...)`` and ``wove_http_worker_factory(...)``. What they mean is in
``options.py``, whose fields these are."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict


class WorkerOptions(TypedDict, total=False):
    """Options of a worker; annotate with it a dict of them, such as what ``wove_http_options``
    returns."""

    tls: bool
    security: Any
    secret: str | None
    key: str
    clock_skew: float
    host: str
    hosts: Sequence[str]
    port: int
    path: str
    environment: str
    default: bool
    impersonate: str | None
    headers: Mapping[str, str] | None
    insecure: bool
    response_shape: str
    max_body: int
    idempotency: bool
    tracebacks: bool
    runner: Any
    workers: int | None
    upstream: str | None
    upstream_security: Any
    upstream_ca_file: str | None
    dask_scheduler: str | None
    isolated: bool
    app_dir: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None
    faults: Sequence[Any]
    strict: bool
    timeout: float | None
    delivery_timeout: float | None
