"""The rules that ship pass their own tests, and each has some."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from responder import detectors, plugins, probes, settings
from responder.cli._once import investigating
from responder.flow.rehearse import rehearse
from responder.model.runbook_test import RunbookTest
from responder.probes import Probe
from responder.runbooks.loading import load, load_tests, shipped

TESTS = load_tests([shipped()])
WITHOUT_TESTS = {"watchdog"}
"""Its silence is a matter of folding, not of a diagnosis."""


def _by_file() -> Mapping[Path, list[RunbookTest]]:
    found: dict[Path, list[RunbookTest]] = {}
    for given, file in TESTS:
        found.setdefault(file, []).append(given)
    return found


@pytest.mark.parametrize(
    ("file", "tests"), _by_file().items(), ids=[str(file.relative_to(shipped() / "tests")) for file in _by_file()]
)
async def test_the_runbook_finds_what_its_tests_expect(file: Path, tests: list[RunbookTest]) -> None:
    async with investigating(settings.load(None)) as once:
        wrong = {given.metadata.name: await rehearse(given, file.parent, once) for given in tests}
    assert not {name: said for name, said in wrong.items() if said}


def test_every_runbook_is_tested_with_evidence_and_with_trouble() -> None:
    catalog = plugins.load(probes, Probe, "probe", dotted=True)  # type: ignore[type-abstract]
    book = load([shipped()], catalog, detectors.load())
    for name in book.runbooks.keys() - WITHOUT_TESTS:
        tests = [test for test, _ in TESTS if book.match(test.alerts[0].labels).name == name]
        assert any(test.expect.findings for test in tests), f"{name} has no test that fires"
        assert any(test.expect.unseen for test in tests), f"{name} has no test with trouble"
