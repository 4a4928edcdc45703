"""What the functions that a test calls return, and what the functions between a test and a weave do
once the weave has ended, seen through ``sys.setprofile``."""

from __future__ import annotations

import dis
import inspect
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

from wove_http_dev.client.observed_weaves import ObservedWeave
from wove_http_dev.client.restore import restored_by
from wove_http_dev.exception_text import is_users

CALLS_KEPT = 1000
"""Calls of one run of a test that are observed, and functions around its weaves."""
_DEPTH = 100
"""Functions between a test and a weave that are looked at."""
_RETURNS = {dis.opmap[name] for name in ("RETURN_VALUE", "RETURN_CONST") if name in dis.opmap}
# What these do computes nothing that a function could return instead of a task's result.
_PLUMBING = ("logging", "warnings", "contextlib", "wove", "wove_http_dev", "traceback", "asyncio")
_CONSTRUCTORS = ("__init__", "__new__", "__post_init__")
_PLUMBING_BUILTINS = frozenset({"print", "isinstance", "exc_info", "__exit__", "append", "add"})


@dataclass(eq=False)
class Call:
    """A call by the test itself. If it is one of a library's function, as asyncio.run(), ``code``
    and ``name`` are those of the application's function that this called, once a weave began."""

    code: CodeType
    name: str
    weaves: list[ObservedWeave] = field(default_factory=list)
    """The weaves that began within the call."""
    returned: bool = False
    """Whether it returned, and not an exception left it."""
    value: Any = None
    is_argument: bool = False
    """Whether the value is one of the function's arguments, or an object around it."""
    is_global: bool = False
    """Whether the value existed before the call, as a global variable of the function's module."""


@dataclass(eq=False)
class Caller:
    """A function on the way from the test to a weave."""

    code: CodeType
    weave: ObservedWeave
    line: int
    """The line of the function from which the weave was reached."""
    namespace: dict[str, Any]
    """The global variables of the function."""
    variables: list[Any]
    """The values of its own variables when the weave began."""
    returned: bool = False
    value: Any = None
    computed: bool = False
    """Whether it called something that may compute a value after the weave had ended."""


