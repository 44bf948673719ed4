"""What GitHub, GitLab and Jira issues share: when there is one, how it follows its incident, how it is found again."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from responder.errors import Temporary
from responder.flow.buttons import Addresses
from responder.flow.message import compose
from responder.model.incident import IncidentStatus, Severity
from responder.model.message import Message
from responder.signing import Signer
from responder.sinks._issue_markdown import GAP, body, escaped, neutral
from responder.sinks._tickets import Filed
from tests.fakes.sinks import Fake, find
from tests.fakes.sinks._issues import faults, title_faults
from tests.makers import NOW
from tests.sinks.medium import Keeper, medium
from tests.sinks.reports import announced, diagnosed

ADDRESSES = Addresses("https://responder.example", Signer("key"))


@pytest.fixture(params=["github", "gitlab", "jira"])
async def fake(request: pytest.FixtureRequest) -> AsyncIterator[Fake]:
    async with find(request.param)() as running:
        yield running
    assert running.complaints == []


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def message(revision: int = 1, **fields: Any) -> Message:
    return compose(diagnosed(revision=revision, **fields), addresses=ADDRESSES)


def resolved() -> Message:
    return message(status=IncidentStatus.RESOLVED, resolved_at=NOW)


async def told(fake: Fake, http: aiohttp.ClientSession, *messages: Message, receipt: str = "", **options: Any) -> str:
    for one in messages:
        receipt = await fake.sink(**options).deliver(one, receipt, medium(http))
    return receipt


async def test_a_ticket_is_opened_with_the_finding_and_closed_at_the_end(
    fake: Fake, http: aiohttp.ClientSession
) -> None:
    first = compose(announced())
    assert await told(fake, http, first, when=["diagnosed"]) == ""
    receipt = await told(fake, http, message(), when=["diagnosed"])
    [ticket] = fake.things()
    assert ticket.open
    assert not ticket.replies
    assert "roll back to revision 41" in ticket.text
    await told(fake, http, resolved(), receipt=receipt, when=["diagnosed"])
    [ticket] = fake.things()
    assert not ticket.open
    assert "resolved after" in ticket.replies[0]


async def test_a_finding_is_told_to_those_who_watch(fake: Fake, http: aiohttp.ClientSession) -> None:
    await told(fake, http, compose(announced()), message(), message(revision=9))
    [ticket] = fake.things()
    assert len(ticket.replies) == 1
    assert "api-gateway is killed" in ticket.replies[0]


async def test_the_same_news_are_no_request(fake: Fake, http: aiohttp.ClientSession) -> None:
    receipt = await told(fake, http, message())
    before = fake.requests
    assert await told(fake, http, message(), receipt=receipt) == receipt
    assert fake.requests == before


async def test_a_ticket_opened_when_all_was_over_stays_open(fake: Fake, http: aiohttp.ClientSession) -> None:
    receipt = await told(fake, http, resolved(), when=["resolved"])
    assert fake.things()[0].open
    await told(fake, http, message(headline="again"), resolved(), receipt=receipt, when=["resolved"])
    assert [ticket.open for ticket in fake.things()] == [True]


async def test_tickets_need_not_be_closed(fake: Fake, http: aiohttp.ClientSession) -> None:
    await told(fake, http, message(), resolved(), close=False)
    [ticket] = fake.things()
    assert ticket.open
    assert len(ticket.replies) == 1


async def test_an_incident_that_comes_back_reopens_its_ticket(fake: Fake, http: aiohttp.ClientSession) -> None:
    await told(fake, http, message(), resolved(), message(headline="it is back"))
    [ticket] = fake.things()
    assert ticket.open
    assert "it is back" in ticket.text


async def test_only_severities_that_are_wanted_get_one(fake: Fake, http: aiohttp.ClientSession) -> None:
    await told(fake, http, message(severity=Severity.P2), severities=["P0", "P1"])
    assert fake.things() == []


@pytest.mark.parametrize("mode", ["broken after", "hang after"])
async def test_a_ticket_of_which_nobody_heard_is_found_and_closed(
    fake: Fake, http: aiohttp.ClientSession, mode: Any
) -> None:
    fake.mode = mode
    with pytest.raises(Temporary):
        await fake.sink(when=["diagnosed"]).deliver(message(), "", medium(http))
    fake.mode = "ok"
    await fake.sink(when=["diagnosed"]).deliver(resolved(), "", medium(http, doubtful=True))
    assert [ticket.open for ticket in fake.things()] == [False]


async def test_tickets_of_other_incidents_are_not_taken_for_it(fake: Fake, http: aiohttp.ClientSession) -> None:
    await told(fake, http, message())
    other = message().model_copy(update={"key": "other"})
    await fake.sink().deliver(other, "", medium(http, doubtful=True))
    assert len(fake.things()) == 2


async def test_a_comment_that_failed_comes_with_the_next_try(fake: Fake, http: aiohttp.ClientSession) -> None:
    keeper = Keeper()
    receipt = await told(fake, http, message())
    fake.mode = "broken after"
    with pytest.raises(Temporary):
        await fake.sink().deliver(resolved(), receipt, medium(http, keeper=keeper))
    fake.mode = "ok"
    await told(fake, http, resolved(), receipt=receipt)
    assert len(fake.things()[0].replies) == 1


@pytest.mark.parametrize("receipt", ["x", "1 2 3", "../9 open a b", "1 burning a b", "1/x open a b"])
def test_receipts_that_are_none_are_not_taken_for_paths(receipt: str) -> None:
    assert Filed.read(receipt) is None


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet=st.one_of(st.sampled_from("@#!~%$&[]()*_`<>|\\-+=./: 1aGH\n"), st.characters()), max_size=60))
def test_any_text_is_text_in_an_issue(text: str) -> None:
    written = body(message().model_copy(update={"headline": text, "cause": text}), "0" * 16, 65_536)
    assert faults(written) == []
    assert not title_faults(neutral(f"x {text}"), 10_000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fixes #1", f"fixes \\#{GAP}1"),
        ("@ada and @ bob", f"@{GAP}ada and @ bob"),
        ("/close", "\\/close"),
        ("1. x", "1\\. x"),
        ("# x", "\\# x"),
        ("<b>&amp;", f"&lt;b&gt;&amp;{GAP}amp;"),
        ("a\n/close", "a /close"),
        ("GH-7", f"GH-{GAP}7"),
        ("see http://x", f"see http:{GAP}//x"),
        ("80 % of 5", "80 % of 5"),
        ("```", "\\`\\`\\`"),
        ("", ""),
    ],
)
def test_signs_are_escaped(text: str, expected: str) -> None:
    assert escaped(text) == expected


@pytest.mark.parametrize("text", ["@ada", "#1", "*b*", "/close", "<b>", "[a](http://x)", "```x```", "> q", "    code"])
def test_the_fakes_see_what_is_more_than_text(text: str) -> None:
    assert faults(text, commented=True) or faults(f"{text}\n", commented=True)


@pytest.mark.parametrize("most", [600, 2000, 65_536])
def test_a_body_has_as_many_lines_as_fit_and_always_links_and_mark(most: int) -> None:
    long = message().model_copy(update={"cause": "*" * (most // 4)})
    written = body(long, "0" * 16, most)
    assert len(written) <= most
    assert written.endswith("<!-- responder:0000000000000000 -->")
    assert "[Incident](<http://responder.example/incidents/4f2a>)" in written
