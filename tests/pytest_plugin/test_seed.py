"""``--wove-http-seed``: random decisions that can be repeated."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.helpers import run_files_apart

DECISIONS = """
    import pytest
    from tests.support import weave_one

    @pytest.mark.parametrize("n", range(4))
    def test_decisions(wove_http_worker, n):
        injection = wove_http_worker.inject("missing-started", probability=0.5)
        for _ in range(12):
            weave_one()
        faults = "".join(str(len(e.faults)) for e in wove_http_worker.exchanges)
        print("DECIDED", n, faults)
"""


def decisions(pytester: pytest.Pytester, *arguments: str) -> list[str]:
    """The decisions of each test of ``project``, in the order of the tests."""
    if "-n" in arguments:
        result = run_files_apart(pytester, "-rP", *arguments)
    else:
        result = pytester.runpytest_inprocess("-rP", "-p", "no:cacheprovider", *arguments)
    result.assert_outcomes(passed=4)
    return sorted({line for line in result.outlines if line.startswith("DECIDED")})


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project whose tests make random decisions."""
    monkeypatch.setenv("PYTHONPATH", str(__file__).rpartition("/tests/")[0])
    pytester.makepyfile(test_drawing=DECISIONS)
    return pytester


def test_the_same_seed_decides_the_same_under_xdist(project: pytest.Pytester) -> None:
    """With one seed two xdist processes make the decisions that one process makes."""
    seed = "--wove-http-seed=7"
    assert decisions(project, seed) == decisions(project, seed, "-n", "2")


def test_another_seed_decides_otherwise(project: pytest.Pytester) -> None:
    """Another seed makes other decisions."""
    one, other = decisions(project, "--wove-http-seed=7"), decisions(project, "--wove-http-seed=8")
    assert one != other
