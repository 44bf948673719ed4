"""Annotations: where they go, when they end, and how ours is found again."""

import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import ValidationError

from responder.errors import Permanent, Reason, Temporary
from responder.flow.buttons import Addresses
from responder.flow.message import compose
from responder.flow.sample import stages
from responder.model.message import Link, Message
from responder.signing import Signer
from responder.sinks._html import short_html
from responder.sinks.grafana_annotations import GrafanaAnnotations
from tests.fakes.sinks.grafana_annotations import Fake
from tests.makers import NOW
from tests.sinks.flapping import deliver_all
from tests.sinks.medium import medium
from tests.sinks.reports import announced, diagnosed, tracked

ADDRESSES = Addresses("https://responder.example", Signer("key"))
STAGES = stages(NOW, ADDRESSES)


@pytest.fixture
async def grafana() -> AsyncIterator[Fake]:
    async with Fake() as running:
        yield running
    assert running.complaints == []


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def annotated(**annotations: str) -> Message:
    alert = tracked().model_copy(update={"annotations": annotations})
    return compose(diagnosed(alerts=(alert,)), addresses=ADDRESSES)


async def test_a_region_begins_with_the_alert_and_ends_with_it(grafana: Fake, http: aiohttp.ClientSession) -> None:
    sink = grafana.sink()
    receipt = await sink.deliver(STAGES["announced"], "", medium(http))
    (one,) = grafana.annotations.values()
    assert one["time"] == int((NOW - timedelta(minutes=4)).timestamp() * 1000)
    assert one["timeEnd"] == int((NOW + timedelta(days=7)).timestamp() * 1000)
    assert await sink.deliver(STAGES["resolved"], receipt, medium(http)) == receipt
    assert one["timeEnd"] == int(NOW.timestamp() * 1000)
    assert grafana.asked == ["POST /api/annotations", "PATCH /api/annotations/1"]


async def test_tags_say_what_it_is_and_one_of_them_is_its_own(grafana: Fake, http: aiohttp.ClientSession) -> None:
    await grafana.sink(tags=("env:prod", "oncall")).deliver(STAGES["diagnosed"], "", medium(http))
    (one,) = grafana.annotations.values()
    own, *rest = one["tags"]
    assert own.startswith("responder:")
    assert rest == ["severity:P1", "runbook:sample", "cause:container-oom-killed", "env:prod", "oncall"]


async def test_tags_are_within_the_limit_and_the_own_one_is_always_there(
    grafana: Fake, http: aiohttp.ClientSession
) -> None:
    more = tuple(f"k{number}:{'ä' * 20}" for number in range(30))
    report = diagnosed(runbook="r" * 99)
    await grafana.sink(tags=more).deliver(compose(report), "", medium(http))
    (one,) = grafana.annotations.values()
    assert len(json.dumps(one["tags"], separators=(",", ":"))) <= 500
    assert one["tags"][2] == f"runbook:{'r' * 99}"
    assert len(one["tags"]) > 4


@pytest.mark.parametrize("tag", ["responder:x", "severity", "", ":x", "a\nb", "k" * 101, f"k:{'v' * 101}"])
def test_a_tag_that_grafana_would_misread_is_refused(tag: str) -> None:
    with pytest.raises(ValidationError):
        GrafanaAnnotations(name="x", url="http://grafana.example", tags=(tag,))


@pytest.mark.parametrize(
    "annotations",
    [
        {"__dashboardUid__": "shop", "__panelId__": "7"},
        {"dashboard_uid": "shop", "panel_id": "7"},
    ],
)
async def test_the_alert_names_dashboard_and_panel(
    grafana: Fake, http: aiohttp.ClientSession, annotations: dict[str, str]
) -> None:
    grafana.dashboards = {"shop": [7], "other": [7]}
    await grafana.sink(dashboard_uid="other").deliver(annotated(**annotations), "", medium(http))
    (one,) = grafana.annotations.values()
    assert (one["dashboardUID"], one["panelId"]) == ("shop", 7)


async def test_the_options_name_them_where_the_alert_does_not(grafana: Fake, http: aiohttp.ClientSession) -> None:
    grafana.dashboards = {"shop": [7]}
    await grafana.sink(dashboard_uid="shop", panel_id=7).deliver(annotated(), "", medium(http))
    (one,) = grafana.annotations.values()
    assert (one["dashboardUID"], one["panelId"]) == ("shop", 7)


@pytest.mark.parametrize("refuses", [True, False])
async def test_a_dashboard_that_is_not_there_makes_it_one_of_the_organisation(
    grafana: Fake, http: aiohttp.ClientSession, refuses: bool
) -> None:
    grafana.refuses_unknown = refuses
    await grafana.sink(dashboard_uid="gone").deliver(annotated(), "", medium(http))
    (one,) = grafana.annotations.values()
    assert one["dashboardUID"] == ""


