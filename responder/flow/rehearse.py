"""Rehearse: a test of a runbook, from its alerts and evidence to what is wrong with the report."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from pathlib import Path

from pydantic import ValidationError

from responder.clients import Clients
from responder.clients.snapshot import SnapshotKubernetes
from responder.clock import StoppedClock
from responder.errors import ConfigError
from responder.flow.once import Once
from responder.model.alert import Alert, AlertStatus, Notification
from responder.model.evidence import Evidence
from responder.model.finding import Finding
from responder.model.labels import fingerprint, meant
from responder.model.report import Report
from responder.model.runbook_test import Expected, ExpectedFinding, GivenAlert, RunbookTest


async def rehearse(test: RunbookTest, folder: Path, once: Once) -> Sequence[str]:
    """What is not as expected; nothing if the test passes. Paths of the test start at the folder.

    Raises ConfigError where the test cannot be run.
    """
    now = test.now or datetime.now(UTC)
    offline = replace(once, clock=StoppedClock(now), clients=lambda name: _clients(test, folder, once.clients(name)))
    if test.recording:
        recorded = _recorded(folder / test.recording)
        assigned = [await offline.again(recorded, _given(test, recorded.runbook, once, now))]
    else:
        alerts = tuple(_alert(alert, now) for alert in test.alerts)
        runbook = once.rulebook.match(meant(alerts[0].labels)).name
        notification = Notification(id=1, received_at=now, alerts=alerts)
        assigned = list(await offline.answer(notification, _given(test, runbook, once, now)))
    if not assigned:
        return ["no incident came of the alerts"]
    others = [f"the alerts make {len(assigned)} incidents, not one"] if len(assigned) > 1 else []
    return [*others, *objections(assigned[0], test.expect)]


def objections(report: Report, expected: Expected) -> Iterator[str]:
    """What is not as expected of a report."""
    if expected.runbook and report.runbook != expected.runbook:
        yield f"the runbook {report.runbook} answers, not {expected.runbook}"
    if expected.severity and report.severity is not expected.severity:
        yield f"the severity is {report.severity.value}, not {expected.severity.value}"
    if expected.findings == () and report.findings:
        yield f"no finding was expected, but there is: {_told(report.findings[0])}"
    for place, (wanted, found) in enumerate(zip_longest(expected.findings or (), report.findings), start=1):
        if wanted is None:
            break
        if found is None:
            yield f"finding {place}, {wanted.cause}, is missing"
        else:
            yield from (f"finding {place}: {text}" for text in _differences(wanted, found))
    for what, patterns, texts in (
        ("cleared", expected.cleared, [item.text for item in report.cleared]),
        ("unseen", expected.unseen, [item.text for item in report.unseen]),
    ):
        yield from (
            f"nothing {what} has {pattern!r}: {texts}" for pattern in patterns if not _somewhere(pattern, texts)
        )
    yield from report.remarks


def _differences(wanted: ExpectedFinding, found: Finding) -> Iterator[str]:
    if found.cause != wanted.cause or (wanted.subject and str(found.subject) != wanted.subject):
        yield f"expected is {wanted.cause} of {wanted.subject or 'anything'}, found was {_told(found)}"
        return
    if wanted.confidence and found.confidence is not wanted.confidence:
        yield f"it is {found.confidence.value}, not {wanted.confidence.value}"
    if not _somewhere(wanted.headline, [found.headline]):
        yield f"the headline has no {wanted.headline!r}: {found.headline}"
    reasons = [because.text for because in found.because]
    yield from (
        f"no reason has {pattern!r}: {reasons}" for pattern in wanted.because if not _somewhere(pattern, reasons)
    )


def _told(finding: Finding) -> str:
    return f"{finding.cause} of {finding.subject} ({finding.confidence.value}): {finding.headline}"


def _somewhere(pattern: str, texts: Sequence[str]) -> bool:
    try:
        return any(re.search(pattern, text) for text in texts)
    except re.error as error:
        raise ConfigError(f"{pattern!r} is no regular expression: {error}") from None


def _clients(test: RunbookTest, folder: Path, real: Clients) -> Clients:
    """Nothing but the snapshot: a test asks no server."""
    if not test.snapshot:
        return Clients(real.cluster, real.http)
    place = folder / test.snapshot
    if not place.is_dir():
        raise ConfigError(f"snapshot: {place} is no directory")
    return Clients(real.cluster, real.http, SnapshotKubernetes("", place))


def _recorded(file: Path) -> Report:
    try:
        return Report.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise ConfigError(f"recording: {file}: {error}") from None


def _alert(given: GivenAlert, now: datetime) -> Alert:
    printed = fingerprint(given.labels)
    return Alert(
        key=printed,
        fingerprint=printed,
        status=AlertStatus.FIRING,
        labels=given.labels,
        annotations=given.annotations,
        starts_at=now - given.since,
    )


def _given(test: RunbookTest, runbook: str, once: Once, now: datetime) -> dict[str, Evidence]:
    steps = {step.id: step for step in once.rulebook.get(runbook).investigate}
    unknown = [name for name in test.evidence if name not in steps]
    if unknown:
        raise ConfigError(f"evidence: {', '.join(unknown)}: the runbook {runbook} has no such step")
    return {
        name: Evidence(
            id=name,
            probe=steps[name].probe,
            title=steps[name].title,
            at=now - timedelta(seconds=1),
            **given.model_dump(),
        )
        for name, given in test.evidence.items()
    }
