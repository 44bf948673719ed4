"""Slack: the bot, and what it is told by clicks."""

import hashlib
import hmac
import json
import urllib.parse
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from responder.errors import Permanent, Reason, Temporary, Trouble
from responder.flow.buttons import Addresses
from responder.flow.message import compose
from responder.flow.sample import stages
from responder.model.message import Button, Message
from responder.signing import Signer
from responder.sinks import Call, Click
from responder.sinks._slack_blocks import HEADER, MOST, root
from tests.fakes.sinks._slack_blocks import faults_of_blocks, text_of
from tests.fakes.sinks.slack import CHANNEL, NAME, SIGNING, Fake
from tests.makers import NOW
from tests.sinks.medium import Keeper, medium
from tests.sinks.reports import announced, diagnosed

ADDRESSES = Addresses("https://responder.example", Signer("key"))
STAGES = stages(NOW, ADDRESSES)


@pytest.fixture
async def fake() -> AsyncIterator[Fake]:
    async with Fake() as running:
        yield running
    assert running.complaints == []


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def message(**fields: Any) -> Message:
    return STAGES["diagnosed"].model_copy(update=fields)


async def test_the_root_is_short_and_the_thread_has_the_rest(fake: Fake, http: aiohttp.ClientSession) -> None:
    await fake.sink().deliver(STAGES["diagnosed"], "", medium(http))
    [root_message] = fake.roots
    said = text_of(root_message.blocks)
    assert said.startswith("🟠 P1 · firing 4 min · shop\nSample: checkout is killed")
    assert "Roll back to revision 41" in said
    assert "Loki answered 401" not in said
    details, chart = fake.thread(root_message)
    said = text_of(details.blocks)
    assert "Loki answered 401" in said
    assert "[1] The pods: 3 of 5 pods restart" in said
    assert "kubectl -n shop get pods" in said
    assert chart.files
    assert root_message.metadata["event_payload"]["key"] == STAGES["diagnosed"].key


async def test_the_end_edits_the_root_and_is_one_reply(fake: Fake, http: aiohttp.ClientSession) -> None:
    sink, receipt = fake.sink(), ""
    for stage in STAGES.values():
        receipt = await sink.deliver(stage, receipt, medium(http))
    [root_message] = fake.roots
    assert root_message.text.startswith("🟢 P1 · resolved after 4 min")
    replies = [reply.text for reply in fake.thread(root_message) if reply.text]
    assert [text for text in replies if text.startswith("🟢")] == ["🟢 P1 · resolved after 4 min · shop"]
    calls = len(fake.calls)
    assert await sink.deliver(STAGES["resolved"], receipt, medium(http)) == receipt
    assert len(fake.calls) == calls, "nothing is new, so nothing is asked"


async def test_that_it_fires_again_is_a_reply(fake: Fake, http: aiohttp.ClientSession) -> None:
    sink = fake.sink()
    receipt = await sink.deliver(STAGES["resolved"], "", medium(http))
    [root_message] = fake.roots
    assert len(fake.thread(root_message)) == 2, "details and chart: the root itself tells of the end"
    await sink.deliver(STAGES["diagnosed"], receipt, medium(http))
    assert "firing" in root_message.text
    assert fake.thread(root_message)[-1].text.endswith("it fires again")


async def test_a_message_that_somebody_deleted_is_posted_anew(fake: Fake, http: aiohttp.ClientSession) -> None:
    sink = fake.sink()
    receipt = await sink.deliver(STAGES["announced"], "", medium(http))
    fake.messages.clear()
    await sink.deliver(STAGES["diagnosed"], receipt, medium(http))
    assert len(fake.roots) == 1
    assert len(fake.thread(fake.roots[0])) == 2


@pytest.mark.parametrize("steps", range(1, 5))
async def test_a_delivery_goes_on_where_it_stopped(fake: Fake, http: aiohttp.ClientSession, steps: int) -> None:
    """Stopped after any kept step, or before it was kept."""
    sink, keeper = fake.sink(), Keeper()
    first = await sink.deliver(STAGES["announced"], "", medium(http))
    await sink.deliver(STAGES["resolved"], first, medium(http, keeper=keeper))
    shown = len(fake.messages)
    assert len(keeper.receipts) == 4, "root, details, chart, end"
    receipt = "" if steps == 1 else keeper.receipts[steps - 2]
    await sink.deliver(STAGES["resolved"], receipt, medium(http, doubtful=True))
    assert len(fake.messages) == shown


