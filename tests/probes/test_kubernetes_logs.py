"""What `kubernetes.logs` keeps of the lines, and how it tells of them."""

from typing import Any

import pytest

from responder import probes
from responder.clients import Clients
from responder.model.evidence import Logs, Observation
from responder.model.subject import Target
from responder.plugins import load
from responder.probes import Inquiry, Probe
from tests.fakes.clients import FailingHttp, FakeKubernetes
from tests.makers import NOW, alert

CATALOG = load(probes, Probe, "probe", dotted=True)
POD = {
    "kind": "Pod",
    "metadata": {"name": "export-1", "namespace": "shop"},
    "spec": {"nodeName": "one", "containers": [{"name": "main"}]},
    "status": {"phase": "Running", "containerStatuses": [{"name": "main", "ready": True, "restartCount": 0}]},
}


async def asked(text: str, **options: Any) -> Observation:
    """What is seen in the log of a pod."""
    clients = Clients("", FailingHttp(), FakeKubernetes([POD], {"export-1/main": text}))
    inquiry = Inquiry(Target(namespace="shop"), (alert(),), NOW, NOW)
    return await CATALOG.build("kubernetes.logs", options).run(inquiry, clients)


@pytest.mark.parametrize("line", ["INFO tokens=401", "INFO exported 403 events, SIEM answered 200"])
async def test_a_bare_number_is_no_status(line: str) -> None:
    assert (await asked(line, statuses=[401, 403])).empty


async def test_lines_with_a_status_and_those_that_match_are_kept() -> None:
    seen = await asked("INFO a\nERROR SIEM answered 401\nERROR token is expired", statuses=[401], grep="expired")
    assert isinstance(seen.data, Logs)
    assert seen.data.logs[0].lines == ("ERROR SIEM answered 401", "ERROR token is expired")


async def test_a_headline_gets_the_line_and_no_expression() -> None:
    seen = await asked("2026-01-01T00:00:01Z \x1b[31mERROR\x1b[0m token is expired", grep=r"(?i)\btoken\b.*expired")
    assert seen.brief == "“ERROR token is expired”"
    assert "(?i)" not in seen.summary
    assert seen.summary.startswith("1 line of what was looked for in 1 log")
