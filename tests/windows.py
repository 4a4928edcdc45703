"""Emulates what Windows lacks, on Linux, as far as the package could use it."""

from __future__ import annotations

import asyncio  # noqa: F401  # these take a Windows branch that needs Windows
import builtins
import importlib
import multiprocessing  # noqa: F401
import os
import select
import signal
import socket
import ssl  # noqa: F401
import subprocess  # noqa: F401
import sys
import sysconfig
from typing import Any

import pytest

ABSENT: tuple[tuple[Any, str], ...] = (
    *((os, name) for name in ("O_NOFOLLOW", "O_NONBLOCK", "fchmod", "fchown", "fork", "forkpty")),
    *((os, name) for name in ("getegid", "geteuid", "getgid", "getpgid", "getuid", "killpg")),
    *((os, name) for name in ("memfd_create", "mkfifo", "register_at_fork", "set_blocking")),
    *((os, name) for name in ("sched_getaffinity", "setsid", "uname", "wait")),
    *((select, name) for name in ("epoll", "poll")),
    *((signal, name) for name in ("SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGUSR1", "SIGUSR2")),
    *((socket, name) for name in ("AF_UNIX", "SO_REUSEPORT", "MSG_NOSIGNAL", "MSG_DONTWAIT")),
)
"""What Python has on Linux, and not on Windows (without what pytest-timeout uses)."""
MODULES = ("fcntl", "grp", "posix", "pwd", "resource", "termios", "tty")
"""Modules that Windows does not have."""
LIBRARIES = ("rich.console", "trustme", "werkzeug", "wove", "httptools", "cloudpickle")
"""Libraries that would look for Windows's own modules when they are imported."""


def emulate(patch: pytest.MonkeyPatch) -> None:
    """Take away from this process what Windows lacks, until ``patch`` is undone."""
    for name in LIBRARIES:
        importlib.import_module(name)
    sysconfig.get_config_vars()  # read from a file that is named by the platform
    patch.setattr(sys, "platform", "win32")
    patch.setattr(os, "process_cpu_count", os.cpu_count, raising=False)  # asks sched_getaffinity
    for module, name in ABSENT:
        patch.delattr(module, name, raising=False)
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        caller = (args[0] if args else None) or {}
        if name in MODULES and str(caller.get("__name__", "")).startswith("wove_http_dev"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *args, **kwargs)

    patch.setattr(builtins, "__import__", without)