async def test_own_messages_are_found_on_later_pages(fake: Fake, http: aiohttp.ClientSession) -> None:
    sink = fake.sink()
    await sink.deliver(STAGES["diagnosed"], "", medium(http))
    for number in range(250):
        fake.messages.append(type(fake.messages[0])(f"{4000000500 + number}.0", "chatter", [], {}))
    await sink.deliver(STAGES["diagnosed"], "", medium(http, doubtful=True))
    assert len([shown for shown in fake.roots if shown.metadata]) == 1


async def test_without_the_scope_to_look_a_second_message_says_that_it_is_one(
    fake: Fake, http: aiohttp.ClientSession
) -> None:
    fake.deny["conversations.history"] = {"error": "missing_scope", "needed": "channels:history"}
    sink = fake.sink()
    await sink.deliver(STAGES["diagnosed"], "", medium(http))
    await sink.deliver(STAGES["diagnosed"], "", medium(http, doubtful=True))
    first, second = fake.roots
    assert "re-sent" not in text_of(first.blocks)
    assert "re-sent" in text_of(second.blocks)


async def test_a_channel_can_be_named(fake: Fake, http: aiohttp.ClientSession) -> None:
    sink = fake.sink(channel=NAME)
    receipt = await sink.deliver(STAGES["announced"], "", medium(http))
    assert json.loads(receipt)["channel"] == CHANNEL
    await sink.deliver(STAGES["diagnosed"], receipt, medium(http))
    assert len(fake.roots) == 1


@pytest.mark.parametrize("method", ["files.getUploadURLExternal", "files.completeUploadExternal"])
async def test_a_chart_that_is_refused_does_not_hold_up_the_words(
    fake: Fake, http: aiohttp.ClientSession, method: str
) -> None:
    fake.deny[method] = {"error": "missing_scope", "needed": "files:write"}
    sink = fake.sink()
    receipt = await sink.deliver(STAGES["diagnosed"], "", medium(http))
    asked = fake.calls.count(method)
    await sink.deliver(STAGES["resolved"], receipt, medium(http))
    assert fake.things()[0].replies[-1].startswith("🟢")
    assert fake.calls.count(method) == asked, "it is not asked for again"


async def test_charts_can_be_left_out(fake: Fake, http: aiohttp.ClientSession) -> None:
    await fake.sink(charts=False).deliver(STAGES["diagnosed"], "", medium(http))
    assert fake.things()[0].pictures == 0


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        ("ratelimited", Temporary, Reason.OVERLOADED),
        ("rate_limited", Temporary, Reason.OVERLOADED),
        ("message_limit_exceeded", Temporary, Reason.OVERLOADED),
        ("request_timeout", Temporary, Reason.TIMEOUT),
        ("service_unavailable", Temporary, Reason.SERVER_ERROR),
        ("internal_error", Temporary, Reason.SERVER_ERROR),
        ("fatal_error", Temporary, Reason.SERVER_ERROR),
        ("team_added_to_org", Temporary, Reason.SERVER_ERROR),
        ("invalid_auth", Permanent, Reason.UNAUTHORIZED),
        ("token_revoked", Permanent, Reason.UNAUTHORIZED),
        ("missing_scope", Permanent, Reason.FORBIDDEN),
        ("not_in_channel", Permanent, Reason.FORBIDDEN),
        ("restricted_action_read_only_channel", Permanent, Reason.FORBIDDEN),
        ("channel_not_found", Permanent, Reason.NOT_FOUND),
        ("is_archived", Permanent, Reason.NOT_FOUND),
        ("msg_blocks_too_long", Permanent, Reason.TOO_LARGE),
        ("invalid_blocks", Permanent, Reason.BAD_REQUEST),
        ("something_new", Permanent, Reason.BAD_REQUEST),
    ],
)
async def test_an_error_within_a_200_says_whether_to_try_again(
    fake: Fake, http: aiohttp.ClientSession, error: str, kind: type[Trouble], reason: Reason
) -> None:
    told = {"error": error, "needed": "chat:write", "response_metadata": {"messages": ["[ERROR] at /blocks/1"]}}
    fake.deny["chat.postMessage"] = told
    with pytest.raises(kind) as caught:
        await fake.sink().deliver(STAGES["diagnosed"], "", medium(http))
    assert caught.value.reason is reason
    assert str(caught.value) == f"Slack refused chat.postMessage: {error} (needed chat:write; [ERROR] at /blocks/1)"


