"""What is observed of one run of a test."""

from __future__ import annotations

from wove_http_dev.survival.observation import Observation, Observer


def test_observation_belongs_to_the_run() -> None:
    """Each observer has an observation of its own."""
    assert isinstance(Observer().observation, Observation)
    assert Observer().observation is not Observer().observation