async def test_a_panel_that_is_not_there_makes_it_one_of_the_whole_dashboard(
    grafana: Fake, http: aiohttp.ClientSession
) -> None:
    grafana.dashboards = {"shop": [7]}
    await grafana.sink(dashboard_uid="shop", panel_id=8).deliver(annotated(), "", medium(http))
    (one,) = grafana.annotations.values()
    assert (one["dashboardUID"], one["panelId"]) == ("shop", 0)


@pytest.mark.parametrize("uid", ["../../admin", "a/b", "x?y=1", "ä", "", "u" * 41])
async def test_what_is_no_uid_never_gets_into_a_path(grafana: Fake, http: aiohttp.ClientSession, uid: str) -> None:
    await grafana.sink().deliver(annotated(__dashboardUid__=uid, __panelId__="\uff11"), "", medium(http))
    assert grafana.asked == ["POST /api/annotations"]


async def test_after_a_crash_ours_is_found_among_others(grafana: Fake, http: aiohttp.ClientSession) -> None:
    sink = grafana.sink()
    messages = [stages(NOW, ADDRESSES, key)["diagnosed"] for key in ("one", "two", "three")]
    receipts = [await sink.deliver(message, "", medium(http)) for message in messages]
    assert await sink.deliver(messages[1], "", medium(http, doubtful=True)) == receipts[1]
    assert len(grafana.annotations) == 3


async def test_through_a_flapping_service_there_is_one_annotation_with_the_final_state(
    grafana: Fake, http: aiohttp.ClientSession
) -> None:
    messages = [compose(diagnosed(headline=f"state {number}.")) for number in range(50)]
    tries = await deliver_all(grafana, grafana.sink(), messages, http)
    assert tries > len(messages)
    (one,) = grafana.annotations.values()
    assert "state 49." in one["text"]


async def test_one_that_somebody_deleted_is_made_again(grafana: Fake, http: aiohttp.ClientSession) -> None:
    sink = grafana.sink()
    receipt = await sink.deliver(STAGES["announced"], "", medium(http))
    grafana.annotations.clear()
    await sink.deliver(STAGES["diagnosed"], receipt, medium(http))
    assert len(grafana.annotations) == 1


async def test_the_address_may_have_a_sub_path_and_the_token_be_in_a_file(
    grafana: Fake, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("glsa_0123456789abcdef\n")
    sink = GrafanaAnnotations(name="x", url=f"{grafana.url}/grafana/", token_file=tmp_path / "token", org_id=3)
    with pytest.raises(Permanent) as caught:
        await sink.deliver(STAGES["diagnosed"], "", medium(http))
    assert caught.value.reason is Reason.NOT_FOUND
    assert grafana.asked == ["POST /grafana/api/annotations"]
    grafana.complaints.clear()
    (tmp_path / "token").write_text("\n")
    with pytest.raises(Permanent) as caught:
        await sink.deliver(STAGES["diagnosed"], "", medium(http))
    assert caught.value.reason is Reason.NOT_CONFIGURED


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        ({"message": "Access denied", "accessErrorId": "ACE1"}, Permanent, Reason.FORBIDDEN),
        ({"message": "bad request data"}, Permanent, Reason.BAD_REQUEST),
        ({"message": "Failed to save annotation"}, Temporary, Reason.SERVER_ERROR),
    ],
)
async def test_what_grafana_refuses_is_told_in_its_words(
    grafana: Fake,
    http: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
    answer: dict[str, str],
    kind: type[Exception],
    reason: Reason,
) -> None:
    status = {Reason.FORBIDDEN: 403, Reason.BAD_REQUEST: 400, Reason.SERVER_ERROR: 500}[reason]

    async def refused(*_: Any) -> aiohttp.web.Response:
        return aiohttp.web.json_response(answer, status=status)

    monkeypatch.setattr(grafana, "answer", refused)
    with pytest.raises(kind, match=answer["message"]) as caught:
        await grafana.sink().deliver(STAGES["diagnosed"], "", medium(http))
    assert getattr(caught.value, "reason", None) is reason


def test_the_text_fits_and_no_entity_is_cut() -> None:
    report = diagnosed(headline="<&>\"'" * 200)
    lines = tuple(Link(title=f"<{number}>", url=f"https://x.example/?a={number}&b=1") for number in range(9))
    message = compose(report, addresses=ADDRESSES).model_copy(update={"links": lines})
    message = message.model_copy(update={"alerts": tuple("&" * 400 for _ in range(12))})
    for most in range(4000, 4040):
        text = short_html(message, most)
        assert len(text) <= most
        assert text.endswith("</a>")
        assert re.findall(r"&(?!(?:amp|lt|gt|quot|#x27);)", text) == []
    assert "https://x.example/?a=0&amp;b=1" in short_html(message, 4000)


def test_addresses_that_are_none_are_no_links() -> None:
    message = compose(announced()).model_copy(update={"links": (Link(title="x", url="javascript:alert(1)"),)})
    assert "javascript" not in short_html(message, 4000)