async def test_an_error_of_the_search_that_passes_is_waited_for(fake: Fake, http: aiohttp.ClientSession) -> None:
    fake.deny["conversations.history"] = {"error": "ratelimited"}
    with pytest.raises(Temporary):
        await fake.sink().deliver(STAGES["diagnosed"], "", medium(http, doubtful=True))
    assert fake.roots == []


async def test_slack_that_cannot_be_reached_is_named_without_secrets(http: aiohttp.ClientSession) -> None:
    class Nowhere(Fake):
        url = "http://127.0.0.1:9"

    with pytest.raises(Temporary) as caught:
        await Nowhere().sink().deliver(STAGES["diagnosed"], "", medium(http))
    assert caught.value.reason is Reason.UNREACHABLE
    assert "xoxb" not in str(caught.value)


async def test_the_token_is_read_from_its_file(fake: Fake, http: aiohttp.ClientSession, tmp_path: Any) -> None:
    file = tmp_path / "token"
    file.write_text(f"{fake.secrets[0]}\n")
    await fake.sink(token=None, token_file=file).deliver(STAGES["diagnosed"], "", medium(http))
    file.write_text("")
    for options in ({"token_file": file}, {"token_file": tmp_path / "none"}, {}):
        with pytest.raises(Permanent) as caught:
            await fake.sink(token=None, **options).deliver(STAGES["diagnosed"], "", medium(http))
        assert caught.value.reason is Reason.NOT_CONFIGURED


def test_a_header_and_a_message_are_cut_at_the_limit() -> None:
    edge = "x" * 120
    rendered = root(message(place=edge, since="firing 4 min"), calls_back=True)
    header = rendered.blocks[0]["text"]["text"]
    assert edge in header
    assert len(header) <= HEADER
    rendered = root(message(place="p" * 200, since="s" * 100), calls_back=True)
    assert len(rendered.blocks[0]["text"]["text"]) == HEADER
    long = tuple(line.model_copy(update={"text": "w" * 400}) for line in STAGES["diagnosed"].because) * 20
    rendered = root(message(because=long, next_steps=long), calls_back=True)
    assert faults_of_blocks(rendered.blocks) == []
    assert len(json.dumps(rendered.blocks, ensure_ascii=False)) <= MOST
    assert "… and " in text_of(rendered.blocks)


def test_without_a_signing_secret_buttons_open_a_page() -> None:
    [interactive] = [b for b in root(message(), calls_back=True).blocks if b["type"] == "actions"]
    assert [(button["action_id"], button["value"]) for button in interactive["elements"]] == [
        ("acknowledge", "sample"),
        ("useful", "sample"),
        ("not_useful", "sample"),
    ]
    [links] = [b for b in root(message(), calls_back=False).blocks if b["type"] == "actions"]
    assert all(button["url"].startswith("https://responder.example/say/") for button in links["elements"])
    assert not [b for b in root(compose(announced()), calls_back=True).blocks if b["type"] == "actions"]


def test_what_changes_a_cluster_always_asks_on_a_page_first() -> None:
    urls = [f"https://responder.example/say/{name}" for name in ("more", "fewer")]
    approvals = tuple(
        Button(command="approve", label=f"Approve: {action}", url=url, action=action)
        for action, url in zip(("more", "fewer"), urls, strict=True)
    )
    rendered = root(message(buttons=approvals), calls_back=True)
    assert faults_of_blocks(rendered.blocks) == []
    [actions] = [block for block in rendered.blocks if block["type"] == "actions"]
    assert [button["url"] for button in actions["elements"]] == urls
    assert len({button["action_id"] for button in actions["elements"]}) == 2


