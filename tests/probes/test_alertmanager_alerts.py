"""`alertmanager.alerts`: what else fires, told in groups."""

import asyncio
import shlex
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from responder.clients import Clients
from responder.clients.alertmanager import connect
from responder.clock import SystemClock
from responder.errors import ConfigError, Permanent
from responder.metrics import Metrics
from responder.model.evidence import Observation
from responder.model.scraping import FiringAlerts
from responder.probes.alertmanager_alerts import AlertmanagerAlerts
from responder.runbooks.matchers import parse
from responder.settings import AlertmanagerSettings
from responder.templating import render
from tests.fakes.clients import FailingHttp, FakeAlertmanager
from tests.makers import alert
from tests.probes.prometheus import inquiry
from tests.servers import Servers, route


def known(name: str, state: str = "active", fingerprint: str = "", **labels: str) -> dict[str, Any]:
    return {
        "labels": {"alertname": name, **labels},
        "annotations": {"summary": f"{name} fires"},
        "startsAt": "2026-03-04T02:00:00Z",
        "status": {"state": state},
        "fingerprint": fingerprint or f"{name}{labels}",
    }


def clients(*alerts: dict[str, Any]) -> Clients:
    return Clients("", FailingHttp(), alertmanager_client=FakeAlertmanager(alerts))


async def ask(*alerts: dict[str, Any], **options: Any) -> Observation:
    return await AlertmanagerAlerts(**options).run(inquiry(), clients(*alerts))


async def test_others_are_counted_and_our_own_left_out() -> None:
    ours = alert().fingerprint
    seen = await ask(
        known("Ours", fingerprint=ours),
        known("Crash", namespace="shop", severity="critical", pod="a"),
        known("Crash", namespace="shop", severity="critical", pod="b"),
        known("Slow", namespace="shop"),
        known("Quiet", "suppressed"),
    )
    assert seen.summary == "3 other alerts active (Crash ×2, Slow ×1); 1 suppressed"
    assert seen.facts[0] == "Crash (critical) in shop: 2 active, since 2026-03-04 02:00 UTC"
    assert seen.value == 3
    assert isinstance(seen.data, FiringAlerts)
    assert seen.data.own == 1


async def test_nothing_else_is_an_answer() -> None:
    seen = await ask()
    assert (seen.summary, seen.empty, seen.value) == ("nothing else fires", True, 0)


async def test_an_answer_that_is_none_is_trouble() -> None:
    with pytest.raises(Permanent, match="as it should"):
        await ask({"labels": {}})


def test_a_label_stays_inside_its_matcher() -> None:
    source = {"matchers": ['namespace="{{ labels.namespace }}"', 'pod=~"{{ labels.pod }}.*"']}
    options = render(AlertmanagerAlerts, source, {"labels": {"namespace": 'a",b="c', "pod": "x.y"}})
    assert options["matchers"] == ['namespace="a\\",b=\\"c"', 'pod=~"x\\\\.y.*"']
    with pytest.raises(ConfigError):
        render(AlertmanagerAlerts, {"matchers": ["namespace={{ labels.n }}"]}, {"labels": {"n": "a,b=c"}})


def test_the_command_survives_a_shell() -> None:
    probe = AlertmanagerAlerts(matchers=("a='; rm -rf /'",))
    shown = probe.reproduce(inquiry(), clients())
    assert shlex.split(shown[0].command)[-1] == "a='; rm -rf /'"


@pytest.mark.integration
async def test_a_real_alertmanager_tells_active_and_silenced(servers: Servers) -> None:
    server = await servers.alertmanager(route("http://127.0.0.1:9/"))
    ends = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    await server.post(
        {"labels": {"alertname": "Crash", "namespace": 'od"d', "pod": "a"}, "endsAt": ends},
        {"labels": {"alertname": "Crash", "namespace": 'od"d', "pod": "b"}, "endsAt": ends},
        {"labels": {"alertname": "Quiet", "namespace": 'od"d'}, "endsAt": ends},
        {"labels": {"alertname": "Elsewhere", "namespace": "other"}, "endsAt": ends},
    )
    await server.silence(alertname="Quiet")
    source = {"matchers": ['namespace="{{ labels.namespace }}"']}
    probe = AlertmanagerAlerts.model_validate(render(AlertmanagerAlerts, source, {"labels": {"namespace": 'od"d'}}))
    async with aiohttp.ClientSession() as session:
        settings = AlertmanagerSettings(url=server.url, warm_up="0s")
        client = connect(settings, session, Metrics(), SystemClock())
        assert client is not None
        asked = Clients("", FailingHttp(), alertmanager_client=client)
        async with asyncio.timeout(20):
            while True:
                seen = await probe.run(inquiry(), asked)
                assert isinstance(seen.data, FiringAlerts)
                if seen.data.active == 2 and seen.data.suppressed == 1:
                    break
                await asyncio.sleep(0.2)
        await client.close()
    assert [group.name for group in seen.data.groups] == ["Crash", "Quiet"]


@given(st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=30))
def test_any_label_is_one_value_of_one_matcher(label: str) -> None:
    options = render(AlertmanagerAlerts, {"matchers": ['a="{{ labels.x }}"']}, {"labels": {"x": label}})
    (matcher,) = parse(options["matchers"][0]).matchers
    assert matcher.matches({"a": label})
    assert not matcher.matches({"a": f"{label}x"})
