"""Which runner the options name."""

from __future__ import annotations

import pytest

from wove_http_dev.errors import UsageError
from wove_http_dev.options import Options
from wove_http_dev.runners.choice import runner_of
from wove_http_dev.runs.runner import ThreadRunner


def test_default() -> None:
    """Without the option, bodies run in threads."""
    assert isinstance(runner_of(Options()), ThreadRunner)


@pytest.mark.parametrize("runner", ["thread", 3, None, []])
def test_wrong_value(runner: object) -> None:
    """A value that is no runner is refused with the possible ones."""
    with pytest.raises(UsageError, match="runner takes threads"):
        Options(runner=runner)
