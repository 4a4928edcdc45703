"""The arguments of ``HttpWorker(...)`` that are not options."""

from __future__ import annotations

from typing import Any

import pytest

from wove_http_dev.errors import UsageError
from wove_http_dev.worker import HttpWorker


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ca": "x"}, "ca takes a wove_http_dev.CertificateAuthority, not str"),
        ({"label": 3}, "label takes text, not int"),
        ({"seed": "x"}, "seed takes a whole number, not str"),
        ({"seed": True}, "seed takes a whole number, not bool"),
        ({"limits": 3}, "limits takes wove_http_dev.Limits(…), not int"),
        ({"before_run": 3}, "before_run takes a function without arguments, not int"),
        ({"before_run": 3, "isolated": True}, "before_run takes a function without arguments"),
    ],
    ids=repr,
)
def test_what_is_no_argument(arguments: Any, message: str) -> None:
    """An argument of a wrong type is a usage error when the worker is made."""
    with pytest.raises(UsageError) as caught:
        HttpWorker(**arguments)
    assert str(caught.value).startswith(message)
