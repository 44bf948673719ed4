"""One suite over every sink there is, found as the program finds them, each against the strict fake of its service."""

import html
import inspect
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from responder import plugins, sinks
from responder.errors import Permanent, Reason, Temporary, Trouble
from responder.flow.buttons import Addresses
from responder.flow.message import compose
from responder.flow.sample import stages
from responder.model.communication import PublicUpdate
from responder.model.finding import Because, Cleared, Coverage, Unseen
from responder.model.incident import IncidentStatus, Severity, TrackedAlert
from responder.model.message import Member, Message
from responder.model.report import Advice, Report, without_cause
from responder.signing import Signer
from responder.sinks import Call, Sink
from tests.fakes.sinks import Fake, Mode, find
from tests.makers import NOW
from tests.sinks.medium import Keeper, medium
from tests.sinks.reports import announced, diagnosed, finding, tracked

CATALOG = plugins.load(sinks, Sink, "sink")
LOCAL: dict[str, dict[str, Any]] = {"log": {}, "status_file": {"folder": "unused"}}
"""Sinks without a service, with options for them."""
REMOTE = [kind for kind in CATALOG.kinds if kind not in LOCAL]
ADDRESSES = Addresses("https://responder.example", Signer("key"))
PUBLIC = "requests to the shop may fail"
"""What the sample tells the public, in place of `OOMKilled`."""
HOSTILE = (
    "*bold* _it_ ~s~ `c` ```f``` <!channel> <@U1> @here @everyone @channel @all <users/all> | [a](http://evil.example) "
    "<script>alert(1)</script> &amp; {{DATE(1)}} <at>x</at> $(reboot) ${jndi:ldap://x} /close #1 ~x"
)
RIGHT_TO_LEFT = "شبكة متأخرة 🔥 \u202egnp.exe\u202c ‎ e\u0301 \u0000\u0007 🏳️\u200d🌈"


@pytest.fixture(params=REMOTE)
async def fake(request: pytest.FixtureRequest) -> AsyncIterator[Fake]:
    """The service of one kind of sink; it must have had nothing to complain of in the end."""
    async with find(request.param)() as running:
        yield running
    assert running.complaints == []


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def composed(report: Report) -> Message:
    """The message; for the public it says the same, so that what strangers write gets there too."""
    best = report.findings[0].explanation if report.findings else ""
    state: Any = "resolved" if report.status is IncidentStatus.RESOLVED else "investigating"
    public = PublicUpdate(state=state, title=report.headline, body=best, at=report.updated_at)
    return compose(report, addresses=ADDRESSES).model_copy(update={"public": public})


def storm(count: int = 5, more: int = 495) -> Message:
    """A message about many incidents."""
    members = tuple(
        Member(
            severity=Severity.P1,
            status=IncidentStatus.FIRING,
            place=f"shop-{number}",
            headline=f"service {number} is down {HOSTILE if number == 0 else ''}",
            url=f"https://responder.example/incidents/{number}",
        )
        for number in range(count)
    )
    base = composed(diagnosed()).model_copy(
        update={"report": None, "pictures": (), "buttons": (), "key": "storm-1", "digest": f"storm {count} {more}"}
    )
    return base.model_copy(update={"headline": "500 incidents at once", "members": members, "more_members": more})


SAID = ("orders and invoices wait", "12000 messages in orders", "queue: invoices, orders", "QueueBacklog ×2")
"""The rule's words, the labels that differ, and how many alerts there are."""
RUNBOOK = "https://responder.example/wiki/q%7C1%20a"
TITLE = "Killed for using more memory than its limit"


def queues() -> tuple[TrackedAlert, ...]:
    """Two alerts of one rule."""
    annotations = {
        "summary": "orders and invoices wait",
        "description": "12000 messages in orders",
        "runbook": "https://responder.example/wiki/q|1 a",
    }
    return tuple(
        tracked("QueueBacklog", number=number).model_copy(
            update={"labels": {"alertname": "QueueBacklog", "queue": queue}, "annotations": annotations}
        )
        for number, queue in enumerate(("orders", "invoices"))
    )


def in_the_dark() -> Report:
    """An incident about which nothing could be asked."""
    verdict = without_cause(Coverage(asked=7, failed=7, why="its certificate is not accepted"))
    finished = diagnosed().investigation
    return announced(headline=f"QueueBacklog: {verdict}", alerts=queues(), investigation=finished)


def largest() -> Report:
    """A report in which everything is as large as it can be."""
    long = "sehr lange Wörter 🔥 " * 200
    return diagnosed(
        headline=long,
        title=long,
        findings=(
            finding(
                headline=long,
                explanation=long,
                because=tuple(Because(text=f"{number} {long}", evidence=("pods",)) for number in range(30)),
                next_steps=tuple(f"{number} {long}" for number in range(30)),
            ),
        ),
        cleared=tuple(Cleared(text=f"{number} {long}") for number in range(30)),
        unseen=tuple(Unseen(text=f"{number} {long}") for number in range(30)),
        advice=(Advice(when="immediate", steps=tuple(f"{number} {long}" for number in range(30))),),
        alerts=tuple(tracked(f"Alert{number}{'x' * 300}", number=number) for number in range(300)),
    )


