"""Another system than the one whose recorded faults we know: other names, languages, middleware, logs."""

import pytest

from responder import detectors
from responder.model.finding import Confidence
from tests.insurer.doctor import examine
from tests.insurer.faults import Fault, faults
from tests.insurer.system import Style, System, healthy

STYLES = {
    "env": Style(),
    "secret": Style(prefix="", suffix="", namespace="prod", shared_port=False, settings="secret"),
    "map": Style(prefix="app-", suffix="", namespace="core", settings="config-map", headless_database=True),
    "young": Style(prefix="svc-", suffix="", namespace="stage", settings="secret", age=4),
}
CAUSES = detectors.load().causes
_WELL: dict[str, System] = {}


def well(style: str) -> System:
    if style not in _WELL:
        _WELL[style] = healthy(STYLES[style])
    return _WELL[style].copy()


@pytest.mark.parametrize("style", STYLES)
async def test_nothing_is_found_where_nothing_is_wrong(style: str) -> None:
    answer = await examine(well(style))
    assert [(item.cause, str(item.subject), item.confidence, item.headline) for item in answer.findings] == []
    assert answer.report.remarks == ()
    assert answer.asked <= 40


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("fault", faults(), ids=str)
async def test_the_cause_is_named_first(fault: Fault, style: str) -> None:
    system = well(style)
    fault.do(system, system.style.name(fault.core))
    answer = await examine(system, given=fault.given(system) if fault.given else None)
    told = [(item.cause, str(item.subject)) for item in answer.findings]
    assert told[:1] == [(fault.cause, fault.expected(system))], [item.headline for item in answer.findings]
    suffering = {told[0][1], *map(str, answer.findings[0].suffering)}
    wrong = [
        item for item in answer.findings if item.confidence is Confidence.CERTAIN and str(item.subject) not in suffering
    ]
    assert [item.headline for item in wrong if told[0][0] not in CAUSES[item.cause].symptom_of] == []
    assert answer.report.remarks == ()
    assert answer.asked <= 40
