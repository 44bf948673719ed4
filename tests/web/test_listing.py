"""The list of incidents: every one of them, page by page; counted in the store; silenced ones look it."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from responder.flow.reports import condensed
from responder.model.incident import TimelineEntry, TimelineKind
from responder.web.formats import ago, brief
from tests.makers import NOW
from tests.servers import Servers, route, servers
from tests.service import PATIENCE, Running, Starter, alert, start_service

__all__ = ["servers", "start_service"]

SEVERITIES = {"critical": "P1", "warning": "P2"}


async def many(service: Running, count: int, **labels: str) -> None:
    """So many incidents, one for each namespace."""
    name = f"Queue{labels.get('severity', '')}"
    await service.post(*(alert(name, namespace=f"shop-{number}", **labels) for number in range(count)))
    await total(service, count, severity=SEVERITIES[labels.get("severity", "critical")])


async def total(service: Running, count: int, **query: str) -> None:
    """Until the store has so many."""
    async with asyncio.timeout(PATIENCE):
        while True:
            async with service.session.get(f"{service.url}/api/v1/incidents", params=query) as answer:
                if answer.headers["X-Total-Count"] == str(count):
                    return
            await asyncio.sleep(0.02)


async def paged(service: Running, **query: Any) -> tuple[list[str], list[int], set[str]]:
    """The ids on all pages, how many were on each, and what was said to be the total."""
    ids, sizes, totals = [], [], set()
    path = "/api/v1/incidents"
    params: dict[str, Any] | None = query
    while path:
        async with service.session.get(f"{service.url}{path}", params=params) as answer:
            assert answer.status == 200, await answer.text()
            page = await answer.json()
            ids += [item["id"] for item in page]
            sizes.append(len(page))
            totals.add(answer.headers.get("X-Total-Count", ""))
            link = re.fullmatch('<(.+)>; rel="next"', answer.headers.get("Link", ""))
            assert (answer.headers["X-More"] == "true") == bool(link)
            path, params = (link.group(1), None) if link else ("", None)
    return ids, sizes, totals


async def test_all_incidents_can_be_paged_through_whether_open_or_over(start_service: Starter) -> None:
    service = await start_service()
    await many(service, 23, severity="warning")
    await many(service, 7, severity="critical")
    over = [alert("Queuecritical", namespace=f"shop-{number}", severity="critical") for number in range(5)]
    await service.post(*({**one, "status": "resolved"} for one in over), status="resolved")
    await total(service, 5, status="resolved")
    ids, sizes, totals = await paged(service, limit=4)
    everything = [item["id"] for item in await service.get("incidents?limit=1000")]
    assert ids == everything
    assert len(set(ids)) == len(ids)
    assert set(sizes[:-1]) == {4}
    assert totals == {str(len(ids))}


async def test_a_text_is_looked_for_on_all_pages(start_service: Starter) -> None:
    service = await start_service()
    await many(service, 12)
    ids, _, _ = await paged(service, limit=2, text="shop-1")
    assert len(ids) == 3


async def test_a_cursor_of_somebody_else_is_refused(start_service: Starter) -> None:
    service = await start_service()
    for cursor in ("nonsense", "b3Blbnw", "b3BlbnxQOXwyMDI2LTAxLTAxfHg="):
        async with service.session.get(f"{service.url}/api/v1/incidents", params={"cursor": cursor}) as answer:
            assert answer.status == 400
            assert "cursor: is none of ours" in await answer.text()


async def test_the_page_counts_what_is_open_not_what_it_shows(start_service: Starter) -> None:
    service = await start_service()
    await many(service, 12)
    async with service.session.get(f"{service.url}/?limit=5") as answer:
        page = await answer.text()
    assert "12 open incidents" in page
    assert page.count('id="incident-') == 5
    link = re.search('href="/([^"]*cursor=[^"]*)"', page)
    assert link
    async with service.session.get(f"{service.url}/{link.group(1).replace('&amp;', '&')}") as answer:
        page = await answer.text()
    assert "12 open incidents" in page
    assert page.count('id="incident-') == 5


def test_what_is_to_come_reads_so() -> None:
    assert ago(NOW + timedelta(minutes=15), NOW) == brief(NOW + timedelta(minutes=15), NOW) == "in 15 min"
    assert ago(NOW - timedelta(minutes=15), NOW) == "15 min ago"


def test_a_line_stands_once_in_the_timeline() -> None:
    def entry(second: int, kind: TimelineKind, text: str) -> TimelineEntry:
        return TimelineEntry(at=datetime(2026, 3, 4, 3, 0, second, tzinfo=UTC), kind=kind, text=text)

    alerts, looked = TimelineKind.ALERT, TimelineKind.INVESTIGATION
    lines = condensed(
        [
            entry(0, alerts, "Fires: A"),
            entry(1, looked, "Investigated: X"),
            entry(2, alerts, "Fires: B"),
            entry(3, looked, "Investigated: X"),
            entry(4, alerts, "Resolved: A"),
            entry(4, alerts, "Resolved: A"),
            entry(5, alerts, "Fires: A"),
        ]
    )
    assert [line.text for line in lines] == [
        "Fires: A",
        "Investigated: X (2 times, last 03:00:03 UTC)",
        "Fires: B",
        "Resolved: A",
        "Fires: A",
    ]


async def test_sources_never_heard_of_are_grey_and_those_in_trouble_stand_on_top(
    start_service: Starter,
) -> None:
    service = await start_service(prometheus={"url": "http://127.0.0.1:9"}, sinks=[{"name": "console", "kind": "log"}])
    page = ""
    for _ in range(200):
        async with service.session.get(service.url) as answer:
            page = await answer.text()
        if 'id="troubles"' in page:
            break
    assert page.index('id="troubles"') < page.index('id="masthead"')
    assert "Prometheus" in page[page.index('id="troubles"') : page.index('id="masthead"')]
    for name in ("webhook", "sink%20console"):
        assert re.search(f'class="source is-unheard" id="source-{name}"', page)
    await many(service, 1)
    await service.incident()
    async with service.session.get(service.url) as answer:
        assert 'class="source is-fine" id="source-webhook"' in await answer.text()


@pytest.mark.integration
async def test_an_incident_is_silenced_and_unsilenced_on_its_page_and_looks_it(
    servers: Servers, start_service: Starter
) -> None:
    webhook = await servers.webhook()
    alertmanager = await servers.alertmanager(route(webhook.url))
    fires = alert("QueueStuck", namespace="shop")
    await alertmanager.post({"labels": fires["labels"], "startsAt": fires["startsAt"]})
    service = await start_service(alertmanager={"url": alertmanager.url, "warm_up": "0s"})
    await service.post(fires)
    incident = await service.incident()
    address = f"{service.url}/incidents/{incident['id']}"
    say = f"{service.url}/api/v1/incidents/{incident['id']}"

    planned = {"reason": "planned", "by": "Ada", "duration": "4h"}

    async def page(url: str) -> str:
        async with service.session.get(url) as answer:
            return await answer.text()

    assert f'action="/api/v1/incidents/{incident["id"]}/silence"' in await page(address)
    async with service.session.post(f"{say}/silence", data=planned) as answer:
        shown = await answer.text()
    assert "state is-silenced" in shown
    assert "by <bdi>Ada</bdi>" in shown
    assert "is-silenced" in await page(service.url)
    async with service.session.post(f"{say}/unsilence", data={"by": "Ada"}) as answer:
        shown = await answer.text()
    assert "Ada ended the silence" in shown
    assert 'id="silenced"' not in shown
    async with service.session.get(f"{alertmanager.url}/api/v2/silences") as answer:
        assert [silence["status"]["state"] for silence in await answer.json()] == ["expired"]
