"""Another system than the one whose recorded faults we know: other names, languages, middleware, logs."""

from itertools import chain, cycle

import pytest

from responder import detectors
from responder.errors import Permanent, Reason
from responder.model.finding import Confidence
from tests.insurer.doctor import Answer, examine
from tests.insurer.fault import Fault
from tests.insurer.faults import faults
from tests.insurer.healthy import healthy
from tests.insurer.system import Style, System

STYLES = {
    "env": Style(),
    "secret": Style(prefix="", suffix="", namespace="prod", shared_port=False, settings="secret"),
    "map": Style(prefix="app-", suffix="", namespace="core", settings="config-map", headless_database=True),
    "young": Style(prefix="svc-", suffix="", namespace="stage", settings="secret", age=4),
    "rolling": Style(prefix="x-", suffix="", namespace="roll", rolling=True, settings="secret"),
    "mesh": Style(prefix="", suffix="-svc", namespace="mesh", mesh=True, own_databases=True),
}
DENIED = (
    ("events",),
    ("services", "endpoints"),
    ("configmaps", "secrets"),
    ("nodes", "persistentvolumes", "storageclasses.storage.k8s.io"),
    ("replicasets.apps", "deployments.apps"),
)
CAUSES = detectors.load().causes
_WELL: dict[str, System] = {}


def well(style: str) -> System:
    if style not in _WELL:
        _WELL[style] = healthy(STYLES[style])
    return _WELL[style].copy()


def matrix() -> list[tuple[Fault, str]]:
    """Every fault as the first style has it, and in one of the others in turn."""
    others = cycle(list(STYLES)[1:])
    return list(chain.from_iterable(((fault, "env"), (fault, next(others))) for fault in faults()))


def certainly_wrong(answer: Answer, fault: Fault, expected: str) -> list[str]:
    """What is said to be certain of objects that have nothing to do with the fault."""
    told = answer.findings[0] if answer.findings else None
    right = {expected, *(map(str, told.suffering) if told else ())}
    return [
        item.headline
        for item in answer.findings
        if item.confidence is Confidence.CERTAIN
        and str(item.subject) not in right
        and fault.cause not in CAUSES[item.cause].symptom_of
    ]


@pytest.mark.parametrize("style", STYLES)
async def test_nothing_is_found_where_nothing_is_wrong(style: str) -> None:
    answer = await examine(well(style))
    assert [(item.cause, str(item.subject), item.confidence, item.headline) for item in answer.findings] == []
    assert answer.report.remarks == ()
    assert answer.asked <= 40


@pytest.mark.parametrize("denied", DENIED, ids=" ".join)
async def test_nothing_is_made_up_where_little_may_be_seen(denied: tuple[str, ...]) -> None:
    troubles = {resource: Permanent(f"{resource} is forbidden", Reason.FORBIDDEN) for resource in denied}
    answer = await examine(well("env"), troubles=troubles)
    assert [(item.cause, str(item.subject), item.headline) for item in answer.findings] == []
    assert answer.report.remarks == ()


@pytest.mark.parametrize(("fault", "style"), matrix(), ids=str)
async def test_the_cause_is_named_first(fault: Fault, style: str) -> None:
    system = well(style)
    fault.do(system, system.style.name(fault.core))
    answer = await examine(system, given=fault.given(system) if fault.given else None)
    expected = fault.expected(system)
    told = [(item.cause, str(item.subject)) for item in answer.findings]
    assert told[:1] == [(fault.cause, expected)], [item.headline for item in answer.findings]
    assert certainly_wrong(answer, fault, expected) == []
    assert answer.report.remarks == ()
    assert answer.asked <= 40


@pytest.mark.parametrize(("fault", "denied"), list(zip(faults(), cycle(DENIED), strict=False)), ids=str)
async def test_what_may_not_be_seen_leads_to_no_certainty_that_is_wrong(fault: Fault, denied: tuple[str, ...]) -> None:
    system = well("env")
    fault.do(system, system.style.name(fault.core))
    troubles = {resource: Permanent(f"{resource} is forbidden", Reason.FORBIDDEN) for resource in denied}
    answer = await examine(system, given=fault.given(system) if fault.given else None, troubles=troubles)
    assert certainly_wrong(answer, fault, fault.expected(system)) == []
    assert answer.report.remarks == ()