class Returned:
    """Observes the thread that enters :meth:`observing`. ``function`` is the test's; ``None``
    observes nothing. What ``fixtures`` call counts as called by the test. Everything is kept, so
    that the identities of the values stay valid."""

    def __init__(
        self, function: Callable[..., Any] | None, fixtures: Iterable[Callable[..., Any]] = ()
    ) -> None:
        self.calls: list[Call] = []
        """In the order in which they began."""
        self.callers: dict[ObservedWeave, list[Caller]] = {}
        """For each weave, the functions around it, the innermost first; the last one was called by
        the test."""
        self._tests = _codes(function)
        if self._tests:
            self._tests += [code for each in fixtures for code in _codes(each)]
        self._test_ids = {id(code) for code in self._tests}
        self._open: dict[FrameType, tuple[Call, list[Any], list[Any]]] = {}
        self._around: dict[FrameType, list[Caller]] = {}
        self._thread = 0
        self._previous: Any = None

    @contextmanager
    def observing(self) -> Iterator[None]:
        """Observe this thread until the block ends. A profiler that was there is called too; if it
        cannot be called from Python (cProfile before Python 3.12), nothing is observed."""
        profile = self._profile  # one object: each access makes another bound method

        def restore() -> None:
            if sys.getprofile() is profile:
                sys.setprofile(self._previous)

        with restored_by(restore):
            self._previous = sys.getprofile()
            if self._tests and (self._previous is None or callable(self._previous)):
                self._thread = threading.get_ident()
                sys.setprofile(profile)
            yield
        self._open.clear()
        self._around.clear()

    def weave_begun(self, weave: ObservedWeave, frame: FrameType | None) -> None:
        """Note the functions around ``weave``, whose block ``frame`` leaves."""
        if threading.get_ident() != self._thread or len(self.callers) >= CALLS_KEPT:
            return
        around: list[tuple[FrameType, Caller]] = []
        while frame is not None and len(around) < _DEPTH:
            code = frame.f_code
            around.append(
                (frame, Caller(code, weave, frame.f_lineno, frame.f_globals, _variables(frame)))
            )
            if frame in self._open:
                self._open[frame][0].weaves.append(weave)
                self._attributed(frame, [each for each, _ in around])
                self.callers[weave] = [caller for _, caller in around]
                for each, caller in around:
                    self._around.setdefault(each, []).append(caller)
                return
            frame = frame.f_back

    def _attributed(self, frame: FrameType, around: list[FrameType]) -> None:
        """Take the application's function for the library's that the test called, so that what is a
        constant, an argument or a global variable there is known as such."""
        call = self._open[frame][0]
        if is_users(call.code.co_filename):
            return
        for each in reversed(around):
            if is_users(each.f_code.co_filename):
                call.code, call.name = each.f_code, _name(each.f_code)
                self._open[frame] = (call, _arguments(each), list(each.f_globals.values()))
                return

    def _profile(self, frame: FrameType, event: str, arg: Any) -> None:
        if self._previous is not None:
            self._previous(frame, event, arg)
        if event == "return":
            if frame in self._open or frame in self._around:
                self._left(frame, arg)
        elif event == "call":
            back = frame.f_back
            if back is None:
                return
            if id(back.f_code) in self._test_ids:
                self._called(frame)
            elif back in self._around and frame.f_code.co_name not in _CONSTRUCTORS:
                self._computed(back, str(frame.f_globals.get("__name__", "")), "")
        elif event == "c_call" and frame in self._around:
            module = getattr(arg, "__module__", None) or ""
            self._computed(frame, module, getattr(arg, "__name__", ""))

    def _called(self, frame: FrameType) -> None:
        if frame in self._open or len(self.calls) >= CALLS_KEPT:  # a coroutine goes on
            return
        code = frame.f_code
        call = Call(code, _name(code))
        self.calls.append(call)
        self._open[frame] = (call, _variables(frame), list(frame.f_globals.values()))

    def _left(self, frame: FrameType, value: Any) -> None:
        code = frame.f_code
        if code.co_code[frame.f_lasti] not in _RETURNS:
            if not code.co_flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR):
                self._open.pop(frame, None)  # an exception leaves it
                self._around.pop(frame, None)
            return
        for caller in self._around.pop(frame, ()):
            caller.returned, caller.value = True, value
        if frame in self._open:
            call, reachable, namespace = self._open.pop(frame)
            call.returned, call.value = True, value
            call.is_argument = any(value is each for each in reachable)
            call.is_global = any(value is each for each in namespace)

    def _computed(self, frame: FrameType, module: str, builtin: str) -> None:
        if module.partition(".")[0] in _PLUMBING or builtin in _PLUMBING_BUILTINS:
            return
        for caller in self._around[frame]:
            caller.computed |= caller.weave.ended is not None


def _codes(function: Callable[..., Any] | None) -> list[CodeType]:
    """Return the code of a test's function, and of those that decorators put around it."""
    codes: list[CodeType] = []
    while function is not None and len(codes) < _DEPTH:
        code = getattr(function, "__code__", None)  # of a method, too
        if isinstance(code, CodeType):
            codes.append(code)
        function = getattr(function, "__wrapped__", None)
    return codes


def _name(code: CodeType) -> str:
    return str(getattr(code, "co_qualname", code.co_name))  # since Python 3.11


def _arguments(frame: FrameType) -> list[Any]:
    """Return the values of a function's arguments and closure, after it has begun."""
    code, given = frame.f_code, inspect.getargvalues(frame)
    names = [*given.args, given.varargs, given.keywords, *code.co_freevars]
    return [given.locals[name] for name in names if name in given.locals]


def _variables(frame: FrameType) -> list[Any]:
    """Return the values of a function's variables: when it begins, its arguments and closure."""
    return list(frame.f_locals.values())
