"""The rules that ship pass their own tests, and each has some."""

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


@pytest.mark.parametrize(("given", "file"), TESTS, ids=[test.metadata.name for test, _ in TESTS])
async def test_the_runbook_finds_what_its_test_expects(given: RunbookTest, file: Path) -> None:
    async with investigating(settings.load(None)) as once:
        assert await rehearse(given, file.parent, once) == []


def test_every_runbook_is_tested_with_evidence_and_with_trouble() -> None:
    catalog = plugins.load(probes, Probe, "probe", dotted=True)  # type: ignore[type-abstract]
    book = load([shipped()], catalog, detectors.load())
    for name in book.runbooks.keys() - WITHOUT_TESTS:
        tests = [test for test, _ in TESTS if book.match(test.alerts[0].labels).name == name]
        assert any(test.expect.findings for test in tests), f"{name} has no test that fires"
        assert any(test.expect.unseen for test in tests), f"{name} has no test with trouble"