def signed(body: bytes, *, secret: str = SIGNING, age: float = 0, **headers: str) -> Call:
    stamp = str(int(NOW.timestamp() - age))
    digest = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    given = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}", **headers}
    return Call(given, body, NOW)


def clicked(**changes: Any) -> bytes:
    payload = {
        "type": "block_actions",
        "user": {"id": "U1", "username": "anna", "name": "anna"},
        "actions": [{"action_id": "acknowledge", "block_id": "commands", "value": "4f2a", "action_ts": "1.0"}],
    }
    return b"payload=" + urllib.parse.quote_plus(json.dumps(payload | changes)).encode()


async def test_a_click_is_heard_with_who_clicked() -> None:
    sink = Fake.sink(_NOWHERE)
    heard = await sink.hear(signed(clicked()))
    assert heard.clicks == (Click("4f2a", "acknowledge", "anna"),)
    assert heard.answer == ""
    assert (await sink.hear(signed(clicked(user={"id": "U1"})))).clicks[0].by == "U1"
    assert (await sink.hear(signed(clicked(user=7)))).clicks[0].by == "somebody in Slack"


@pytest.mark.parametrize(
    "changes",
    [
        {"actions": [{"action_id": "open_acknowledge", "value": "4f2a"}]},
        {"actions": [{"action_id": "acknowledge"}, {"action_id": ["x"], "value": "y"}, 7]},
        {"actions": None},
        {"type": "view_submission"},
    ],
)
async def test_what_is_no_click_of_ours_is_answered_and_ignored(changes: dict[str, Any]) -> None:
    assert (await Fake.sink(_NOWHERE).hear(signed(clicked(**changes)))).clicks == ()


async def test_slacks_check_of_the_address_is_answered() -> None:
    body = json.dumps({"type": "url_verification", "challenge": "3eZbrw1aB", "token": "old"}).encode()
    heard = await Fake.sink(_NOWHERE).hear(signed(body))
    assert heard.answer == "3eZbrw1aB"
    assert heard.content_type == "text/plain"


@pytest.mark.parametrize(
    "call",
    [
        signed(clicked(), secret="another"),
        signed(clicked(), age=301),
        signed(clicked(), age=-302),
        Call(signed(clicked()).headers, clicked(user={"id": "U2"}), NOW),
        Call(signed(clicked()).headers, clicked(), NOW + timedelta(hours=1)),
        Call({}, clicked(), NOW),
        signed(clicked(), **{"X-Slack-Signature": "v0=ü"}),
        signed(clicked(), **{"X-Slack-Request-Timestamp": "soon"}),
        Call(signed(b"\xff").headers, b"\xff", NOW),
    ],
    ids=["secret", "old", "future", "body", "replayed", "unsigned", "unicode", "time", "bytes"],
)
async def test_who_cannot_sign_is_not_heard(call: Call) -> None:
    with pytest.raises(Permanent) as caught:
        await Fake.sink(_NOWHERE).hear(call)
    assert caught.value.reason is Reason.UNAUTHORIZED


@pytest.mark.parametrize("body", [b"", b"payload=", b"payload=[1]", b"x=1", b"{", b"payload=%7B"])
async def test_a_signed_call_without_a_payload_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(Permanent) as caught:
        await Fake.sink(_NOWHERE).hear(signed(body))
    assert caught.value.reason is Reason.BAD_REQUEST


async def test_clicks_that_are_just_in_time_are_heard() -> None:
    assert (await Fake.sink(_NOWHERE).hear(signed(clicked(), age=299))).clicks


async def test_without_a_signing_secret_nobody_is_heard() -> None:
    with pytest.raises(Permanent) as caught:
        await Fake.sink(_NOWHERE, signing_secret=None).hear(signed(clicked()))
    assert caught.value.reason is Reason.NOT_FOUND


def test_the_preview_shows_root_and_details() -> None:
    preview = Fake.sink(_NOWHERE).preview(compose(diagnosed(), addresses=ADDRESSES))
    kinds = [block.kind for block in preview.blocks]
    assert kinds[0] == "heading"
    assert "buttons" in kinds
    assert any("Evidence" in block.text for block in preview.blocks)


class _Nowhere(Fake):
    url = "http://127.0.0.1:9"


_NOWHERE = _Nowhere()
