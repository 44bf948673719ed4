"""The development half is answered as well as it was, and the exam is in order."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.exam.build import PACKED, build
from tests.exam.description import HALVES, descriptions
from tests.exam.play import moved, player
from tests.exam.scoring import share_right

RIGHT_AT_LEAST = 0.6
HEALTHY_ACCUSED_AT_MOST = 0
"""What holds today; both are to get better, never worse."""


async def test_the_first_answer_to_the_development_half_is_right_and_never_wrong_and_certain() -> None:
    async with player() as one:
        results = await one.play_described(descriptions("development"))
    assert not [result.case for result in results if result.wrong_and_certain]
    assert len([result.case for result in results if result.accuses_the_healthy]) <= HEALTHY_ACCUSED_AT_MOST
    assert share_right(results) >= RIGHT_AT_LEAST, {result.case: result.verdict for result in results}


@pytest.mark.parametrize("half", HALVES)
def test_odd_cases_are_for_development_even_ones_are_held_and_each_names_its_source(half: str) -> None:
    cases = descriptions(half)
    assert cases
    assert {case.number % 2 for case in cases} == {int(half == "development")}
    assert len({case.number for case in cases}) == len(cases)
    for case in cases:
        assert case.source.startswith("https://"), case.name
        assert bool(case.truth.get("accept")) is not bool(case.truth.get("nothing")), case.name


def test_what_is_built_hangs_together_as_a_server_would_have_it(tmp_path: Path) -> None:
    for case in descriptions("development"):
        build(case, tmp_path / case.name, datetime.now(UTC))
        objects = [
            item
            for file in (tmp_path / case.name / "snapshot").glob("*.json")
            for item in json.loads(file.read_text())["items"]
        ]
        uids = [item["metadata"]["uid"] for item in objects]
        assert len(set(uids)) == len(uids)
        owners = [owner["uid"] for item in objects for owner in item["metadata"].get("ownerReferences", ())]
        assert set(owners) <= set(uids), case.name
        pods = {item["metadata"]["uid"] for item in objects if item["kind"] == "Pod"}
        involved = {item["involvedObject"]["uid"] for item in objects if item["kind"] == "Event"}
        assert involved & pods, case.name


def test_a_packed_case_is_moved_to_the_present(tmp_path: Path) -> None:
    build(descriptions("development")[0], tmp_path, PACKED)
    moved(tmp_path, now := datetime.now(UTC).replace(microsecond=0))
    alert = json.loads((tmp_path / "alert.json").read_text())
    assert (now - datetime.fromisoformat(alert["startsAt"])).total_seconds() == 15 * 60
