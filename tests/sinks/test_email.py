"""Mail: who gets it, how it hangs together, and what can be in it."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from email import message_from_bytes, policy
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Any, cast

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from responder.errors import Permanent, Reason, Temporary, Trouble
from responder.flow.buttons import Addresses
from responder.flow.message import compose
from responder.flow.sample import stages
from responder.model.incident import Severity
from responder.model.message import Message, Picture
from responder.signing import Signer
from responder.sinks import Medium
from responder.sinks._email_message import PICTURES, Drawn, fitting, mail, message_id, page, short_domain, subject
from responder.sinks._email_transport import Server, judge
from responder.sinks.email import Email
from tests.fakes.sinks.email import PASSWORD, Fake, body
from tests.makers import NOW
from tests.sinks.flapping import deliver_all
from tests.sinks.medium import PNG, Keeper, medium
from tests.sinks.reports import diagnosed, finding

ADDRESSES = Addresses("https://responder.example", Signer("key"))
STAGES = stages(NOW, ADDRESSES)
GIVEN: dict[str, Any] = {"name": "mail", "host": "mail.example", "sender": "r@example.org", "to": ["a@example.org"]}


@pytest.fixture
async def server() -> AsyncIterator[Fake]:
    async with Fake() as running:
        yield running
    assert running.complaints == []


def nothing(*, keeper: Keeper | None = None, doubtful: bool = False) -> Medium:
    return medium(cast(aiohttp.ClientSession, None), keeper=keeper, doubtful=doubtful)


def made(message: Message, **options: Any) -> EmailMessage:
    sender = Address("Responder", addr_spec="responder@example.org")
    number = message_id(message, "", sender.domain)
    title = options.pop("title", subject(message))
    given = {"sender": sender, "to": [sender], "now": NOW, "title": title, **options}
    parsed = message_from_bytes(bytes(mail(message, number, **given)), policy=policy.default)
    return cast(EmailMessage, parsed)


async def test_all_mails_of_an_incident_are_one_conversation(server: Fake) -> None:
    sink, receipt = server.sink(), ""
    for message in STAGES.values():
        receipt = await sink.deliver(message, receipt, nothing())
    first, second, third = server.mails.values()
    verdict = "Sample: checkout is killed for using more memory than its limit of 512Mi (OOMKilled), 3 of 5 pods · shop"
    assert [str(one["Subject"]) for one in (first, second, third)] == [
        "P1 firing: Sample: SampleAlert on deployment/checkout: looking into it · shop",
        f"P1 firing: {verdict}",
        f"P1 resolved: {verdict}",
    ]
    root = str(first["References"])
    assert str(second["References"]).split() == [root, first["Message-ID"]]
    assert str(third["References"]).split() == [root, second["Message-ID"]]
    assert (first["In-Reply-To"], third["In-Reply-To"]) == (root, second["Message-ID"])
    assert [one["X-Responder-Status"] for one in (first, third)] == ["firing", "resolved"]
    assert [one["Importance"] for one in (first, third)] == ["high", None]


async def test_the_subject_has_severity_state_verdict_and_place(server: Fake) -> None:
    sink = server.sink(subject_prefix="[prod]")
    receipt = await sink.deliver(compose(diagnosed(headline="down")), "", nothing())
    await sink.deliver(compose(diagnosed(headline="word " * 100, severity=Severity.P0)), receipt, nothing())
    first, second = (str(one["Subject"]) for one in server.mails.values())
    assert first == "[prod] P1 firing: down · kubechat-system"
    assert second.startswith("[prod] P0 firing: word word ")
    assert second.endswith("… · kubechat-system")
    assert len(second) <= 200


async def test_a_repeat_has_the_same_id_and_a_state_that_comes_back_another(server: Fake) -> None:
    sink, message = server.sink(), STAGES["diagnosed"]
    first = await sink.deliver(message, "", nothing())
    assert await sink.deliver(message, "", nothing(doubtful=True)) == first
    assert await sink.deliver(message, first, nothing()) == first
    over = await sink.deliver(STAGES["resolved"], first, nothing())
    await sink.deliver(message, over, nothing())
    assert len(server.mails) == 3
    assert len(server.transfers) == 4


async def test_through_a_flapping_server_each_state_is_one_mail(server: Fake) -> None:
    messages = [compose(diagnosed(headline=f"state {number}.")) for number in range(20)]
    http = cast(aiohttp.ClientSession, None)
    tries = await deliver_all(server, server.sink(), messages, http)
    assert tries > len(messages)
    assert len(server.mails) == len(messages)
    assert "state 19." in server.things()[-1].text


async def test_it_is_readable_as_text_and_as_html(server: Fake) -> None:
    await server.sink().deliver(STAGES["diagnosed"], "", nothing())
    (one,) = server.mails.values()
    text, html = body(one, "text/plain"), body(one, "text/html")
    for said in ("OOMKilled", "Roll back to revision 41", "https://responder.example/incidents/sample"):
        assert said in text
        assert said in html
    assert "Acknowledge: https://responder.example/say/" in text
    assert re.search(r'<a href="https://responder\.example/say/[^"]+" class="button"[^>]*>Acknowledge</a>', html)
    assert "prefers-color-scheme: dark" in html
    assert 'name="viewport"' in html


@pytest.mark.parametrize(
    "hostile", ["x\r\nBcc: evil@example.org", "x\n\nbody", "x\r\n\r\n.\r\nMAIL FROM:<a@b>", "\0\x0b"]
)
async def test_no_label_gets_a_header_a_recipient_or_an_end(server: Fake, hostile: str) -> None:
    report = diagnosed(title=hostile, headline=hostile, findings=(finding(explanation=hostile),), id=hostile)
    await server.sink().deliver(compose(report, addresses=ADDRESSES), "", nothing())
    (one,) = server.mails.values()
    assert one["Bcc"] is None
    assert server.transfers[0][1] == ("oncall@example.org", "zoe@example.org")
    lines = server.raw[0].decode().split("\r\n")
    assert not [line for line in lines if line == "." or line.startswith(("MAIL FROM", "Bcc"))]


async def test_lines_of_dots_arrive_as_they_were(server: Fake) -> None:
    steps = (".", "..", ".hidden")
    await server.sink().deliver(compose(diagnosed(findings=(finding(next_steps=steps),))), "", nothing())
    (one,) = server.mails.values()
    assert all(f"{number}. {step}\n" in body(one, "text/plain") for number, step in enumerate(steps, start=1))


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=300))
def test_whatever_the_words_are_headers_stay_headers(words: str) -> None:
    message = compose(diagnosed(title=words, headline=words))
    parsed = made(message)
    assert set(parsed.keys()) <= {
        *("Message-ID", "Date", "From", "To", "Subject", "In-Reply-To", "References", "List-Id", "Auto-Submitted"),
        *("X-Auto-Response-Suppress", "X-Responder-Incident", "X-Responder-Severity", "X-Responder-Status"),
        *("Importance", "MIME-Version", "Content-Type"),
    }
    assert parsed.defects == []


def test_markup_is_shown_and_not_read() -> None:
    html = page(compose(diagnosed(headline='<script>alert("1")</script> & <img src=x onerror=y>')))
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;alert(&#34;1&#34;)" in html


def test_right_to_left_words_and_emoji_arrive() -> None:
    words = "شبكة متأخرة 🔥 \u202egnp.exe 🏳️\u200d🌈"
    parsed = made(compose(diagnosed(title=words, headline=words)))
    assert str(parsed["Subject"]) == "P1 firing: شبكة متأخرة 🔥 gnp.exe 🏳️\u200d🌈 · kubechat-system"
    assert "شبكة متأخرة 🔥 gnp.exe" in body(parsed, "text/plain")
    assert '<td class="ink" dir="auto"' in body(parsed, "text/html")


@pytest.mark.parametrize("length", [199, 200, 201])
def test_a_long_subject_is_cut(length: int) -> None:
    parsed = made(compose(diagnosed()), title="x" * length)
    assert len(str(parsed["Subject"])) == min(length, 200)
    assert str(parsed["Subject"]).endswith("…") == (length > 200)


def test_charts_are_inside_and_bounded() -> None:
    parsed = made(STAGES["diagnosed"], pictures=[Drawn("memory <b>", PNG), Drawn("more", PNG)])
    pictures = [part for part in parsed.walk() if part.get_content_type() == "image/png"]
    assert [part.get_payload(decode=True) for part in pictures] == [PNG, PNG]
    assert f'src="cid:{str(pictures[0]["Content-ID"])[1:-1]}"' in body(parsed, "text/html")
    assert 'alt="memory &lt;b&gt;"' in body(parsed, "text/html")
    half = Drawn("x", b"x" * (PICTURES // 2))
    assert fitting([half, half, Drawn("x", b"x")]) == [half, half]
    assert fitting([Drawn("x", b"x" * (PICTURES + 1))]) == []


async def test_a_chart_that_cannot_be_drawn_is_left_out(server: Fake) -> None:
    async def empty(_picture: Picture) -> bytes:
        return b""

    await server.sink().deliver(STAGES["diagnosed"], "", replace(nothing(), draw=empty))
    assert server.things()[0].pictures == 0
    await server.sink(pictures=False).deliver(STAGES["resolved"], "", nothing())
    assert server.things()[1].pictures == 0


@pytest.mark.parametrize("domain", ["a.io", f"{'a' * 60}.{'b' * 60}.example.org", "x" * 63])
def test_ids_fit_a_line_whatever_the_domain(domain: str) -> None:
    sender = Address("r", addr_spec=f"r@{domain}")
    message = STAGES["diagnosed"]
    number = message_id(message, "", domain)
    raw = bytes(mail(message, number, before=number, sender=sender, to=[sender], title="x", now=NOW)).decode()
    head = raw.partition("\r\n\r\n")[0]
    assert "=?" not in head
    assert all(len(line) <= 78 for line in head.split("\r\n") if not line.startswith(("From", "To", " r <")))
    assert domain.endswith(short_domain(domain))


async def test_who_is_put_off_gets_the_same_mail_later_and_the_others_not_again(server: Fake) -> None:
    sink, keeper = server.sink(), Keeper()
    server.refusals["zoe@example.org"] = "450 4.2.1 mailbox is busy"
    with pytest.raises(Temporary, match=r"1 of 2 recipients got it; zoe@example\.org"):
        await sink.deliver(STAGES["diagnosed"], "", nothing(keeper=keeper))
    server.refusals.clear()
    receipt = await sink.deliver(STAGES["diagnosed"], keeper.receipts[-1], nothing())
    assert [to for _, to in server.transfers] == [("oncall@example.org",), ("zoe@example.org",)]
    assert len(server.mails) == 1
    assert await sink.deliver(STAGES["diagnosed"], receipt, nothing()) == receipt


async def test_who_is_refused_is_told_of_and_does_not_keep_it_from_the_others(server: Fake) -> None:
    keeper = Keeper()
    server.refusals["zoe@example.org"] = "550 5.1.1 no such user"
    with pytest.raises(Permanent, match=r"1 of 2 recipients got it; zoe@example\.org: .*5\.1\.1") as caught:
        await server.sink().deliver(STAGES["diagnosed"], "", nothing(keeper=keeper))
    assert caught.value.reason is Reason.NOT_FOUND
    await server.sink().deliver(STAGES["diagnosed"], keeper.receipts[-1], nothing())
    assert len(server.transfers) == 1


async def test_when_all_are_refused_one_that_may_be_taken_later_counts(server: Fake) -> None:
    server.refusals = {"zoe@example.org": "550 5.1.1 no such user", "oncall@example.org": "450 4.2.1 busy"}
    with pytest.raises(Temporary):
        await server.sink().deliver(STAGES["diagnosed"], "", nothing())


@pytest.mark.parametrize(
    ("code", "words", "kind", "reason"),
    [
        (421, "closing", Temporary, Reason.OVERLOADED),
        (450, "4.2.1 busy", Temporary, Reason.OVERLOADED),
        (451, "4.7.1 greylisted", Temporary, Reason.OVERLOADED),
        (451, "4.3.0 local error", Temporary, Reason.SERVER_ERROR),
        (452, "4.3.1 full", Temporary, Reason.OVERLOADED),
        (454, "4.3.0 try later", Temporary, Reason.SERVER_ERROR),
        (500, "5.5.2 what", Permanent, Reason.BAD_REQUEST),
        (530, "5.7.0 log in first", Permanent, Reason.UNAUTHORIZED),
        (535, "5.7.8 bad", Permanent, Reason.UNAUTHORIZED),
        (550, "5.1.1 no such user", Permanent, Reason.NOT_FOUND),
        (550, "5.7.1 relaying denied", Permanent, Reason.FORBIDDEN),
        (550, "no", Permanent, Reason.BAD_REQUEST),
        (552, "5.3.4 too large", Permanent, Reason.TOO_LARGE),
        (554, "no", Permanent, Reason.FORBIDDEN),
        (-1, "Malformed", Temporary, Reason.BAD_ANSWER),
        (550, "caf\udce9", Permanent, Reason.BAD_REQUEST),
    ],
)
def test_each_reply_says_whether_trying_again_helps(code: int, words: str, kind: type[Trouble], reason: Reason) -> None:
    place = Server("mail.example", 25, "none", "u", "pa55", "", None, 1.0)
    found = judge(place, code, f"{words} pa55")
    assert isinstance(found, kind)
    assert found.reason is reason
    assert words.encode("utf-8", "replace").decode() in str(found)
    assert "pa55" not in str(found)


async def test_a_certificate_of_somebody_else_is_not_accepted(server: Fake) -> None:
    with pytest.raises(Temporary, match="certificate is not accepted") as caught:
        await server.sink(ca_file=None).deliver(STAGES["diagnosed"], "", nothing())
    assert caught.value.reason is Reason.UNREACHABLE


async def test_a_server_without_tls_is_not_told_the_password() -> None:
    server = Fake()
    server.tls = False
    async with server:
        with pytest.raises(Permanent, match="security") as caught:
            await server.sink().deliver(STAGES["diagnosed"], "", nothing())
        assert caught.value.reason is Reason.NOT_CONFIGURED
        assert PASSWORD not in str(caught.value)
        plain = server.sink(security="none", username="", password=None)
        await plain.deliver(STAGES["diagnosed"], "", nothing())
        assert len(server.mails) == 1


async def test_nobody_there_is_unreachable() -> None:
    with pytest.raises(Temporary) as caught:
        await Email(**GIVEN | {"host": "127.0.0.1", "port": 9}).deliver(STAGES["diagnosed"], "", nothing())
    assert caught.value.reason is Reason.UNREACHABLE


async def test_a_delivery_that_is_cancelled_leaves_no_connection(server: Fake) -> None:
    server.mode = "hang"
    task = asyncio.create_task(server.sink(timeout="30s").deliver(STAGES["diagnosed"], "", nothing()))
    await server.hanging.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    "options",
    [
        {"sender": "nobody"},
        {"sender": "a@example.org\r\nBcc: b@example.org"},
        {"to": ["a@example.org, b@example.org"]},
        {"to": ["ä@example.org"]},
        {"to": []},
        {"username": "u", "password": "p", "security": "none"},
        {"username": "u"},
        {"subject_prefix": "a\nb"},
        {"list_id": "x"},
        {"hello": "a b"},
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Email(**GIVEN | options)
