"""What chats share: cutting, secrets, and that nothing a stranger writes becomes markup or breaks a limit."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

import responder.web
from responder.errors import Permanent, Reason
from responder.flow.buttons import Addresses
from responder.flow.sample import stages
from responder.model.incident import Severity
from responder.model.message import Line, Link, Message
from responder.signing import Signer
from responder.sinks import _credentials as credentials
from responder.sinks._chat import NO_HEADLINE, SIZES, colour, fitted, mark, sized, title
from responder.sinks._email_message import page
from responder.sinks._mattermost import LONGEST, whole
from responder.sinks._slack_blocks import MOST, change, details, root
from responder.sinks._slack_blocks import whole as slack_whole
from responder.sinks._teams_card import MOST as TEAMS_MOST
from responder.sinks._teams_card import request
from responder.sinks.discord import payload
from responder.sinks.telegram import render
from tests.fakes.sinks import discord, mattermost, telegram
from tests.fakes.sinks._slack_blocks import faults_of_blocks, faults_of_text
from tests.makers import NOW

STAGES = stages(NOW, Addresses("https://responder.example", Signer("key")))
DIAGNOSED = STAGES["diagnosed"]
SNIPPETS = st.sampled_from(
    [
        "*",
        "_",
        "~",
        "`",
        "```",
        "<",
        ">",
        "@here",
        "<!here>",
        "<@U1>",
        "<users/all>",
        "{{DATE(1)}}",
        "<at>x</at>",
        "&amp;",
    ]
)
TEXTS = st.lists(
    st.one_of(st.text(max_size=60), SNIPPETS, st.sampled_from([" ", "\n", "🔥", "\u202e", "x" * 500]))
).map("".join)


def filled(text: str, count: int) -> Message:
    lines = tuple(Line(text=f"{text} {number}", references=(number,)) for number in range(count))
    return DIAGNOSED.model_copy(
        update={
            "headline": text,
            "cause": text,
            "place": text or "-",
            "because": lines,
            "not_it": lines,
            "not_seen": lines,
            "next_steps": lines,
            "alerts": (text,) * count,
            "links": (Link(title=text, url="https://responder.example/x"), Link(title="odd", url=f"javascript:{text}")),
        }
    )


@settings(max_examples=25, deadline=None)
@given(TEXTS, st.integers(0, 40))
def test_whatever_is_written_every_chat_can_show_it(text: str, count: int) -> None:
    message = filled(text, count)
    for rendered in (
        root(message, calls_back=True),
        slack_whole(message, pictures=True),
        details(message),
        change(message),
    ):
        assert rendered is not None
        assert faults_of_blocks(rendered.blocks) + faults_of_text(rendered.text) == []
        assert len(json.dumps(rendered.blocks, ensure_ascii=False)) <= MOST
    card = json.dumps(request(message), ensure_ascii=False)
    assert len(card.encode()) <= TEAMS_MOST
    assert "{{" not in card
    complaints = discord.Fake()
    complaints._check(payload(message, []), {})
    assert complaints.complaints == []
    assert telegram.read(render(message), 4096)[1] == []
    assert mattermost.faults(whole(message)) == []
    assert len(whole(message)) <= LONGEST


def test_a_severity_has_one_colour_in_chats_mails_and_on_the_page() -> None:
    style = (Path(responder.web.__file__).parent / "static" / "style.css").read_text(encoding="utf-8")
    for severity in Severity:
        message = STAGES["diagnosed"].model_copy(update={"severity": severity})
        assert f"--{severity.value.lower()}: #{colour(message):06x};" in style
        assert f"#{colour(message):06x}" in page(message)


def test_the_colour_is_not_the_only_one_to_say_how_bad_it_is() -> None:
    seen = set()
    for severity in Severity:
        message = DIAGNOSED.model_copy(update={"severity": severity})
        seen.add((mark(message), colour(message)))
        assert title(message).startswith(f"{mark(message)} {severity.value} · firing")
    over = STAGES["resolved"]
    assert (mark(over), colour(over)) not in seen
    assert title(over).startswith("🟢 P1 · resolved after")


def test_what_is_left_out_is_counted() -> None:
    smaller = sized(filled("x", 20), SIZES[2])
    assert [line.text for line in smaller.because][-1] == "… and 14 more"
    assert smaller.alerts[-1] == "… and 14 more"
    storm = DIAGNOSED.model_copy(update={"more_members": 5})
    assert sized(storm, SIZES[0]).more_members == 5


def test_the_most_that_fits_is_shown() -> None:
    message = filled("word " * 50, 12)
    assert fitted(message, lambda _: True) == sized(message, SIZES[0])
    assert fitted(message, lambda tried: len(tried.because) <= 5) == sized(message, SIZES[3])
    assert fitted(message, lambda _: False) == sized(message, SIZES[-1])


def test_blank_lines_and_odd_addresses_are_left_out() -> None:
    message = filled(" \u202e ", 0).model_copy(update={"because": (Line(text=" "), Line(text="a\n b"))})
    smaller = sized(message, SIZES[0])
    assert smaller.headline == NO_HEADLINE
    assert [line.text for line in smaller.because] == ["a b"]
    assert [link.url for link in smaller.links] == ["https://responder.example/x"]


def test_the_pieces_of_a_secret_address_are_known_longest_first() -> None:
    pieces = credentials.pieces("https://chat.example/hooks/s3cr3tpath?key=AIza12345&sig=a%2Fbcdefg")
    assert {"s3cr3tpath", "AIza12345", "a%2Fbcdefg", "a/bcdefg"} <= set(pieces)
    assert [len(piece) for piece in pieces] == sorted((len(piece) for piece in pieces), reverse=True)
    assert not {"", "v1", "key"} & set(pieces)


async def test_a_secret_is_read_each_time(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(" one \n")
    assert await credentials.read(None, file, "token") == "one"
    file.write_text("two")
    assert await credentials.read(None, file, "token") == "two"
    assert await credentials.read(SecretStr("given"), file, "token") == "given"
    file.write_bytes(b"\xff\xfe")
    for options in ((None, file), (None, tmp_path / "none"), (None, tmp_path), (SecretStr(" "), None), (None, None)):
        with pytest.raises(Permanent) as caught:
            await credentials.read(*options, "token")
        assert caught.value.reason is Reason.NOT_CONFIGURED