@contextmanager
def suppress_trouble(reasons: set[Reason]) -> Iterator[None]:
    """Trouble is fine, if it is one of these."""
    try:
        yield
    except Trouble as caught:
        if caught.reason not in reasons:
            raise


async def trouble(sink: Sink, message: Message, http: aiohttp.ClientSession) -> Trouble:
    with pytest.raises(Trouble) as caught:
        await sink.deliver(message, "", medium(http))
    return caught.value


@pytest.mark.parametrize("kind", CATALOG.kinds)
def test_says_what_it_does_in_its_docstring(kind: str) -> None:
    plugin = CATALOG.find(kind)
    assert inspect.getdoc(plugin)
    assert plugin.__doc__ != Sink.__doc__
    undescribed = [name for name, option in plugin.model_fields.items() if not option.description]
    assert undescribed == [], "each option has a description"


async def test_an_incident_is_shown_from_the_first_word_to_its_end(fake: Fake, http: aiohttp.ClientSession) -> None:
    sink, receipt = fake.sink(), ""
    messages = stages(NOW, ADDRESSES)
    shown = (
        [messages["announced"], messages["diagnosed"], messages["resolved"]]
        if sink.edits
        else [
            messages["diagnosed"],
            messages["resolved"],
        ]
    )
    for message in shown:
        receipt = await sink.deliver(message, receipt, medium(http))
    things = fake.things()
    assert len(things) == (1 if sink.edits else 2)
    assert (PUBLIC if fake.public else "OOMKilled") in "".join(thing.text for thing in things)
    assert not things[-1].open


async def test_the_same_state_twice_shows_nothing_twice(fake: Fake, http: aiohttp.ClientSession) -> None:
    sink, message = fake.sink(), stages(NOW, ADDRESSES)["diagnosed"]
    receipt = await sink.deliver(message, "", medium(http))
    await sink.deliver(message, receipt, medium(http))
    assert len(fake.things()) <= (1 if sink.edits else 2)


async def test_two_incidents_are_two_things(fake: Fake, http: aiohttp.ClientSession) -> None:
    sink = fake.sink()
    receipts = [
        await sink.deliver(stages(NOW, ADDRESSES, key)["diagnosed"], "", medium(http)) for key in ("one", "two")
    ]
    assert len(fake.things()) == 2
    assert len(set(receipts)) == 2


@pytest.mark.parametrize(
    "text", [HOSTILE, RIGHT_TO_LEFT, "a\nb\r\n- c\t| d", " "], ids=["markup", "unicode", "lines", "blank"]
)
async def test_what_strangers_write_is_text_and_nothing_else(
    fake: Fake, http: aiohttp.ClientSession, text: str
) -> None:
    hostile = finding(headline=text, explanation=text, because=(Because(text=text),), next_steps=(text, f"/{text}"))
    report = diagnosed(
        headline=text, title=text, findings=(hostile,), alerts=(tracked(text),), unseen=(Unseen(text=text),)
    )
    await fake.sink().deliver(composed(report), "", medium(http))
    assert len(fake.things()) == 1


async def test_the_largest_message_is_within_the_limits(fake: Fake, http: aiohttp.ClientSession) -> None:
    sink = fake.sink()
    receipt = await sink.deliver(composed(largest()), "", medium(http))
    await sink.deliver(composed(announced()), receipt, medium(http))
    assert fake.things()


async def test_an_incident_without_anything_is_shown(fake: Fake, http: aiohttp.ClientSession) -> None:
    await fake.sink().deliver(composed(announced(alerts=(), headline="?", title="")), "", medium(http))
    assert len(fake.things()) == 1


async def test_the_rules_words_which_thing_how_many_and_the_causes_title_are_shown(
    fake: Fake, http: aiohttp.ClientSession
) -> None:
    sink = fake.sink()
    if fake.public or sink.kind == "webhook":
        pytest.skip("what alerts say is not for the public, and a webhook gets the alerts as they are")
    found = finding(title=TITLE, because=(), explanation="", next_steps=())
    message = composed(diagnosed(alerts=queues(), findings=(found,), cleared=(), unseen=(), advice=()))
    await sink.deliver(message, "", medium(http))
    (thing,) = fake.things()
    shown = unbroken("\n".join([thing.text, *thing.replies]))
    assert [part for part in (*SAID, TITLE) if part not in shown] == []
    assert RUNBOOK in unbroken(sink.preview(message).payload)


async def test_what_could_not_be_investigated_is_said_to_be_so(fake: Fake, http: aiohttp.ClientSession) -> None:
    if fake.public:
        pytest.skip("the public is told what a person lets out")
    await fake.sink().deliver(composed(in_the_dark()), "", medium(http))
    for thing in fake.things():
        shown = unbroken(thing.text)
        assert "could not investigate: 7 of 7 checks failed (its certificate is not accepted)" in shown
        assert "no cause found" not in shown


