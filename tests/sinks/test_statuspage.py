"""Statuspage: nothing without public words, nothing until told to, nothing twice."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from pydantic import ValidationError

from responder.errors import Permanent, Reason, Temporary
from responder.flow.message import compose
from responder.model.communication import PublicUpdate
from responder.model.incident import Severity
from responder.model.message import Message
from responder.sinks._public import public_words, read
from responder.sinks.statuspage import Statuspage
from tests.fakes.sinks.statuspage import Fake
from tests.makers import NOW
from tests.sinks.flapping import deliver_all
from tests.sinks.medium import medium
from tests.sinks.reports import diagnosed


@pytest.fixture
async def page() -> AsyncIterator[Fake]:
    async with Fake() as running:
        yield running
    assert running.complaints == []


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def told(state: Any = "investigating", body: str = "We look into it.", **fields: Any) -> Message:
    public = PublicUpdate(state=state, title="Messages are late", body=body, at=NOW)
    return compose(diagnosed()).model_copy(update={"public": public, **fields})


async def test_nothing_is_sent_without_words_for_the_public(page: Fake, http: aiohttp.ClientSession) -> None:
    assert await page.sink().deliver(compose(diagnosed()), "", medium(http)) == ""
    assert page.asked == []


async def test_without_leave_to_publish_there_is_only_a_draft(page: Fake, http: aiohttp.ClientSession) -> None:
    sink = page.sink(publish=False)
    receipt = await sink.deliver(told(), "", medium(http, doubtful=True))
    assert page.asked == []
    draft = read(receipt).draft
    assert draft is not None
    assert draft.body == "We look into it."
    assert "draft" in str(sink.preview(told()).blocks)
    published = await page.sink().deliver(told(), receipt, medium(http))
    assert read(published).draft is None
    assert len(page.incidents) == 1


async def test_nothing_of_ours_gets_out(page: Fake, http: aiohttp.ClientSession) -> None:
    message = told()
    await page.sink().deliver(message, "", medium(http))
    sent = str(page.incidents)
    for secret in (message.key, message.headline, message.url, message.place, "OOM"):
        assert secret not in sent


async def test_an_incident_goes_on_to_its_end_and_its_postmortem(page: Fake, http: aiohttp.ClientSession) -> None:
    sink, receipt = page.sink(components=({"id": "c1"},)), ""
    steps = (("investigating", "a"), ("identified", "b"), ("monitoring", "c"), ("resolved", "d"), ("postmortem", "e"))
    for state, body in steps:
        receipt = await sink.deliver(told(state, body), receipt, medium(http))
    (one,) = page.incidents.values()
    assert one["updates"] == ["a", "b", "c", "d"]
    assert one["status"] == "resolved"
    assert one["postmortem"] == {"body": "e", "published": False}
    assert page.components == {"c1": "operational", "c2": "operational"}
    asked = len(page.asked)
    assert await sink.deliver(told("postmortem", "e"), receipt, medium(http)) == receipt
    assert len(page.asked) == asked


async def test_a_postmortem_is_published_when_told_to_and_after_the_end(
    page: Fake, http: aiohttp.ClientSession
) -> None:
    sink = page.sink(publish_postmortem=True, deliver_notifications=False)
    receipt = await sink.deliver(told("monitoring"), "", medium(http))
    await sink.deliver(told("postmortem", "why"), receipt, medium(http))
    (one,) = page.incidents.values()
    assert one["status"] == "resolved"
    assert one["postmortem"] == {"body": "why", "published": True, "notified": False}


async def test_a_postmortem_of_what_was_never_on_the_page_stays_a_draft(
    page: Fake, http: aiohttp.ClientSession
) -> None:
    receipt = await page.sink().deliver(told("postmortem"), "", medium(http))
    assert read(receipt).draft is not None
    assert page.asked == []


@pytest.mark.parametrize(
    ("severity", "impact", "component"),
    [
        (Severity.P0, "critical", "major_outage"),
        (Severity.P1, "major", "partial_outage"),
        (Severity.P2, "minor", "degraded_performance"),
        (Severity.P3, "none", "degraded_performance"),
    ],
)
async def test_severity_says_how_bad_it_is(
    page: Fake, http: aiohttp.ClientSession, severity: Severity, impact: str, component: str
) -> None:
    sink = page.sink(components=({"id": "c1"}, {"id": "c2", "status": "under_maintenance"}))
    await sink.deliver(told(severity=severity), "", medium(http))
    assert page.incidents["inc1"]["impact_override"] == impact
    assert page.components == {"c1": component, "c2": "under_maintenance"}


async def test_only_the_components_of_these_alerts_are_affected(page: Fake, http: aiohttp.ClientSession) -> None:
    wanted = ({"id": "c1", "labels": {"team": "shop"}}, {"id": "c2", "labels": {"team": "chat"}})
    await page.sink(components=wanted).deliver(told(labels={"team": "shop", "x": "y"}), "", medium(http))
    assert page.components == {"c1": "partial_outage", "c2": "operational"}


async def test_subscribers_are_told_only_if_wanted(page: Fake, http: aiohttp.ClientSession) -> None:
    await page.sink(deliver_notifications=False).deliver(told(), "", medium(http))
    assert page.incidents["inc1"]["deliver_notifications"] is False


@pytest.mark.parametrize("state", ["investigating", "resolved"])
async def test_after_a_crash_ours_is_found_and_told_once(page: Fake, http: aiohttp.ClientSession, state: str) -> None:
    sink = page.sink()
    receipt = await sink.deliver(told(state), "", medium(http))
    assert await sink.deliver(told(state), "", medium(http, doubtful=True)) == receipt
    await sink.deliver(told("identified", "again"), receipt, medium(http))
    again = await sink.deliver(told("identified", "again"), receipt, medium(http, doubtful=True))
    assert page.incidents["inc1"]["updates"] == ["We look into it.", "again"]
    assert read(again).id == "inc1"


async def test_through_a_flapping_service_the_public_reads_each_update_once(
    page: Fake, http: aiohttp.ClientSession
) -> None:
    bodies = [f"update {number}" for number in range(50)]
    tries = await deliver_all(page, page.sink(), [told("identified", body) for body in bodies], http)
    assert tries > len(bodies)
    assert page.incidents["inc1"]["updates"] == bodies


async def test_what_somebody_deleted_is_not_published_again(page: Fake, http: aiohttp.ClientSession) -> None:
    receipt = await page.sink().deliver(told(), "", medium(http))
    page.incidents.clear()
    with pytest.raises(Permanent, match="deleted") as caught:
        await page.sink().deliver(told("identified"), receipt, medium(http))
    assert caught.value.reason is Reason.NOT_FOUND
    assert page.incidents == {}


async def test_the_limit_has_its_own_status_and_a_pause(page: Fake, http: aiohttp.ClientSession) -> None:
    page.mode = "too many requests"
    with pytest.raises(Temporary) as caught:
        await page.sink().deliver(told(), "", medium(http))
    assert (caught.value.reason, caught.value.after) == (Reason.OVERLOADED, 60.0)


@pytest.mark.parametrize(("title", "body"), [(254, 24_999), (255, 25_000), (256, 25_001)])
def test_words_are_cut_at_the_limit(title: int, body: int) -> None:
    words = public_words(PublicUpdate(state="resolved", title="t" * title, body="b" * body, at=NOW))
    assert (len(words.title), len(words.body)) == (min(title, 255), min(body, 25_000))
    assert words.title.endswith("…") == (title > 255)


def test_markup_and_steering_characters_are_taken_out() -> None:
    given = PublicUpdate(state="resolved", title="<b>\u202ea\n\0", body="<script>🔥 شبكة", at=NOW)
    assert public_words(given).title == "\u2039b\u203aa"
    assert public_words(given).body == "\u2039script\u203a🔥 شبكة"


@pytest.mark.parametrize(
    "options",
    [
        {"publish": True},
        {"page_id": "a/b"},
        {"url": "ftp://x"},
        {"components": [{"id": "../x"}]},
        {"components": [{"id": "c", "status": "operational"}]},
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Statuspage(**{"name": "page", "page_id": "p", **options})
