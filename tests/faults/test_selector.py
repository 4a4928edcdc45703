"""Which requests an injection selects."""

from __future__ import annotations

from typing import Any

import pytest
from wove.context import WoveContextManager

from tests.faults.helpers import OnCancel, OnReply, OnRun, body
from tests.support import run_frame
from wove_http_dev.errors import UsageError
from wove_http_dev.faults import FAULTS
from wove_http_dev.faults.fault import Fault
from wove_http_dev.faults.selector import Selector
from wove_http_dev.protocol.claim import Claim


def selected(fault: Fault, data: bytes, **selector: Any) -> bool:
    """Whether ``fault`` hits the request with the body ``data``."""
    return Selector(**selector).mismatch(Claim(data), [fault]) is None


class TestMatching:
    """Which requests match."""

    @pytest.mark.parametrize(
        ("selector", "hit"),
        [
            ({}, True),
            ({"task": "task"}, True),
            ({"task": "t*"}, True),
            ({"task": "other"}, False),
            ({"task": "Task"}, False),
            ({"command": "run_task"}, True),
            ({"command": "cancel_task"}, False),
            ({"task": "task", "command": "cancel_task"}, False),
        ],
    )
    def test_selector(self, selector: dict[str, Any], hit: bool) -> None:
        """A request must match the task and the command."""
        assert selected(OnReply(), body(), **selector) is hit

    @pytest.mark.parametrize(
        ("fault", "kind", "hit"),
        [
            (OnRun(), "run_task", True),
            (OnRun(), "cancel_task", False),
            (OnCancel(), "cancel_task", True),
            (OnCancel(), "run_task", False),
            (OnReply(), "cancel_task", True),
        ],
    )
    def test_command_of_the_fault(self, fault: Fault, kind: str, hit: bool) -> None:
        """A fault without ``command=`` hits only the command that its class names."""
        assert selected(fault, body(kind)) is hit

    def test_command_overrides(self) -> None:
        """``command=`` replaces the command that the fault's class names."""
        assert selected(OnRun(), body("cancel_task"), command="cancel_task")

    @pytest.mark.parametrize("junk", [b"", b"\xff", b"[]", b"{}"])
    def test_junk_is_hit_by_a_fault_for_every_command(self, junk: bytes) -> None:
        """A body that is not a frame is hit by a fault that acts on every request."""
        assert selected(OnReply(), junk)

    @pytest.mark.parametrize("junk", [b"", b"\xff", b"[]", b"{}"])
    @pytest.mark.parametrize("selector", [{"task": "*"}, {"command": "run_task"}])
    def test_junk_is_hit_by_nothing_else(self, junk: bytes, selector: dict[str, Any]) -> None:
        """A body that is not a frame is not hit by a fault for certain frames."""
        assert not selected(OnReply(), junk, **selector)

    @pytest.mark.parametrize("initial_values", [True, False])
    def test_initial_values(self, initial_values: bool) -> None:
        """Wove's own initial values are hit only with ``initial_values=True``."""
        data = run_frame(WoveContextManager()._tasks["data"]["func"], task="data")
        assert selected(OnRun(), data, initial_values=initial_values) is initial_values


class TestUsageErrors:
    """Invalid selector words."""

    @pytest.mark.parametrize(
        ("word", "value"),
        [
            ("task", ""),
            ("task", 3),
            ("command", "run"),
            ("command", ""),
            ("times", 0),
            ("times", -1),
            ("times", 1.5),
            ("times", "1"),
            ("after", -1),
            ("after", 0.5),
            ("after", None),
            ("probability", -0.1),
            ("probability", 1.1),
            ("probability", float("nan")),
            ("probability", "often"),
            ("probability", None),
            ("initial_values", 1),
        ],
    )
    def test_value(self, word: str, value: Any) -> None:
        """An invalid value is a usage error that names its word."""
        with pytest.raises(UsageError, match=word):
            Selector(**{word: value})

    @pytest.mark.parametrize("seed", ["x", 1.5, True])
    def test_seed(self, seed: Any) -> None:
        """A seed that is not a whole number is a usage error."""
        with pytest.raises(UsageError, match="seed takes a whole number, or none"):
            Selector(seed=seed)

    def test_negative_seed(self) -> None:
        """A seed may be negative."""
        assert Selector(seed=-1).seed == -1


class TestSuiting:
    """Selections that can never match are refused."""

    @pytest.mark.parametrize(
        ("name", "command"),
        [
            ("hang", "cancel_task"),
            ("slow-cancel", "run_task"),
            ("missing-terminal", "cancel_task"),
        ],
    )
    def test_another_command(self, name: str, command: str) -> None:
        """A fault for runs cannot select a cancel_task, nor a fault for cancels a run."""
        with pytest.raises(UsageError, match=f"{name} does nothing to a {command}"):
            Selector(command=command).check_suits([FAULTS[name]()])

    @pytest.mark.parametrize("command", ["run_task", "cancel_task"])
    @pytest.mark.parametrize("name", ["slow-response", "status", "reject-auth"])
    def test_either_command(self, name: str, command: str) -> None:
        """A fault that acts on both commands may be restricted to either."""
        selector = Selector(command=command)
        selector.check_suits([FAULTS[name]()])
        assert selector.command == command