def unbroken(text: str) -> str:
    """Without what a medium's markup puts into it."""
    return html.unescape(re.sub(r"[\\\u200b\u2060]", "", text))


TROUBLES: dict[Mode, tuple[type[Trouble], set[Reason]]] = {
    "too many requests": (Temporary, {Reason.OVERLOADED}),
    "broken": (Temporary, {Reason.SERVER_ERROR}),
    "hang": (Temporary, {Reason.TIMEOUT}),
    "unauthorized": (Permanent, {Reason.UNAUTHORIZED, Reason.FORBIDDEN}),
}


@pytest.mark.parametrize("mode", TROUBLES)
async def test_trouble_says_whether_trying_again_helps_and_tells_no_secret(
    fake: Fake, http: aiohttp.ClientSession, mode: Mode
) -> None:
    fake.mode = mode
    caught = await trouble(fake.sink(), composed(diagnosed()), http)
    kind, reasons = TROUBLES[mode]
    assert isinstance(caught, kind)
    assert caught.reason in reasons
    if mode == "too many requests":
        assert isinstance(caught, Temporary)
        assert caught.after is not None
        assert caught.after >= 0.5
    for secret in fake.secrets:
        assert secret not in str(caught)


async def test_an_answer_that_is_none_is_trouble_where_one_was_needed(fake: Fake, http: aiohttp.ClientSession) -> None:
    fake.mode = "malformed"
    reasons = {Reason.BAD_ANSWER, Reason.BAD_REQUEST, Reason.SERVER_ERROR}
    with suppress_trouble(reasons):
        await fake.sink().deliver(composed(diagnosed()), "", medium(http))


@pytest.mark.parametrize("mode", ["broken after", "hang after", "reset after"])
async def test_what_was_done_though_nobody_heard_is_not_done_twice(
    fake: Fake, http: aiohttp.ClientSession, mode: Mode
) -> None:
    """Where a service can neither take a key nor be searched, one duplicate is possible: its page says so."""
    message, keeper = composed(diagnosed()), Keeper()
    fake.mode = mode
    with pytest.raises(Temporary):
        await fake.sink().deliver(message, "", medium(http, keeper=keeper))
    fake.mode = "ok"
    sink, known = fake.sink(), keeper.receipts[-1] if keeper.receipts else ""
    receipt = await sink.deliver(message, known, medium(http, doubtful=True))
    await sink.deliver(message, receipt, medium(http))
    assert 1 <= len(fake.things()) <= (1 if fake.exactly_once else 3)


async def test_charts_are_shown(fake: Fake, http: aiohttp.ClientSession) -> None:
    if not fake.shows_pictures:
        pytest.skip("the medium shows no pictures")
    await fake.sink().deliver(stages(NOW, ADDRESSES)["diagnosed"], "", medium(http))
    assert fake.things()[0].pictures >= 1


async def test_a_storm_is_one_message(fake: Fake, http: aiohttp.ClientSession) -> None:
    sink = fake.sink()
    if not sink.gathers:
        pytest.skip("each incident is a thing of its own there")
    receipt = await sink.deliver(storm(), "", medium(http))
    assert "500 incidents" in fake.things()[0].text
    if sink.edits:
        await sink.deliver(storm(3, 300), receipt, medium(http))
        assert len(fake.things()) == 1


@pytest.mark.parametrize("kind", CATALOG.kinds)
def test_the_preview_is_what_would_be_sent_and_needs_nobody(kind: str) -> None:
    sink = CATALOG.kinds[kind](name="x", **LOCAL[kind]) if kind in LOCAL else _configured(kind)
    for message in stages(NOW, ADDRESSES).values():
        preview = sink.preview(message)
        assert preview.payload
        assert preview.blocks
        for secret in _secrets(kind):
            assert secret not in preview.model_dump_json()
    public = kind == "status_file" if kind in LOCAL else find(kind).public
    said = PUBLIC if public else "OOMKilled"
    assert said in sink.preview(stages(NOW, ADDRESSES)["diagnosed"]).payload


async def test_who_calls_back_has_to_prove_it(fake: Fake) -> None:
    with pytest.raises(Permanent) as caught:
        await fake.sink().hear(Call({}, b'{"who": "knows"}', NOW + timedelta(seconds=1)))
    assert caught.value.reason in (Reason.NOT_FOUND, Reason.UNAUTHORIZED, Reason.BAD_REQUEST)


def _configured(kind: str) -> Sink:
    class Unreachable(find(kind)):  # type: ignore[misc]
        url = "http://127.0.0.1:9"

    sink: Any = Unreachable().sink()
    assert isinstance(sink, Sink)
    return sink


def _secrets(kind: str) -> tuple[str, ...]:
    if kind in LOCAL:
        return ()

    class Unreachable(find(kind)):  # type: ignore[misc]
        url = "http://127.0.0.1:9"

    return tuple(Unreachable().secrets)
