"""``doctor``'s checks of time limits, retries and other settings: configurations that are wrong in
one way. ``test_doctor.py`` has the right one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.explain.conftest import Diagnose, MakeSettings
from tests.explain.helpers import LEFT_OUT, TASK, Source


def only(diagnosis: Any, check: str) -> str:
    """The text of ``check``, which is the only problem."""
    ((name, text),) = diagnosis.problems.items()
    assert name == check
    return str(text)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (LEFT_OUT, "for ever"),
        (None, "for ever"),
        (0, "above 0, not 0"),
        (-1, "above 0"),
        (True, "above 0, not True"),
        ("soon", "a number of seconds"),
        (Source("float('nan')"), "above 0"),
        (Source("float('inf')"), "above 0"),
    ],
)
def test_timeout(diagnose: Diagnose, settings: MakeSettings, value: Any, words: str) -> None:
    """A timeout that is missing, or with which no request succeeds, is one problem."""
    assert words in only(diagnose(settings(config={"timeout": value})), "timeout")


def test_timeout_beside_executor_config(diagnose: Diagnose, settings: MakeSettings) -> None:
    """A timeout at the wrong place is explained."""
    done = diagnose(settings(config={"timeout": None}, own={"timeout": 5.0}))
    assert "is that of a task" in done.problems["timeout"]


@pytest.mark.parametrize("value", [5, 5.5, "5"])
def test_right_timeout(diagnose: Diagnose, settings: MakeSettings, value: Any) -> None:
    """A number of seconds is right, also as text: Wove calls ``float`` with it."""
    assert diagnose(settings(config={"timeout": value})).status == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shared": {"delivery_timeout": LEFT_OUT}}, "for ever"),
        (
            {"shared": {"delivery_timeout": LEFT_OUT}, "own": {"delivery_timeout": 9.0}},
            "Wove ignores the environment's delivery_timeout",
        ),
        ({"shared": {"delivery_timeout": "9"}}, "not '9'"),
        ({"shared": {"delivery_timeout": 0}}, "above 0, not 0"),
        ({"shared": {"delivery_timeout": 2.0}}, "2 s, and timeout is 5 s"),
    ],
)
def test_delivery_timeout(
    diagnose: Diagnose, settings: MakeSettings, changes: dict[str, Any], words: str
) -> None:
    """A delivery timeout that is missing, ignored, unusable or too short is one problem."""
    assert words in only(diagnose(settings(**changes)), "delivery-timeout")


@pytest.mark.parametrize(
    ("shared", "weave", "task"),
    [
        ({"default_environment": "workers"}, "", ""),
        ({}, "environment='workers'", ""),
    ],
    ids=["default", "weave"],
)
def test_delivery_timeout_of_the_environment(
    diagnose: Diagnose, settings: MakeSettings, shared: dict[str, Any], weave: str, task: str
) -> None:
    """The environment's own is right where it is the default one, or weaves name it."""
    done = diagnose(
        settings(
            shared={**shared, "delivery_timeout": LEFT_OUT},
            own={"delivery_timeout": 9.0},
            rest=TASK.format(weave=weave, task=task),
        )
    )
    assert done.findings["delivery-timeout"] == ("ok", "9 s")


def test_delivery_timeout_of_each_task(diagnose: Diagnose, settings: MakeSettings) -> None:
    """No common one is needed where each task in the source has its own."""
    task = TASK.format(weave="", task="environment='workers', delivery_timeout=seconds")
    done = diagnose(settings(shared={"delivery_timeout": LEFT_OUT}, rest=task))
    assert done.status == 0


UNSET = (
    "None here (Wove refuses every task that is not mapped if it is set; give it to mapped tasks)"
)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("max_workers", 0, "a whole number above 0"),
        ("max_workers", "4", "a whole number above 0"),
        ("retries", "1", "a whole number, 0 or more"),
        ("retries", -1, "a whole number, 0 or more"),
        ("retries", 1.0, "a whole number, 0 or more"),
        ("timeout", 0, "a number of seconds above 0"),
        ("workers", 4, UNSET),
        ("limit_per_minute", 60, UNSET),
        ("max_pending", "100", "a whole number above 0"),
        ("delivery_max_in_flight", 0, "a whole number above 0 (else it is no limit)"),
        ("delivery_max_in_flight", "8", "a whole number above 0 (else it is no limit)"),
    ],
)
def test_settings(
    diagnose: Diagnose, settings: MakeSettings, name: str, value: Any, words: str
) -> None:
    """A value that Wove stores, and with which every task fails, is one problem."""
    text = only(diagnose(settings(shared={name: value})), "settings")
    assert text == f"{name} must be {words}, not {value!r}"


@pytest.mark.parametrize(
    ("name", "value"), [("error_mode", "retun"), ("delivery_cancel_mode", None)]
)
def test_settings_of_the_default_environment(
    diagnose: Diagnose, settings: MakeSettings, name: str, value: Any
) -> None:
    """So is one that Wove checks only where it is given for all environments."""
    done = diagnose(settings(own={name: value}, shared={"default_environment": "workers"}))
    assert only(done, "settings").startswith(name)


def test_settings_in_force(diagnose: Diagnose, settings: MakeSettings) -> None:
    """Settings of an environment that only tasks name are one problem."""
    done = diagnose(settings(own={"retries": 2, "delivery_max_in_flight": 8}))
    text = only(done, "settings-in-force")
    assert "ignores retries, delivery_max_in_flight of this environment" in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shared": {"delivery_heartbeat_seconds": 5.0}}, "(wove.config)"),
        ({"own": {"delivery_heartbeat_seconds": 5.0}}, "(the environment)"),
        (
            {
                "rest": TASK.format(
                    weave="", task="environment='workers', delivery_heartbeat_seconds=5"
                )
            },
            "(settings.py:7)",
        ),
    ],
    ids=["shared", "own", "task"],
)
def test_heartbeat(
    diagnose: Diagnose, settings: MakeSettings, changes: dict[str, Any], words: str
) -> None:
    """A heartbeat over http is one problem, wherever it is written."""
    assert words in only(diagnose(settings(**changes)), "heartbeat")


def test_idempotency_key(diagnose: Diagnose, settings: MakeSettings) -> None:
    """One key for all tasks is a problem."""
    done = diagnose(settings(shared={"delivery_idempotency_key": "reports"}))
    assert "'reports' for every task" in only(done, "idempotency-key")


@pytest.mark.parametrize("key", ["{", "{}", "{0}", "report-{item"])
def test_unusable_idempotency_key(diagnose: Diagnose, settings: MakeSettings, key: str) -> None:
    """A text that ``str.format_map`` refuses is a problem."""
    done = diagnose(settings(shared={"delivery_idempotency_key": key}))
    assert "braces hold the name of an argument" in only(done, "idempotency-key")


@pytest.mark.parametrize(
    "key", ["report-{item}", "{{{item.id!r:>9}}}", Source("lambda args: str(args)")]
)
def test_right_idempotency_key(diagnose: Diagnose, settings: MakeSettings, key: Any) -> None:
    """A key that is made of the task's arguments is right."""
    assert diagnose(settings(shared={"delivery_idempotency_key": key})).status == 0
