"""The recorded clusters are what a kubectl would print now, and genuine enough to diagnose."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from responder.demo.behaviour import FAULTS as BEHAVIOURS
from responder.demo.clusters import RECORDED_AT, RECORDINGS, Recording, shifted
from responder.demo.faults import FAULTS

NOW = datetime(2031, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)


def test_every_fault_has_a_behaviour_and_a_recording() -> None:
    assert set(FAULTS) == set(BEHAVIOURS) == {folder.name for folder in RECORDINGS.iterdir()}


def test_times_move_with_their_distance_kept() -> None:
    text = '"a": "2019-12-31T23:59:00Z", "b": "2020-01-01T00:00:00.500000Z", "c": "version 2020-01"'
    assert shifted(text, timedelta(days=366)) == (
        '"a": "2020-12-31T23:59:00Z", "b": "2021-01-01T00:00:00.500000Z", "c": "version 2020-01"'
    )


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("state", ["healthy", "faulty", "healed"])
def test_a_told_cluster_lies_in_the_past_of_now(fault: str, state: str, tmp_path: Path) -> None:
    Recording(fault).tell(state, tmp_path, NOW)  # type: ignore[arg-type]
    pods = json.loads((tmp_path / "pods.json").read_text())["items"]
    created = [datetime.fromisoformat(pod["metadata"]["creationTimestamp"]) for pod in pods]
    assert max(created) <= NOW
    assert min(created) > NOW - timedelta(days=42)
    for log in tmp_path.glob("*/*/*.log"):
        for line in log.read_text().splitlines():
            assert NOW - timedelta(minutes=5) < datetime.fromisoformat(line.partition(" ")[0]) <= NOW


@pytest.mark.parametrize("fault", FAULTS)
def test_no_recorded_time_is_left_behind(fault: str, tmp_path: Path) -> None:
    Recording(fault).tell("faulty", tmp_path, NOW)
    for path in tmp_path.rglob("*.*"):
        for year in (RECORDED_AT.year, RECORDED_AT.year - 1):
            assert f"{year}-" not in path.read_text()


@pytest.mark.parametrize("fault", FAULTS)
def test_every_running_container_has_a_log(fault: str) -> None:
    for pod in Recording(fault).objects("faulty", "pods"):
        for status in pod["status"]["containerStatuses"]:
            meta = pod["metadata"]
            log = RECORDINGS / fault / "faulty" / meta["namespace"] / meta["name"] / f"{status['name']}.log"
            assert log.exists() == bool(status.get("containerID"))


@pytest.mark.parametrize("fault", FAULTS)
def test_only_the_faulty_cluster_warns(fault: str) -> None:
    recording = Recording(fault)
    assert not recording.objects("healthy", "events")
    assert any(event["type"] == "Warning" for event in recording.objects("faulty", "events"))
    healed = [*recording.objects("healed", "deployments"), *recording.objects("healed", "statefulsets")]
    assert all(item["status"]["readyReplicas"] == item["spec"]["replicas"] for item in healed)
